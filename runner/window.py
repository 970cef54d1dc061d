"""The window of a campaign: how many of its fireworks there are at a time, and who comes next.

FireWorks becomes slow, and the store large, where a hundred thousand fireworks wait that nobody
can run for weeks. So all members stand in the ledger, and fireworks are made for the best of
them; as those are worked off the next ones follow. A member either has fireworks for all its
stages that can have one, or is pending.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
    alive = {"spec.campaign": campaign, "state": {"$in": list(ALIVE)}}
    blocked = sum(
        store.candidates.count_documents(
            {
                "campaign": campaign,
                f"stages.{name}.state": StageState.BLOCKED.value,
                f"stages.{name}.fw_id": {"$ne": None},
                "member": True,
            }
        )
        for name in stages
    )
    return max(0, int(store.fireworks.count_documents(alive)) - int(blocked))


@dataclass
class Window:
    """Makes fireworks for pending members, best first, up to `size` at a time."""

    compiler: Compiler
    size: int
    by: str
    waiting: bool = False
    """There are pending members, as far as this process knows, which makes them."""

    def room(self) -> int:
        """Return how many fireworks may be added now."""
        stages = [stage.name for stage in self.compiler.loaded.calculations]
        live = live_fireworks(self.compiler.store, self.compiler.campaign, stages)
        return max(0, self.size - live)

    def top_up(self, *, anyway: bool = False) -> Counts:
        """Make fireworks where less than half of the window is taken, or `anyway`.

        What pending members need is compiled now, against what has become known meanwhile.
        """
        counts = Counts()
        if not self.waiting:
            return counts
        room = self.size if anyway else self.room()
        if not anyway and 2 * room <= self.size:
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

    def _next(self, most: int) -> list[CandidateRecord]:
        """Return the pending members that come first."""
        pending = {"campaign": self.compiler.campaign, "pending": True}
        found = self.compiler.store.candidates.find(pending).sort("priority", -1).limit(most)
        return [ledger.candidate_record(one) for one in found]
