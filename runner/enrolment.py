"""From survivors of the filters to members of a campaign, with exactly the work that is missing.

Survivors and members are gone over some at a time, as often as it takes, and never held: memory
does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, islice
from math import inf
from typing import Any, TypeVar

from pymongo import ReturnDocument

from fireworks_ext import ledger, removal
from fireworks_ext.store import Store
from runner.barrier_rows import MEMBERS, Members, member_pages, settled_barriers
from runner.compilation import Compiler
from runner.compile import UNSTARTED, member
from runner.load import LoadedCampaign
from runner.orders import Machine, orders, resolved
from runner.reference_members import reference_members, stages_of
from runner.roster import Roster
from runner.screening import Survivor
from runner.submit import Counts, submit
from runner.window import Window
from schemas.errors import UserError
from schemas.ledger import CandidateRecord, StageEntry
from schemas.work import StageOrder

MOST_SHOWN = 10
"""Candidates named when many cannot be computed for the same kind of reason."""
Item = TypeVar("Item")


@dataclass
class Enrolment:
    """Makes survivors the members of a campaign and submits what nobody has computed yet."""

    store: Store
    loaded: LoadedCampaign
    machine: Machine
    window: int
    """Fireworks of the campaign that there are at a time."""
    by: str

    @cached_property
    def compiler(self) -> Compiler:
        """What holds members against the store."""
        return Compiler(self.store, self.loaded, self.machine)

    @cached_property
    def queue(self) -> Window:
        """The members that wait for room."""
        return Window(self.compiler, self.window, self.by)

    def enrol(self, roster: Roster) -> Counts:
        """Make the survivors the members of the campaign.

        With them go the references that analyses need. Analyses whose results have all ended are
        computed on the way. Members of earlier runs that are no survivors any more stay in the
        ledger, marked; what they had not started is taken away.

        Raises
        ------
        UserError
            When stages cannot be done for some candidates; nothing is submitted then.
        """
        references = reference_members(self.loaded, roster)
        check_all(self.loaded, chain(roster, references), self.machine)
        seen = self._number()
        campaign = self.loaded.campaign.campaign

        def members() -> Iterator[Sequence[CandidateRecord]]:
            last = enumerate(references, len(roster))
            records = (
                record_of(campaign, survivor, rank=rank, seen=seen)
                for rank, survivor in chain(roster.ranked(), last)
            )
            yield from parts(records, MEMBERS)

        counts = self._submit(members, len(roster) + len(references))
        gone = {"campaign": campaign, "seen": {"$lt": seen}, "member": True}
        self.store.candidates.update_many(gone, {"$set": {"member": False, "pending": False}})
        counts.retired += self._retire_unwanted()
        counts.add(self.queue.top_up())
        return counts

    def proceed(self) -> Counts:
        """Compute the analyses whose results have all ended, and submit what they let through."""
        campaign = self.loaded.campaign.campaign

        def members() -> Iterator[Sequence[CandidateRecord]]:
            for page in member_pages(self.store, campaign):
                yield [ledger.candidate_record(one) for one in page]

        number = self.store.candidates.count_documents({"campaign": campaign, "member": True})
        counts = self._submit(members, int(number))
        counts.add(self.queue.top_up())
        return counts

    def _submit(self, members: Members, number: int) -> Counts:
        """Write members down, with their fireworks where there is room for those of all.

        Where there is not, they wait in the ledger: the window takes the best of them.
        """
        barriers = settled_barriers(self.compiler, members)
        most = number * len(self.loaded.calculations)
        room = inf if most <= self.queue.room() else 0
        counts = Counts()
        for some in members():
            done = submit(
                self.store,
                self.compiler.compile(some, barriers).submissions(),
                project=self.loaded.campaign.project or "",
                by=self.by,
                room=room,
            )
            counts.add(done)
        self.queue.waiting = counts.pending > 0
        return counts

    def _number(self) -> int:
        """Return the number of this enrolment, larger than that of any before."""
        document = self.store.campaigns.find_one_and_update(
            {"_id": self.loaded.campaign.campaign},
            {"$inc": {"enrolments": 1}},
            return_document=ReturnDocument.AFTER,
        )
        return int(document["enrolments"])

    def _retire_unwanted(self) -> int:
        """Take away unstarted fireworks that no stage of a member names; return how many.

        Left by members that are gone, and by workers that were stopped after an edit and put back
        what they had.
        """
        campaign = self.loaded.campaign.campaign
        unstarted = self.store.fireworks.find(
            {"spec.campaign": campaign, "state": {"$in": sorted(UNSTARTED)}},
            {"fw_id": 1, "spec.order.candidate": 1},
        )
        owners = [(one["fw_id"], one["spec"]["order"]["candidate"]) for one in unstarted]
        unwanted: list[int] = []
        for some in parts(owners, MEMBERS):
            names = sorted({ledger.candidate_key(campaign, owner) for _, owner in some})
            found = self.store.candidates.find(
                {"_id": {"$in": names}, "member": True}, {"stages": 1}
            )
            named = {entry["fw_id"] for one in found for entry in one["stages"].values()}
            unwanted += [fw_id for fw_id, _ in some if fw_id not in named]
        return len(removal.retire(self.store, unwanted, by=self.by))


def parts(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield items in lists of a size, the last one shorter."""
    left = iter(items)
    while part := list(islice(left, size)):
        yield part


