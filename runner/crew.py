"""Whoever computes for a controller: workers of this machine, jobs in a queue, or others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self

from launchers.local.slots import WorkerDeath


class Crew(Protocol):
    """What a controller asks of those who compute.

    No call takes long but `dismiss`, `join` and leaving the `with` block, so `drain` and `stop` may
    be called in signal handlers.
    """

    def alive(self) -> int:
        """Return how many there are, those on their way included."""

    def poll(self) -> Sequence[WorkerDeath]:
        """Do what is due, and return those that died since the last call."""

    def cores(self) -> Mapping[int, tuple[int, ...]]:
        """Return the cores of this machine that are held; nothing where all are waited for."""

    def wait(self, seconds: float) -> None:
        """Return after so long."""

    def drain(self) -> None:
        """Finish what runs, take nothing new."""

    def stop(self) -> None:
        """End what runs."""

    def dismiss(self) -> None:
        """Leave: there is nothing left to do."""

    def join(self) -> bool:
        """Wait until they have left."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...
