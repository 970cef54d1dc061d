"""How long stages take in a worker, and so how many of them it takes at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from schemas.handover import Taken

LOT_S = 1.0
"""A lot is as many stages as take about so long."""
MOST_IN_LOT = 32
WEIGHT = 0.2
"""Of the last stage in the mean of how long stages take."""


@dataclass
class Pace:
    """What was learnt of all stages, and of each by its name."""

    _mean_s: float = LOT_S
    _of_stages_s: dict[str, float] = field(default_factory=dict)

    def took(self, stage: str, seconds: float) -> None:
        """Learn from a stage; one that is long counts at once, as others may be too."""
        self._mean_s = _learnt(self._mean_s, seconds)
        self._of_stages_s[stage] = _learnt(self._of_stages_s.get(stage, seconds), seconds)

    def lot(self) -> int:
        """Return how many to take."""
        return max(1, min(MOST_IN_LOT, int(LOT_S / max(self._mean_s, 1e-6))))

    def is_quick(self, stage: str) -> bool:
        """Tell whether a stage is known to be over in a moment."""
        return self._of_stages_s.get(stage, LOT_S) < LOT_S

    def split(self, lot: Sequence[Taken]) -> tuple[list[Taken], list[Taken]]:
        """Return what to work off, and what others had better take.

        Quick ones and, last, a single one that may be long: more would wait for it.
        """
        quick = [one for one in lot if self.is_quick(one.order.stage)]
        long = [one for one in lot if not self.is_quick(one.order.stage)]
        return [*quick, *long[:1]], long[1:]


def _learnt(mean_s: float, seconds: float) -> float:
    mean_s = (1.0 - WEIGHT) * mean_s + WEIGHT * seconds
    return max(mean_s, seconds if seconds > LOT_S else 0.0)