def check_all(loaded: LoadedCampaign, survivors: Iterable[Survivor], machine: Machine) -> None:
    """Raise one UserError for all survivors that cannot be computed."""
    total = 0
    refused = _Refused()
    for survivor in survivors:
        total += 1
        candidate = survivor.candidate
        stages = stages_of(loaded.stages, candidate.generator)
        try:
            for _ in resolved(candidate.structure, stages, machine):
                pass
        except UserError as error:
            refused.add(error)
    refused.check(total)


@dataclass
class _Refused:
    """Why candidates cannot be computed."""

    number: int = 0
    shown: list[str] = field(default_factory=list)

    def add(self, error: UserError) -> None:
        self.number += 1
        if len(self.shown) < MOST_SHOWN:
            self.shown.append(str(error))

    def check(self, total: int) -> None:
        """Raise UserError where there are any."""
        if not self.number:
            return
        more = self.number - len(self.shown)
        lines = [*self.shown, *([f"... and {more} more"] if more > 0 else [])]
        raise UserError(
            f"{self.number} of {total} candidates cannot be computed:\n  " + "\n  ".join(lines)
        )


def all_orders(
    loaded: LoadedCampaign,
    survivors: Sequence[Survivor],
    machine: Machine,
    before: Mapping[str, Mapping[str, StageEntry]] | None = None,
) -> list[dict[str, StageOrder]]:
    """Return the orders of every survivor. Raises one UserError for all that cannot be done."""
    made: list[dict[str, StageOrder]] = []
    refused = _Refused()
    for survivor in survivors:
        candidate = survivor.candidate
        try:
            made.append(
                orders(
                    loaded.campaign.campaign,
                    survivor.candidate_id,
                    candidate.structure,
                    stages_of(loaded.stages, candidate.generator),
                    machine,
                    (before or {}).get(survivor.candidate_id),
                )
            )
        except UserError as error:
            refused.add(error)
    refused.check(len(survivors))
    return made


def record_of(
    campaign: str, survivor: Survivor, *, rank: int = 0, seen: int = 0
) -> CandidateRecord:
    """Return the ledger's record of a survivor, without stages; `rank` 0 is the best."""
    columns: dict[str, Any] = {**survivor.candidate.row(), **survivor.scores}
    return member(
        campaign,
        survivor.row,
        survivor.candidate,
        columns,
        control=survivor.control,
        priority=-rank,
        seen=seen,
    )
