"""Whose turn it is to write: processes that share a store wait in line.

SQLite's own waiting is a sleep that grows to a tenth of a second between two tries, so that of
several busy writers those who have waited longest try least, and may get nothing for seconds.
Here a writer holds a lock for as long as its transaction lasts, and takes it through a second
lock, the gate, that only one may hold: the holder of the gate is the next to write, and whoever
has just written finds the gate taken. Both are locks on bytes of a file beside the store, which
the kernel releases when a process ends, however it ends. They keep order, no more: SQLite's lock
is what protects the data, so after a while one writes without a turn rather than never.
"""

import fcntl
import os
import random
import time
from pathlib import Path

_WRITER, _GATE = 0, 1  # the bytes that are locked
_PATIENCE_S = 30.0  # without a turn after that: perhaps a stopped process holds the lock
_PAUSE_S = {_WRITER: 5e-5, _GATE: 1e-3}  # between two tries, at first; only one tries to write
_LONGEST_PAUSE_S = 5e-3
_SHARE = 0.02  # of the time that one has waited


class Turns:
    """The line of writers of one store; for one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(f"{path.name}-turn")
        self._file: int | None = None

    def take(self) -> None:
        """Wait for one's turn."""
        if self._file is None:
            try:
                self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError:
                return  # a directory that is read-only, ...: SQLite says it better
        deadline = time.monotonic() + _PATIENCE_S
        if _locked(self._file, _GATE, deadline):
            _locked(self._file, _WRITER, deadline)
            _unlock(self._file, _GATE)

    def give(self) -> None:
        """Let the next one write."""
        if self._file is not None:
            _unlock(self._file, _WRITER)

    def close(self) -> None:
        """Leave the line; the next turn opens the file again."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _locked(file: int, byte: int, deadline: float) -> bool:
    """Take a lock; return False if it could not be had in time."""
    started = 0.0
    while True:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
        except BlockingIOError:
            now = time.monotonic()
            started = started or now
            if now > deadline:
                return False
            pause = min(max((now - started) * _SHARE, _PAUSE_S[byte]), _LONGEST_PAUSE_S)
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - so that not all try at once
        else:
            return True


def _unlock(file: int, byte: int) -> None:
    fcntl.lockf(file, fcntl.LOCK_UN, 1, byte)
