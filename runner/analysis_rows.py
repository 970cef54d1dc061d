"""Rows of an analysis over all candidates: their keys, whether they are due, how they are computed.

The key of a barrier is known once it is closed: it hashes the keys of the results that it gathers.
Each candidate's row has a key of its own, made of that and of the key of its result, so a row is a
result like any other: it is found by its key, read by gates and published. Nothing is written here,
and the same results give the same rows, so what a kill interrupts can be done again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from runner.analysis_stage import AnalysisStage
from runner.orders import NOT_KNOWN
from runner.stages import AnyStage, Stage
from runner.standing import Standing, above, named
from schemas.clock import utc_now
from schemas.failure import Failure, FailureName
from schemas.identity import barrier_key, canonical_json, digest, row_key
from schemas.ledger import ANALYSIS, ResultRecord, StageEntry, StageState
from schemas.protocols import Gathered
from schemas.registry import engines
from schemas.work import StageOrder

DONE = frozenset({StageState.OK, StageState.FAILED})
Entries = Mapping[str, StageEntry]
"""The stages of one candidate, by name."""


@dataclass
class Barrier:
    """An analysis, and what it needs to know of all candidates, which are shown to it one by one.

    As long as one of them is on its way, that is all there is to know, and nothing is kept of the
    others: memory is taken only for a barrier that is closed, some 0.3 kB for each result.
    """

    stage: AnalysisStage
    above: tuple[str, ...]
    drops: bool
    """Failures of the gathered stage skip what needs it."""
    moving: int = 0
    """Candidates whose result is still to come."""
    held: list[str] = field(default_factory=list)
    """Formulas of candidates that wait for a person, at the gathered stage or above it."""
    members: dict[str, str] = field(default_factory=dict)
    """The results that there are, by candidate, as they stand in the key."""
    deviating: dict[str, str] = field(default_factory=dict)
    failed: StageEntry | None = None
    """Where all rows stand when the same analysis failed before: it is not repeated."""
    _failed: list[tuple[str, StageEntry]] = field(default_factory=list)
    _failures: int = 0

    @classmethod
    def of(
        cls,
        stage: AnalysisStage,
        stages: Sequence[AnyStage],
        entries: Mapping[str, Entries] | None = None,
        formulas: Mapping[str, str] | None = None,
    ) -> Barrier:
        """Return the barrier of an analysis among the stages of its campaign.

        `entries` and `formulas` are those of candidates by id that are shown to it at once.
        """
        gathered = next(one for one in stages if one.name == stage.of)
        drops = isinstance(gathered, Stage) and gathered.on_unrepaired == "drop"
        barrier = cls(stage, above(stages, stage.of), drops)
        for candidate, mine in (entries or {}).items():
            barrier.show(candidate, (formulas or {}).get(candidate, candidate), mine)
        return barrier

    def show(self, candidate: str, formula: str, entries: Entries) -> None:
        """Take notice of one candidate, and of the row that an earlier run left of it."""
        states = {name: entries[name].state for name in self.above if name in entries}
        alone = Standing(self.stage.of, self.above, {candidate: states})
        state = alone.state(candidate)
        self.moving += bool(alone.moving)
        if alone.held:
            self.held.append(formula)
        if not self.is_closed:
            self.members.clear()
        elif state is StageState.OK:
            self._gather(candidate, entries)

    def _gather(self, candidate: str, entries: Entries) -> None:
        entry = entries[self.stage.of]
        self.members[candidate] = _member(entry)
        if entry.deviation:
            self.deviating[entry.key] = entry.deviation
        row = entries.get(self.stage.name)
        if row is not None and row.state is StageState.FAILED:
            self._failures += 1
            self._failed = self._failed or [(candidate, row)]

    @property
    def is_closed(self) -> bool:
        """Tell whether every result is there, failed or skipped."""
        return not self.moving and not self.held

    @cached_property
    def key(self) -> str:
        """The key of the analysis, once it is closed and has seen all candidates."""
        return barrier_key(
            analysis=self.stage.analysis,
            version=self.stage.plugin.version,
            params=self.stage.settings,
            members=self.members.values(),
        )

    @property
    def keys(self) -> dict[str, str]:
        """The keys of the rows of all candidates that have a result, once it is closed."""
        return {one: row_key(self.key, member) for one, member in self.members.items()}

    def deviation(self) -> str:
        """Return "" when all results are what their keys say, or a hash of how they are not."""
        return digest({"changed": {}, "inherited": {**self.deviating}}) if self.deviating else ""

    def failed_before(self) -> StageEntry | None:
        """Return where a row stands if the last run computed the same analysis and failed."""
        if not self._failed or self._failures < len(self.members):
            return None
        candidate, row = self._failed[0]
        return row if row.key == row_key(self.key, self.members[candidate]) else None

    def forget(self) -> None:
        """Let go of what only the key and the computation need; the key stays."""
        if self.is_closed:
            self.key  # noqa: B018  (computed now, of all members)
        self.members.clear()

    def row(self, entries: Entries) -> StageEntry:
        """Return where a candidate's row stands by its stages; `ok` if it can be computed now."""
        of = self.stage.of
        state = entries[of].state if of in entries else StageState.WAITING
        if state.settled and state is not StageState.OK:
            return self._row_without_result(state)
        if self.moving or state is not StageState.OK:
            return _entry(StageState.WAITING)
        if self.held:
            return _entry(StageState.BLOCKED, f"{of} of {named(self.held)} is held")
        key = row_key(self.key, _member(entries[of]))
        if self.failed is not None:
            return self.failed.model_copy(update={"key": key})
        return StageEntry(key=key, state=StageState.OK)

    def _row_without_result(self, state: StageState) -> StageEntry:
        of = self.stage.of
        if state is StageState.SKIPPED:
            return _entry(StageState.SKIPPED, f"{of} was skipped")
        if state is StageState.FAILED and self.drops:
            return _entry(StageState.SKIPPED, f"{of} failed")
        return _entry(StageState.BLOCKED, f"{of} is {state.value}")

    def is_due(self, entries: Entries) -> bool:
        """Tell whether a candidate's row in the ledger is not what it should be by now."""
        there, row = entries.get(self.stage.name), self.row(entries)
        return (
            there is None
            or there.key != row.key
            or not (there.state is row.state or {there.state, row.state} <= DONE)
        )


