"""What Ctrl-C, SIGTERM and a lost terminal do to a pool."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Literal, Protocol

Interrupted = Literal["none", "drained", "stopped"]


class Drainable(Protocol):
    """What can be asked to finish, and to stop; both return at once."""

    def drain(self) -> None:
        """Finish what runs, take nothing new."""

    def stop(self) -> None:
        """End what runs."""


class Interrupts:
    """Passes signals on to the pool, and remembers in `interrupted` the most that it asked for."""

    def __init__(self, pool: Drainable) -> None:
        self.interrupted: Interrupted = "none"
        self._pool = pool

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """Drain; stop when it was draining already."""
        if self.interrupted == "none":
            self.drain(number, frame)
        else:
            self.stop(number, frame)

    def drain(self, _number: int, _frame: FrameType | None) -> None:
        """Drain, unless more was asked for before."""
        if self.interrupted == "none":
            self.interrupted = "drained"
            self._pool.drain()

    def stop(self, _number: int, _frame: FrameType | None) -> None:
        """Stop."""
        self.interrupted = "stopped"
        self._pool.stop()


@contextmanager
def signals(pool: Drainable) -> Iterator[Interrupts]:
    """While open: the first SIGINT drains the pool, the second stops it; SIGTERM stops it.

    SIGHUP drains: after a logout the calculations that run are finished and stored, and running
    the campaign again continues it. Main thread only.
    """
    interrupts = Interrupts(pool)
    handlers = {
        signal.SIGINT: interrupts.interrupt,
        signal.SIGTERM: interrupts.stop,
        signal.SIGHUP: interrupts.drain,
    }
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
