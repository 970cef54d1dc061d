"""The window of a campaign: how many of its fireworks there are at a time, and who comes next.

FireWorks becomes slow, and the store large, where a hundred thousand fireworks wait that nobody
can run for weeks. So all members stand in the ledger, and fireworks are made for the best of
them; as those are worked off the next ones follow. A member either has fireworks for all its
stages that can have one, or is pending.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fireworks_ext import ledger
from fireworks_ext.store import Store
from runner.compilation import Compiler
from runner.submit import CHUNK, Counts, submit
from schemas.ledger import CandidateRecord, StageState

ALIVE = ("READY", "RESERVED", "RUNNING", "WAITING")


def live_fireworks(store: Store, campaign: str, stages: Sequence[str]) -> int:
    """Return how many fireworks of a campaign run or will run by themselves.

    Those that wait below a stage that failed or is held do not count: if they did, enough failures
    would leave no room for anything else.
    """
    blocked = _Blocked(store, campaign, stages)
    return max(0, _alive(store, campaign) - blocked.with_firework())


def _alive(store: Store, campaign: str) -> int:
    alive = {"spec.campaign": campaign, "state": {"$in": list(ALIVE)}}
    return int(store.fireworks.count_documents(alive))


@dataclass
class _Blocked:
    """Members that are blocked at some stages, by stage.

    How many there are an index says; which of them have a firework only their documents do, and
    those are read again only when there are other ones.
    """

    store: Store
    campaign: str
    stages: Sequence[str]
    _with_firework: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By stage: of how many, how many."""

    def with_firework(self) -> int:
        """Return how many of them have a firework."""
        return sum(self._at(stage, all_of_them) for stage, all_of_them in self._counts().items())

    def at_most(self) -> int:
        """Return how many there are."""
        return sum(self._counts().values())

    def _counts(self) -> dict[str, int]:
        return {stage: self._count(stage, {}) for stage in self.stages}

    def _at(self, stage: str, all_of_them: int) -> int:
        if self._with_firework.get(stage, (0, 0))[0] != all_of_them:
            found = self._count(stage, {f"stages.{stage}.fw_id": {"$ne": None}})
            self._with_firework[stage] = (all_of_them, found)
        return self._with_firework.get(stage, (0, 0))[1]

    def _count(self, stage: str, wanted: Mapping[str, Any]) -> int:
        mine = {"campaign": self.campaign, "member": True}
        blocked = {f"stages.{stage}.state": StageState.BLOCKED.value}
        return int(self.store.candidates.count_documents({**mine, **blocked, **wanted}))


@dataclass
class Window:
    """Makes fireworks for pending members, best first, up to `size` at a time."""

    compiler: Compiler
    size: int
    by: str
    waiting: bool = False
    """There are pending members, as far as this process knows, which makes them."""

    def __post_init__(self) -> None:
        stages = [stage.name for stage in self.compiler.loaded.calculations]
        self._blocked = _Blocked(self.compiler.store, self.compiler.campaign, stages)

    def room(self) -> int:
        """Return how many fireworks may be added now; where those are too few, an upper bound."""
        alive = _alive(self.compiler.store, self.compiler.campaign)
        at_most = max(0, self.size - alive + self._blocked.at_most())
        if self._is_too_little(at_most):
            return at_most
        return min(self.size, max(0, self.size - alive + self._blocked.with_firework()))

    def _is_too_little(self, room: int) -> bool:
        """Tell whether at least half of the window is taken."""
        return 2 * room <= self.size

    def top_up(self, *, anyway: bool = False) -> Counts:
        """Make fireworks where less than half of the window is taken, or `anyway`.

        What pending members need is compiled now, against what has become known meanwhile.
        """
        counts = Counts()
        if not self.waiting or self._is_paused():
            return counts
        room = self.size if anyway else self.room()
        if not anyway and self._is_too_little(room):
            return counts
        while counts.fireworks < room:
            members = self._next(min(CHUNK, room - counts.fireworks))
            if not members:
                self.waiting = False
                break
            done = submit(
                self.compiler.store,
                self.compiler.compile(members).submissions(),
                project=self.compiler.loaded.campaign.project or "",
                by=self.by,
                room=room - counts.fireworks,
            )
            counts.add(done)
            counts.admitted += len(members) - done.pending
        return counts

    def _is_paused(self) -> bool:
        """Tell whether a person has paused the campaign."""
        paused = {"_id": self.compiler.campaign, "paused": {"$ne": None}}
        return self.compiler.store.campaigns.find_one(paused, {"_id": 1}) is not None

    def _next(self, most: int) -> list[CandidateRecord]:
        """Return the pending members that come first."""
        pending = {"campaign": self.compiler.campaign, "pending": True}
        found = self.compiler.store.candidates.find(pending).sort("priority", -1).limit(most)
        return [ledger.candidate_record(one) for one in found]
