"""The members of a campaign counted by index: no count reads a member's document.

A stage has an index of its own (`fireworks_ext.database.indexes.stage_keys`). Members that hold
a barrier are read, for they are named; no others are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fireworks_ext.store import Store
from schemas.candidate import REFERENCES
from schemas.ledger import StageState
from schemas.reports import BarrierStatus, StageCounts

UNSETTLED = tuple(state.value for state in StageState if not state.settled)
FORWARD = (*UNSETTLED, *(state.value for state in StageState if state.settled))
"""A stage moves from left to right, so one that moves while it is counted is not overlooked."""
NOTHING: Mapping[str, Any] = {}
STUCK = (StageState.HELD.value, StageState.BLOCKED.value)


@dataclass(frozen=True)
class Members:
    """The members of a campaign, those that an edit removed left out."""

    store: Store
    campaign: str

    def count(self, wanted: Mapping[str, Any] = NOTHING) -> int:
        """Return how many members have these values."""
        return int(self.store.candidates.count_documents({**self._mine(), **wanted}))

    def _mine(self) -> dict[str, Any]:
        return {"campaign": self.campaign, "member": True}

    def references(self) -> int:
        """Return how many of them are reference structures."""
        return self.count({"generator": REFERENCES})

    def pending(self) -> int:
        """Return how many wait for room: one that is no member any more does not."""
        mine = {"campaign": self.campaign, "pending": True}
        return int(self.store.candidates.count_documents(mine))

    def stage(self, name: str) -> StageCounts:
        """Return where the members stand at a stage.

        When nothing is on its way, that is so at one moment: a controller stops on it.
        """
        where = f"stages.{name}.state"
        while True:
            counts = {state: self.count({where: state}) for state in FORWARD}
            moving = any(counts[state] for state in UNSETTLED)
            if moving or not self.count({where: {"$in": list(UNSETTLED)}}):
                break
        cached = {where: StageState.OK.value, f"stages.{name}.cached": True}
        return StageCounts(
            stage=name, **counts, cached=self.count(cached) if counts[StageState.OK.value] else 0
        )

    def failures(self, counts: Iterable[StageCounts]) -> dict[str, int]:
        """Return how many stages failed by the name of the failure, the most frequent first."""
        found: Counter[str] = Counter()
        for one in counts:
            if not one.failed:
                continue
            failed = {**self._mine(), f"stages.{one.stage}.state": StageState.FAILED.value}
            group = {"_id": f"$stages.{one.stage}.failure", "count": {"$sum": 1}}
            pipeline = [{"$match": failed}, {"$group": group}]
            for row in self.store.candidates.aggregate(pipeline):
                if row["_id"]:
                    found[row["_id"]] += row["count"]
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    def barriers(
        self, barriers: Mapping[str, Any], counts: Mapping[str, StageCounts]
    ) -> Iterator[BarrierStatus]:
        """Yield the analyses that wait for members, still on their way or held."""
        for stage, words in barriers.items():
            of = words["of"]
            moving = self.count() - counts[of].settled
            held_by = tuple(self._held(of, words["above"], counts))
            if moving > 0 or held_by:
                yield BarrierStatus(stage=stage, of=of, waits_for=max(moving, 0), held_by=held_by)

    def _held(self, of: str, above: Iterable[str], counts: Mapping[str, StageCounts]) -> list[str]:
        """Return the formulas of those that a person has to send on, in their order."""
        found: dict[str, tuple[int, str]] = {}
        for name in above:
            if name not in counts or not counts[name].held:
                continue
            held = {**self._mine(), f"stages.{name}.state": StageState.HELD.value}
            wanted = {"row": 1, "formula": 1, f"stages.{of}.state": 1}
            for one in self.store.candidates.find(held, wanted):
                if one["stages"].get(of, {}).get("state") in STUCK:
                    found[one["_id"]] = (one["row"], one["formula"])
        return [formula for _, formula in sorted(found.values())]
