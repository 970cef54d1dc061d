"""One run of a program, attended until it ends: its time, its silence, requests to stop it."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from fireworks_ext.artefacts import ALIVE
from fireworks_ext.attempts.exits import Exit, Reason
from fireworks_ext.attempts.memory import Scale
from fireworks_ext.processes import TERMINATE_GRACE_S, end_session
from fireworks_ext.worker.session import Session
from schemas.protocols import Command

LOOK_S = 1.0
"""Between two looks at a program's output, or less for one that is known to print often."""
SIGN_S = 10.0
"""Between two signs of life."""
SILENT_TIMES = 20.0
"""A program hangs when it is silent this many times longer than it ever was before."""
SHORTEST_PAUSE_S = 0.01


@dataclass(frozen=True)
class Watch:
    """What ends a run from outside.

    A program that has a stop file is asked to stop, and saves what it has; others are ended.
    """

    seconds: float
    """Left of its walltime."""
    stop_file: Path | None = None
    checkpoint_s: float | None = None
    """After so long it is asked to stop so that its state can be saved."""


def run_program(
    argv: Sequence[str], command: Command, folder: Path, session: Session, watch: Watch
) -> Exit:
    """Run a program in a session of its own, so that it can be ended with all its ranks.

    Raises
    ------
    OSError
        When the program cannot be started.
    """
    if watch.stop_file is not None:
        with suppress(OSError):  # there is none, and what is in its place the program will name
            watch.stop_file.unlink()
    with (
        (folder / command.stdout).open("wb") as stdout,
        (folder / command.stderr).open("wb") as stderr,
    ):
        process = subprocess.Popen(
            argv,
            cwd=folder,
            env={**os.environ, **command.environment},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            pass_fds=session.inherit_fds,
        )
    attendance = _Attendance(process.pid, folder / command.stdout, session, watch)
    with session.running(watch.stop_file):
        attendance.until_end(command.silence_s)
    attendance.remove_sign()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Exit(
        exit_code=process.returncode,
        reason=attendance.reason,
        seconds=round(time.monotonic() - attendance.began, 3),
        silent_s=round(attendance.silent_s, 3),
        longest_silence_s=round(attendance.longest_silence_s, 3),
        peak_memory_gb=attendance.scale.peak_gb(used.ru_maxrss),
        cpu_s=round(used.ru_utime + used.ru_stime, 3),
    )


@dataclass
class _Attendance:
    """Waits for a program and does to it what its watch and its session ask for."""

    pid: int
    output: Path
    session: Session
    watch: Watch
    reason: Reason | None = None
    began: float = field(default_factory=time.monotonic)
    longest_silence_s: float = 0.0
    scale: Scale = field(init=False)
    _size: int = 0
    _signed_at: float = field(default_factory=time.monotonic)
    _has_sign: bool = False
    _heard: float = field(default_factory=time.monotonic)
    _end_by: float | None = None
    """When a program that was asked to stop is ended all the same."""

    def __post_init__(self) -> None:
        self.scale = Scale(self.pid)

    @property
    def silent_s(self) -> float:
        """How long it has printed nothing."""
        return time.monotonic() - self._heard

    def _show_life(self) -> None:
        """Let other machines see that somebody attends to the program."""
        now = time.monotonic()
        if now - self._signed_at >= SIGN_S:  # programs of seconds need none
            self._signed_at, self._has_sign = now, True
            with suppress(OSError):  # the next one is another chance
                self.output.with_name(ALIVE).touch()

    def remove_sign(self) -> None:
        """Keep nobody waiting for a program that has ended."""
        if self._has_sign:
            with suppress(OSError):
                self.output.with_name(ALIVE).unlink(missing_ok=True)

    def until_end(self, silence_s: float) -> None:
        """Return when the program has ended; it is still to be waited for by its parent."""
        handle = os.pidfd_open(self.pid)
        poller = select.poll()
        poller.register(handle, select.POLLIN)
        poller.register(self.session.wake_fd, select.POLLIN)
        try:
            look_s = min(LOOK_S, silence_s / SILENT_TIMES)
            while handle not in {fd for fd, _ in poller.poll(1000 * self._pause_s(look_s))}:
                self.session.clear_wake()
                self._listen()
                self._show_life()
                self.scale.weigh()
                self._decide(silence_s)
        finally:
            os.close(handle)
        self._listen()

    def _pause_s(self, look_s: float) -> float:
        due = [self.began + self.watch.seconds]
        if self._end_by is not None:
            due.append(self._end_by)
        if self.watch.checkpoint_s is not None and self.reason is None:
            due.append(self.began + self.watch.checkpoint_s)
        return min(max(min(due) - time.monotonic(), SHORTEST_PAUSE_S), look_s)

    def _listen(self) -> None:
        """Notice new output."""
        try:
            size = self.output.stat().st_size
        except OSError:
            return
        if size != self._size:
            self.longest_silence_s = max(self.longest_silence_s, self.silent_s)
            self._size, self._heard = size, time.monotonic()

    def _decide(self, silence_s: float) -> None:
        now = time.monotonic()
        if self._end_by is not None and now >= self._end_by:
            end_session(self.pid)
        elif self.session.stopping and self.reason != "stopped":
            self._ask("stopped", now + self.session.stop_grace_s)
        elif self.reason == "stopped":
            return
        elif now > self.began + self.watch.seconds:
            self.reason = "walltime"
            end_session(self.pid)
        elif self.silent_s > max(silence_s, SILENT_TIMES * self.longest_silence_s):
            self.reason = "hung"
            end_session(self.pid)
        elif (
            self.watch.checkpoint_s is not None
            and self.reason is None
            and now >= self.began + self.watch.checkpoint_s
        ):
            self._ask("checkpoint", None)

    def _ask(self, reason: Reason, end_by: float | None) -> None:
        """Ask the program to stop; one that cannot be asked is ended."""
        self.reason = reason
        if self.watch.stop_file is None:
            end_session(self.pid, TERMINATE_GRACE_S)
            return
        self._end_by = end_by
        with suppress(OSError):  # on a full disk it cannot be asked, and is ended in the end
            self.watch.stop_file.parent.mkdir(parents=True, exist_ok=True)
            self.watch.stop_file.touch()
