"""All members of a campaign held against what is there, and the analyses that all of them make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fireworks_ext import ledger
from fireworks_ext.store import Store
from runner.analysis_rows import Barrier, computed
from runner.analysis_stage import AnalysisStage
from runner.compile import Compiled, compile_member, with_rows
from runner.orders import NOT_KNOWN
from runner.stages import AnyStage
from schemas.failure import Failure
from schemas.ledger import CandidateRecord, ResultRecord, StageEntry, StageState
from schemas.work import StageOrder

Rows = dict[str, dict[str, StageEntry]]
"""Where the rows of analyses stand, by candidate and stage."""


@dataclass
class Compilation:
    """The members of a campaign, what they want, and what is known of that.

    `before` holds their stages as the last run left them; `known` are results by key, to which the
    rows of analyses are added.
    """

    stages: Sequence[AnyStage]
    members: Sequence[CandidateRecord]
    orders: Sequence[Mapping[str, StageOrder]]
    before: Mapping[str, Mapping[str, StageEntry]]
    known: dict[str, ResultRecord]
    fireworks: Mapping[int, str]
    rows: Rows = field(default_factory=dict)

    def compiled(self, store: Store) -> list[Compiled]:
        """Return what every member needs; rows of analyses that can be computed are stored first.

        Rows are results before anything refers to them, so a kill leaves nothing that is half true.
        """
        barriers = [stage for stage in self.stages if isinstance(stage, AnalysisStage)]
        waiting = StageEntry(key=NOT_KNOWN, state=StageState.WAITING)
        self.rows = {member.id: {one.name: waiting for one in barriers} for member in self.members}
        made = self._members()
        for stage in barriers:
            entries = {
                member.id: one.entries for member, one in zip(self.members, made, strict=True)
            }
            formulas = {member.id: member.formula for member in self.members}
            barrier = Barrier.of(stage, self.stages, entries, formulas)
            for candidate, row in self._settled(store, barrier).items():
                self.rows[candidate][stage.name] = row
            made = self._members()
        return made

    def _members(self) -> list[Compiled]:
        return [
            compile_member(
                with_rows(self.stages, orders, self.rows[member.id]),
                self.before.get(member.id, {}),
                columns=member.columns,
                known=self.known,
                fireworks=self.fireworks,
            )
            for member, orders in zip(self.members, self.orders, strict=True)
        ]

    def _settled(self, store: Store, barrier: Barrier) -> dict[str, StageEntry]:
        """Return where the rows of an analysis stand once they are computed, if they can be."""
        rows = barrier.rows()
        if not barrier.standing.is_closed or not barrier.keys:
            return rows
        failed = self._failed_before(barrier)
        if failed:
            return {**rows, **failed}
        there = ledger.find_results(store, barrier.keys.values(), self.members[0].campaign)
        if len(there) < len(barrier.keys):
            candidates = {member.id: member for member in self.members}
            of = barrier.stage.of
            orders = {
                member.id: one[of] for member, one in zip(self.members, self.orders, strict=True)
            }
            made = computed(barrier, candidates, orders, self.known)
            if isinstance(made, Failure):
                return {**rows, **_failures(barrier, made)}
            ledger.store_results(store, made)
            there = {record.key: record for record in made} | there
        self.known |= there
        campaign = self.members[0].campaign
        found = {one: _row(campaign, there[key]) for one, key in barrier.keys.items()}
        return {**rows, **found}

    def _failed_before(self, barrier: Barrier) -> dict[str, StageEntry]:
        """Return the failed rows of an earlier run of the same analysis: it is not repeated."""
        name = barrier.stage.name
        old = {one: self.before.get(one, {}).get(name) for one in barrier.keys}
        failed = {
            one: entry
            for one, entry in old.items()
            if entry and entry.state is StageState.FAILED and entry.key == barrier.keys[one]
        }
        return failed if len(failed) == len(old) else {}


def _row(campaign: str, record: ResultRecord) -> StageEntry:
    return StageEntry(
        key=record.key,
        state=StageState.OK,
        cached=record.campaign != campaign,
        deviation=record.deviation,
    )


def _failures(barrier: Barrier, failure: Failure) -> dict[str, StageEntry]:
    return {
        one: StageEntry(
            key=key,
            state=StageState.FAILED,
            failure=failure.name.value,
            reason=failure.message,
        )
        for one, key in barrier.keys.items()
    }


def barriers_due(
    store: Store, campaign: str, stages: Sequence[AnyStage]
) -> tuple[AnalysisStage, ...]:
    """Return the analyses whose rows in the ledger are not what they should be by now."""
    barriers = [stage for stage in stages if isinstance(stage, AnalysisStage)]
    if not barriers:
        return ()
    wanted = {"id": 1, "formula": 1, "stages": 1, "_id": 0}
    found = list(store.candidates.find({"campaign": campaign, "member": True}, wanted))
    entries = {
        one["id"]: {name: StageEntry.model_validate(entry) for name, entry in one["stages"].items()}
        for one in found
    }
    formulas = {one["id"]: one["formula"] for one in found}
    return tuple(
        stage for stage in barriers if Barrier.of(stage, stages, entries, formulas).is_due()
    )
