"""Some members of a campaign held against what is there of them, to be submitted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from fireworks_ext import ledger
from fireworks_ext.store import Store
from runner.analysis_rows import Barrier
from runner.compile import Compiled, all_keys, compile_member, with_rows
from runner.load import LoadedCampaign
from runner.orders import NOT_KNOWN, Machine, orders
from runner.reference_members import stages_of
from runner.snapshot import Snapshot, snapshot
from runner.stages import AnyStage
from runner.submit import Submission
from schemas.candidate import REFERENCES
from schemas.ledger import CandidateRecord, ResultRecord, StageEntry, StageState
from schemas.work import StageOrder

Rows = dict[str, dict[str, StageEntry]]
"""Where the rows of analyses stand, by candidate and stage."""


@dataclass
class Compiler:
    """Compiles members of a campaign against its store, on its machine."""

    store: Store
    loaded: LoadedCampaign
    machine: Machine
    _reference_stages: tuple[AnyStage, ...] | None = None

    @property
    def campaign(self) -> str:
        """The campaign's name."""
        return self.loaded.campaign.campaign

    def compile(
        self, members: Sequence[CandidateRecord], barriers: Sequence[Barrier] | None = None
    ) -> Compilation:
        """Return some members held against what is there.

        Parameters
        ----------
        barriers
            Analyses that have seen all candidates, in the order of stages; rows of others wait.
            None: rows stand where the ledger says.
        """
        there = snapshot(self.store, self.campaign, [member.id for member in members])
        wanted = [self._orders(member, there) for member in members]
        known = ledger.find_results(self.store, all_keys(wanted), self.campaign)
        compilation = Compilation(self, members, wanted, there, known)
        if barriers is None:
            compilation.take_rows_from_ledger()
        else:
            compilation.settle_rows(barriers)
        return compilation

    def _orders(self, member: CandidateRecord, there: Snapshot) -> dict[str, StageOrder]:
        return orders(
            self.campaign,
            member.id,
            member.structure,
            self.stages_of(member.generator),
            self.machine,
            there.before.get(member.id),
        )

    def stages_of(self, generator: str) -> Sequence[AnyStage]:
        """Return the stages that a member goes through, by the generator that it comes from."""
        if generator != REFERENCES:
            return self.loaded.stages
        if self._reference_stages is None:
            self._reference_stages = stages_of(self.loaded.stages, generator)
        return self._reference_stages


@dataclass
class Compilation:
    """Some members, what they want, and what is known of that: `known` are results by key."""

    compiler: Compiler
    members: Sequence[CandidateRecord]
    orders: Sequence[Mapping[str, StageOrder]]
    there: Snapshot
    known: dict[str, ResultRecord]
    rows: Rows = field(default_factory=dict)
    made: list[Compiled] = field(default_factory=list)

    def submissions(self) -> list[Submission]:
        """Return what is to be written."""
        return [
            Submission(
                record, made, self.there.before.get(record.id), self.there.documents.get(record.id)
            )
            for record, made in zip(self.members, self.made, strict=True)
        ]

    def take_rows_from_ledger(self) -> None:
        """Compile with the rows as the ledger has them."""
        waiting = StageEntry(key=NOT_KNOWN, state=StageState.WAITING)
        names = [stage.name for stage in self.compiler.loaded.barriers]
        for member in self.members:
            before = self.there.before.get(member.id, {})
            self.rows[member.id] = {name: before.get(name, waiting) for name in names}
        self._learn(row.key for rows in self.rows.values() for row in rows.values())
        self._compile()

    def settle_rows(self, barriers: Sequence[Barrier]) -> None:
        """Compile with the rows of some analyses, one after the other."""
        waiting = StageEntry(key=NOT_KNOWN, state=StageState.WAITING)
        names = [stage.name for stage in self.compiler.loaded.barriers]
        self.rows = {member.id: dict.fromkeys(names, waiting) for member in self.members}
        self._compile()
        for barrier in barriers:
            rows = {
                member.id: barrier.row(made.entries)
                for member, made in zip(self.members, self.made, strict=True)
            }
            self._learn(row.key for row in rows.values() if row.state is StageState.OK)
            for candidate, row in rows.items():
                self.rows[candidate][barrier.stage.name] = self._known_row(row)
            self._compile()

    def entries(self) -> Iterator[tuple[CandidateRecord, dict[str, StageEntry]]]:
        """Yield members with their stages as compiled, but rows as the last run left them."""
        for member, made in zip(self.members, self.made, strict=True):
            before = self.there.before.get(member.id, {})
            old = {name: before[name] for name in self.rows[member.id] if name in before}
            yield member, {**made.entries, **old}

    def _learn(self, keys: Iterable[str]) -> None:
        unknown = {key for key in keys if key != NOT_KNOWN and key not in self.known}
        if unknown:
            store, campaign = self.compiler.store, self.compiler.campaign
            self.known |= ledger.find_results(store, unknown, campaign)

    def _known_row(self, row: StageEntry) -> StageEntry:
        """Return where a row stands whose result is to be there."""
        if row.state is not StageState.OK:
            return row
        record = self.known.get(row.key)
        if record is None:  # its candidate's result came after the others were gathered
            return StageEntry(key=NOT_KNOWN, state=StageState.WAITING)
        cached = record.campaign != self.compiler.campaign
        return row.model_copy(update={"cached": cached, "deviation": record.deviation})

    def _compile(self) -> None:
        stages = self.compiler.loaded.stages
        self.made = [
            compile_member(
                with_rows(stages, mine, self.rows[member.id]),
                self.there.before.get(member.id, {}),
                columns=member.columns,
                known=self.known,
                fireworks=self.there.fireworks,
            )
            for member, mine in zip(self.members, self.orders, strict=True)
        ]
