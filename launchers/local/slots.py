"""What the controller knows of each slot and of each worker process."""

import signal
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

MOST_RESTARTS = 4  # within the window; more means that starting again does not help
WINDOW_S = 60.0
FIRST_WAIT_S = 0.1  # nearly at once: most deaths are single ones (out of memory)


@dataclass(slots=True)
class Restarts:
    """The recent restarts of one thing."""

    times_s: list[float] = field(default_factory=list)

    def next_wait_s(self, now_s: float) -> float | None:
        """Count a death and return how long to wait before the restart; None: give it up.

        The wait is four times longer with every death of the last `WINDOW_S`: 0.1, 0.4, 1.6, 6.4 s.
        """
        self.times_s = [time_s for time_s in self.times_s if now_s - time_s < WINDOW_S]
        if len(self.times_s) >= MOST_RESTARTS:
            return None
        self.times_s.append(now_s)
        return float(FIRST_WAIT_S * 4 ** (len(self.times_s) - 1))


@dataclass(slots=True)
class Slot:
    """What a slot without a worker is waiting for: a fork, or the time of its restart."""

    restarts: Restarts = field(default_factory=Restarts)
    starting: bool = False
    due_s: float | None = None
    abandoned: bool = False

    def coming(self) -> bool:
        """Tell whether a worker is on its way."""
        return self.starting or self.due_s is not None


@dataclass(slots=True)
class Worker:
    """A process that was started; an orphan's end is reported by nobody."""

    slot: int
    process: psutil.Process | None  # None: it had ended when we looked
    orphan: bool = False

    @classmethod
    def of(cls, slot: int, pid: int) -> "Worker":
        """Return the worker with that process id."""
        with suppress(psutil.NoSuchProcess):
            return cls(slot, psutil.Process(pid))
        return cls(slot, None)

    def send(self, number: signal.Signals) -> None:
        """Send a signal, never to a later process with the same id."""
        if self.process is not None:
            with suppress(psutil.NoSuchProcess):
                self.process.send_signal(number)

    def gone(self) -> bool:
        """Tell whether the process ended."""
        if self.process is None or not self.process.is_running():
            return True
        try:
            return bool(self.process.status() == psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return True


@dataclass(frozen=True, slots=True)
class WorkerDeath:
    """A worker that ended though nobody asked it to."""

    slot: int
    exit_code: int | None
    signal: int | None
    restarted: bool

    @classmethod
    def of(cls, slot: int, code: int, *, restarted: bool) -> "WorkerDeath":
        """Return the death for an exit code as `subprocess` has it: negative for a signal."""
        if code < 0:
            return cls(slot, None, -code, restarted)
        return cls(slot, code, None, restarted)

    def __str__(self) -> str:
        """Return a line for people."""
        how = f"exit code {self.exit_code}" if self.signal is None else f"signal {self.signal}"
        return f"worker {self.slot} died ({how}) and is {'' if self.restarted else 'not '}replaced"
