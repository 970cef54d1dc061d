"""Processes that die by SIGKILL before their n-th write to the embedded store.

A forked child is killed for real, so nothing runs after it: no `finally`, no release of a lock.
"""

from __future__ import annotations

import os
import shutil
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fireworks_ext.embedded import store as embedded


class Child:
    """A forked process that runs a function."""

    def __init__(self, body: Callable[[], object], *, dies_before: int | None = None) -> None:
        reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(reader)
            _be_child(body, dies_before, writer)
        os.close(writer)
        self._trouble = os.fdopen(reader, encoding="utf-8")

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send the process a signal."""
        os.kill(self.pid, number)

    def finished(self) -> bool:
        """Wait, and tell whether the function came to its end; raise here what it raised."""
        _, status = os.waitpid(self.pid, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        with self._trouble as pipe:
            trouble = "" if killed else pipe.read()
        if trouble:
            raise AssertionError(trouble)
        assert killed or status == 0, status
        return not killed


def in_child(body: Callable[[], object], *, dies_before: int | None = None) -> bool:
    """Run a function in a forked child; tell whether it came to its end.

    The child is killed just before its `dies_before`-th write to any embedded store. An exception
    in it is raised here.
    """
    return Child(body, dies_before=dies_before).finished()


def _be_child(body: Callable[[], object], dies_before: int | None, writer: int) -> None:
    code = 1
    try:
        _write_carelessly()
        _count_writes(dies_before)
        body()
        code = 0
    except BaseException:  # noqa: BLE001  (whatever it is, the parent is to see it)
        os.write(writer, traceback.format_exc()[-8000:].encode())
    finally:
        os._exit(code)


def _write_carelessly() -> None:
    """Do not wait for the disk: these tests kill processes, not machines."""
    opened = embedded._opened
    embedded._opened = lambda path, _durability: opened(path, "OFF")  # type: ignore[arg-type]
    os.fsync = lambda _file: None


def _count_writes(dies_before: int | None) -> None:
    transaction = embedded.Store.transaction
    written = 0

    @contextmanager
    def counted(self: Any) -> Iterator[Any]:
        nonlocal written
        if not self.writing:
            written += 1
            if written == dies_before:
                os.kill(os.getpid(), signal.SIGKILL)
        with transaction(self) as connection:
            yield connection

    embedded.Store.transaction = counted  # type: ignore[method-assign]


def die_at_every_write(
    folder: Path, *, act: Callable[[], object], then: Callable[[], object], first: int = 1
) -> int:
    """Kill `act` before each of its writes, each time from the same start, and run `then`.

    Writes before the `first` are those of another test.

    `folder` is what they change; it is put back as it is now before every turn. The last turn lets
    `act` come to its end. Returns the number of writes.
    """
    start = folder.with_name(folder.name + ".start")
    shutil.copytree(folder, start)
    turn = first - 1
    wrong: list[str] = []
    finished = False
    while not finished:
        turn += 1
        shutil.rmtree(folder)
        shutil.copytree(start, folder)
        finished = in_child(act, dies_before=turn)
        try:
            in_child(then)
        except AssertionError as error:
            wrong.append(f"after a kill before write {turn}: {error}")
    shutil.rmtree(start)
    assert not wrong, "\n".join(wrong)
    return turn - 1
