"""What a pilot has done, as it reports it."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from fireworks_ext.folders.exchange import Report
from fireworks_ext.processes import host_name
from runner.pilot import hand
from runner.pilot.crew import Gone, Member
from schemas.queue import Allocation

MOST_NAMES = 20
"""In one report."""


@dataclass
class Tally:
    """What was done so far."""

    busy_core_s: float = 0.0
    program_cpu_s: float = 0.0
    stages: int = 0
    died: int = 0
    _began: float = field(default_factory=time.monotonic)

    def add(self, one: Gone) -> None:
        """Add a child that has ended."""
        self.busy_core_s += one.member.offer.cores * one.member.seconds
        self.program_cpu_s += one.program_cpu_s
        self.stages += one.code == hand.DONE and one.not_started is None

    def report(
        self,
        allocation: Allocation,
        members: Collection[Member],
        left: str | None,
        too_large: Sequence[str] = (),
    ) -> Report:
        """Return what is to be said now, while some still run."""
        held_core_s = sum(one.offer.cores * one.seconds for one in members)
        return Report(
            job=allocation.job,
            restarts=allocation.restarts,
            host=host_name(),
            at=time.time(),
            cores=allocation.cores,
            seconds=round(time.monotonic() - self._began, 3),
            busy_core_s=round(self.busy_core_s + held_core_s, 3),
            program_cpu_s=round(self.program_cpu_s, 3),
            stages=self.stages,
            running=len(members),
            died=self.died,
            too_large=tuple(sorted(too_large)[:MOST_NAMES]),
            left=left,
        )