def _member(entry: StageEntry) -> str:
    """Return what a result is in the key of a barrier."""
    return f"{entry.key}:{entry.deviation}" if entry.deviation else entry.key


def _entry(state: StageState, reason: str | None = None) -> StageEntry:
    return StageEntry(key=NOT_KNOWN, state=state, reason=reason)


def computed(
    barrier: Barrier, campaign: str, gathered: Sequence[Gathered]
) -> Iterator[ResultRecord]:
    """Yield the rows of a closed barrier as results, in the order of what it gathered."""
    stage, now, deviation = barrier.stage, utc_now(), barrier.deviation()
    rows = stage.plugin.rows(gathered, stage.params)
    for one, row in zip(gathered, rows, strict=True):
        yield ResultRecord(
            key=row_key(barrier.key, barrier.members[one.candidate]),
            deviation=deviation,
            campaign=campaign,
            attempt=0,
            engine=ANALYSIS,
            task=stage.analysis,
            program=f"{stage.analysis} {stage.plugin.version}",
            values=row,
            structure=None,
            products={},
            artefacts="",
            walltime_s=0.0,
            cores=0,
            started_at=now,
            finished_at=now,
            token=0,
        )


def methods_mixed(barrier: Barrier, methods: Methods) -> Failure | None:
    """Return the failure of an analysis whose results were reached by different methods."""
    difference = methods.difference()
    if not difference:
        return None
    text = f"{barrier.stage.of} is not of one method: {difference}"
    return Failure(name=FailureName.METHODS_MIXED, message=text)


class Methods:
    """By which methods some calculations are done, and of what."""

    def __init__(self) -> None:
        self._formulas: dict[str, list[str]] = {}
        self._methods: dict[str, dict[str, Any]] = {}

    def add(self, order: StageOrder) -> None:
        """Take notice of one calculation."""
        method = {"engine": order.engine, "task": order.task, **_method(order)}
        text = canonical_json(method)
        self._methods[text] = method
        self._formulas.setdefault(text, []).append(order.formula)

    def difference(self) -> str:
        """Return in what the methods differ, and for whom; "" for one method."""
        methods = self._methods
        if len(methods) <= 1:
            return ""
        words = sorted({word for method in methods.values() for word in method})
        differing = [
            word for word in words if len({_shown(one, word) for one in methods.values()}) > 1
        ]
        parts = []
        for text, of in self._formulas.items():
            said = ", ".join(f"{word} {_shown(methods[text], word)}" for word in differing)
            parts.append(f"{said} for {named(of)}")
        return "; ".join(parts)


def _method(order: StageOrder) -> dict[str, Any]:
    engine = engines.get(order.engine)
    method = getattr(engine, "method", engine.physics)
    found: dict[str, Any] = method(order.task, engine.params.model_validate(order.params))
    return found


def _shown(method: Mapping[str, Any], word: str) -> str:
    return canonical_json(method[word]) if word in method else "not given"
