"""The controller's side of the pool: starts workers, replaces those that die, drains and stops."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from launchers.local.params import LocalParams, usable_cores
from launchers.local.slots import Restarts, Slot, Worker, WorkerDeath
from launchers.local.worker import HANDLED, STOPPED, Assignment, wake
from schemas.errors import UserError
from schemas.model import JsonValue

STEP_S = 0.1  # how often `join` looks at the clock

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""Ranks use the cores. Set before the target is imported: numpy reads it at import."""


class PoolFailed(UserError):
    """No worker can be kept running; the message says why."""


class Pool:
    """Long-lived worker processes, one per slot, each on cores of its own.

    Parameters
    ----------
    params
        Number of slots, cores of each, time between SIGTERM and SIGKILL when it is stopped.
    target
        `package.module:function`, called in each worker as `function(context, **arguments)` with
        a `WorkerContext`. A return before draining means: this worker is not needed any more.
    arguments
        Plain JSON; it does not show in the process list.
    lock_folder
        Folder on a local disk, the same for all pools of this machine.
    log
        File that the workers' output is appended to. Default: standard error.

    `start` returns at once; the workers serve as soon as the target is imported and cores are
    free. `poll` has to be called now and then. No method blocks except `join` and leaving the
    `with` block, so `drain` and `stop` may be called in signal handlers.
    """

    def __init__(
        self,
        params: LocalParams,
        target: str,
        arguments: dict[str, JsonValue],
        *,
        lock_folder: Path,
        log: Path | None = None,
    ) -> None:
        cores = usable_cores()
        self.slots = params.seats(len(cores.numbers))
        self._log = log
        self._grace_s = params.grace_s
        self._states = {slot: Slot() for slot in range(self.slots)}
        self._workers: dict[int, Worker] = {}
        self._cores: dict[int, tuple[int, ...]] = {}
        self._deaths: list[WorkerDeath] = []
        self._nursery: subprocess.Popen[bytes] | None = None
        self._nursery_restarts = Restarts()
        self._failure: str | None = None
        self._kill_at_s: float | None = None
        self._rest = b""
        life, self._life = os.pipe()
        self._reports, reports = os.pipe()
        os.set_blocking(self._reports, False)
        pipes = [list(os.pipe()) for _ in range(self.slots)]
        for descriptor in (end for pipe in pipes for end in pipe):
            os.set_blocking(descriptor, False)
        self._assignment = Assignment(
            target=target,
            arguments=arguments,
            cores=list(cores.numbers),
            cores_per_job=params.cores_per_job,
            pinned=cores.pinned,
            lock_folder=str(lock_folder.absolute()),
            life=life,
            report=reports,
            wake=pipes,
            path=list(sys.path),
        )

    def start(self) -> None:
        """Start a worker for every slot; returns before they serve."""
        self._start_nursery()

    def alive(self) -> int:
        """Return how many workers there are, those on their way included."""
        self._tend()
        return len(self._workers) + sum(state.coming() for state in self._states.values())

    def cores(self) -> dict[int, tuple[int, ...]]:
        """Return slot -> cores last held; a slot that still waits for cores is missing."""
        self._tend()
        return dict(self._cores)

    def pids(self) -> dict[int, int]:
        """Return process id -> slot of the workers that run."""
        self._tend()
        return {pid: worker.slot for pid, worker in self._workers.items()}

    def poll(self) -> list[WorkerDeath]:
        """Replace workers that died, and return those that died since the last call.

        Raises
        ------
        PoolFailed
            When the target cannot be imported, or workers die as fast as they are replaced.
        """
        self._tend()
        deaths, self._deaths = self._deaths, []
        if deaths and not deaths[-1].restarted and not self._leaving and not self.alive():
            self._failure = f"the workers keep dying; the last: {deaths[-1]}{self._where()}"
        if self._failure is not None:
            raise PoolFailed(self._failure)
        return deaths

    def announce(self) -> None:
        """Wake the workers that sleep: there is new work."""
        for pipe in self._assignment.wake:
            wake(pipe)

    def drain(self) -> None:
        """Let the workers finish what they do, take nothing new, and leave."""
        life, self._life = self._life, -1
        if life >= 0:
            os.close(life)

    def dismiss(self) -> None:
        """Let the workers leave, as `drain`: there is nothing left to do."""
        self.drain()

    def wait(self, seconds: float) -> None:
        """Return after so long: workers need nobody."""
        time.sleep(seconds)

    def stop(self) -> None:
        """Send SIGTERM to the workers now, and SIGKILL after the grace to those that remain."""
        if self._kill_at_s is None:
            self._kill_at_s = time.monotonic() + self._grace_s
            self.drain()
            for worker in list(self._workers.values()):
                worker.send(signal.SIGTERM)

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait until no worker is left; tell whether that came true in time."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while self.alive():
            if deadline is not None and time.monotonic() >= deadline:
                return False
            select.select([self._reports], [], [], STEP_S)
        return True

    def close(self) -> None:
        """Stop what is left, wait for it, and give everything back."""
        if self._reports < 0:
            return
        if self.alive():
            self.stop()
            self.join(self._grace_s + 5.0)
        self.drain()
        if self._nursery is not None and self._nursery.stdin is not None:
            self._nursery.stdin.close()
            try:
                self._nursery.wait(5.0)
            except subprocess.TimeoutExpired:
                self._nursery.kill()
                self._nursery.wait()
        for descriptor in (self._reports, *self._assignment.descriptors()):
            os.close(descriptor)
        self._reports = -1

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def _leaving(self) -> bool:
        return self._life < 0

    def _where(self) -> str:
        return f"; their output is in {self._log}" if self._log else ""

    def _start_nursery(self) -> None:
        log = self._log.open("ab") if self._log else None
        # Blocked signals are inherited, so a Ctrl-C cannot hit the nursery before it is ready.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
        try:
            self._nursery = subprocess.Popen(
                [sys.executable, "-P", "-m", "launchers.local.nursery"],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=log or sys.__stderr__,  # standard output belongs to the controller
                stderr=log,
                pass_fds=self._assignment.descriptors(),
                env=os.environ | ONE_THREAD,
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            if log is not None:
                log.close()
        self._tell(self._assignment.to_json())
        for slot, state in self._states.items():
            if not state.abandoned:
                self._request(slot)

    def _tell(self, line: str) -> None:
        if self._nursery is not None and self._nursery.stdin is not None:
            with suppress(BrokenPipeError):  # it died; `_tend` sees that
                self._nursery.stdin.write(line.encode() + b"\n")

    def _request(self, slot: int) -> None:
        state = self._states[slot]
        state.starting, state.due_s = True, None
        self._tell(str(slot))

    def _tend(self) -> None:
        """Take in what was reported and do what is due."""
        if self._reports < 0:
            return
        nursery_ended = self._nursery is not None and self._nursery.poll() is not None
        self._read_reports()
        if nursery_ended:
            self._nursery_died()
        for pid, worker in list(self._workers.items()):
            if worker.orphan and worker.gone():
                del self._workers[pid]
        now_s = time.monotonic()
        for slot, state in self._states.items():
            if self._leaving:
                state.due_s = None
            elif state.due_s is not None and now_s >= state.due_s:
                self._request(slot)
        if self._kill_at_s is not None and now_s >= self._kill_at_s:
            for worker in list(self._workers.values()):
                worker.send(signal.SIGKILL)

    def _read_reports(self) -> None:
        with suppress(BlockingIOError):
            while True:
                *lines, self._rest = (self._rest + os.read(self._reports, 65536)).split(b"\n")
                for line in lines:
                    self._take_in(json.loads(line))

    def _take_in(self, message: dict[str, Any]) -> None:
        match message:
            case {"started": slot, "pid": pid}:
                self._workers[pid] = Worker.of(slot, pid)
                self._states[slot].starting = False
                if self._kill_at_s is not None:
                    self._workers[pid].send(signal.SIGTERM)
            case {"serving": slot, "cores": cores}:
                self._cores[slot] = tuple(cores)
            case {"ended": slot, "pid": pid, "code": code}:
                del self._workers[pid]
                self._cores.pop(slot, None)
                self._ended(slot, code)
            case {"failed": reason}:
                self._failure = f"the workers cannot start: {reason}{self._where()}"
                self._expect_none()

    def _ended(self, slot: int, code: int) -> None:
        if code == 0 or (self._leaving and code == STOPPED) or self._kill_at_s is not None:
            return
        state = self._states[slot]
        wait_s = None if self._leaving else state.restarts.next_wait_s(time.monotonic())
        if wait_s is None:
            state.abandoned = not self._leaving
        else:
            state.due_s = time.monotonic() + wait_s
        self._deaths.append(WorkerDeath.of(slot, code, restarted=wait_s is not None))

    def _nursery_died(self) -> None:
        """Go on with a new nursery; the workers of the old one notice, finish and leave."""
        if self._nursery is not None and self._nursery.stdin is not None:
            self._nursery.stdin.close()
        self._nursery = None
        for worker in self._workers.values():
            worker.orphan = True
        self._expect_none()
        if self._leaving or self._failure is not None:
            return
        if self._nursery_restarts.next_wait_s(time.monotonic()) is None:
            self._failure = f"the process that starts the workers keeps dying{self._where()}"
        else:
            self._start_nursery()

    def _expect_none(self) -> None:
        for state in self._states.values():
            state.starting, state.due_s = False, None
