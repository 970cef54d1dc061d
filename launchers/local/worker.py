"""One worker process: it holds its cores, calls the target, and obeys its controller.

A worker learns of its controller by a pipe of which only the controller has the other end: end of
file means "take nothing new", whether the controller asked for it or was killed.
"""

import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

from launchers.local.cores import CoreClaim, pin
from schemas.model import JsonValue

LOOK_ROUND_S = 0.5  # longest time until an idle worker notices that the process above it died
STOPPED = 128 + signal.SIGTERM  # exit code of a worker that left because of SIGTERM

# Programs start with default actions for these: handlers, unlike SIG_IGN, end at exec.
HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Assignment:
    """What every worker of a pool is told; it travels as JSON.

    `wake` holds one pipe per slot (read end, write end); `life` and `report` are descriptors.
    """

    target: str
    arguments: dict[str, JsonValue]
    cores: list[int]
    cores_per_job: int
    pinned: bool
    lock_folder: str
    life: int
    report: int
    wake: list[list[int]]
    path: list[str]

    def to_json(self) -> str:
        """Return one line of JSON."""
        return json.dumps(asdict(self))

    def descriptors(self) -> tuple[int, ...]:
        """Return the descriptors that workers need."""
        return (self.life, self.report, *(end for pair in self.wake for end in pair))


def resolve(target: str) -> Callable[..., object]:
    """Return the function that `package.module:function` names."""
    module, _, name = target.partition(":")
    function: Callable[..., object] = getattr(import_module(module), name)
    return function


def report(descriptor: int, **message: JsonValue) -> None:
    """Tell the controller something; one short write, so lines of many processes never mix."""
    try:
        os.write(descriptor, json.dumps(message).encode() + b"\n")
    except BrokenPipeError:  # it was killed; nobody wants to know
        return


def wake(pipe: list[int]) -> None:
    """Wake whoever sleeps on that pipe, now or at its next sleep."""
    try:
        os.write(pipe[1], b"!")
    except BlockingIOError:  # full: it will wake anyway
        return


class WorkerContext:
    """What the target gets: its cores, what is asked of it, and a place to sleep.

    The target is called as `target(context, **arguments)`. It returns soon after `draining()` has
    become true, and starts programs with `pass_fds=context.inherit_fds` so that the cores stay
    taken for as long as the program lives.
    """

    def __init__(self, slot: int, assignment: Assignment, parent: int) -> None:
        self.slot = slot
        self._assignment = assignment
        self._parent = parent
        self._claim = CoreClaim(
            Path(assignment.lock_folder), assignment.cores, assignment.cores_per_job
        )
        self._wake = assignment.wake[slot]
        self._reported: tuple[int, ...] = ()
        self._draining = False
        self._stopping = False
        self._on_stop: Callable[[], object] | None = None

    @property
    def cores(self) -> tuple[int, ...]:
        """The cores that are this worker's own until it next waits for work."""
        return self._claim.cores

    @property
    def inherit_fds(self) -> tuple[int, ...]:
        """The locks of these cores: `pass_fds` of every program that is started."""
        return self._claim.descriptors

    def draining(self) -> bool:
        """Tell whether nothing new is to be started: it was asked for, or the controller died."""
        if not self._draining:
            ready, _, _ = select.select([self._assignment.life], [], [], 0)
            self._draining = bool(ready) or self._stopping or os.getppid() != self._parent
        return self._draining

    def stopping(self) -> bool:
        """Tell whether SIGTERM came: what runs is to be ended too."""
        return self._stopping

    def on_stop(self, callback: Callable[[], object] | None) -> None:
        """Set what SIGTERM calls, once; at once if it came already. None: nothing.

        The callback runs between two steps of the main thread: it should only send a signal to
        the running program, take no locks and not raise.
        """
        self._on_stop = callback
        if self._stopping:
            self._call_on_stop()

    def announce(self) -> None:
        """Wake the other workers: there is new work."""
        for slot, pipe in enumerate(self._assignment.wake):
            if slot != self.slot:
                wake(pipe)

    def wait_for_work(self, timeout_s: float = LOOK_ROUND_S) -> bool:
        """Sleep until work is announced, but at most `timeout_s`; tell whether it was announced.

        The cores are given back meanwhile, so that another campaign can use them; they, or
        others, are taken again before this returns, however long that takes. Call it between
        jobs only. After a return with `draining()` true there may be no cores.
        """
        self._claim.release()
        announced = self._sleep(timeout_s)
        self.take_cores()
        return announced

    def take_cores(self) -> bool:
        """Wait for free cores and bind this process to them; tell whether it has them."""
        if not self._claim.take(give_up=self.draining):
            return False
        if self.cores != self._reported:
            if self._assignment.pinned:
                pin(self.cores)
            self._reported = self.cores
            report(self._assignment.report, serving=self.slot, cores=list(self.cores))
        return True

    def _sleep(self, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        while not self.draining():
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return False
            step_s = min(left_s, LOOK_ROUND_S)
            ready, _, _ = select.select([self._wake[0], self._assignment.life], [], [], step_s)
            if self._wake[0] in ready:
                self._drain_pipe()
                return not self._stopping
        return False

    def _drain_pipe(self) -> None:
        try:
            os.read(self._wake[0], 65536)
        except BlockingIOError:  # a worker that had this slot before took it
            return

    def obey_signals(self) -> None:
        """Stop on SIGTERM; leave SIGINT and SIGHUP, which a terminal sends to all, to the pool."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, _ignore)
        signal.signal(signal.SIGHUP, _ignore)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        if not self._stopping:
            self._stopping = True
            wake(self._wake)  # a sleep would go on after this handler
            self._call_on_stop()

    def _call_on_stop(self) -> None:
        callback, self._on_stop = self._on_stop, None
        if callback is not None:
            callback()


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Do nothing; see `HANDLED`."""


def work(slot: int, assignment: Assignment, parent: int) -> int:
    """Be a worker from its first signal to its exit code."""
    context = WorkerContext(slot, assignment, parent)
    context.obey_signals()
    target: Any = resolve(assignment.target)
    try:
        if context.take_cores():
            target(context, **assignment.arguments)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return STOPPED if context.stopping() else 0
