"""Rows of an analysis over all candidates: their keys, whether they are due, how they are computed.

The key of a barrier is known once it is closed: it hashes the keys of the results that it gathers.
Each candidate's row has a key of its own, made of that and of the key of its result, so a row is a
result like any other: it is found by its key, read by gates and published. Nothing is written here,
and the same results give the same rows, so what a kill interrupts can be done again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from runner.analysis_stage import AnalysisStage
from runner.orders import NOT_KNOWN
from runner.stages import AnyStage, Stage
from runner.standing import Standing, above, named
from schemas.clock import utc_now
from schemas.failure import Failure, FailureName
from schemas.identity import barrier_key, canonical_json, digest, row_key
from schemas.ledger import ANALYSIS, CandidateRecord, ResultRecord, StageEntry, StageState
from schemas.protocols import Gathered
from schemas.registry import engines
from schemas.work import StageOrder

DONE = frozenset({StageState.OK, StageState.FAILED})


@dataclass(frozen=True)
class Barrier:
    """An analysis and the stages of all candidates, by their ids and names.

    `drops` says that the gathered stage's failures skip what needs it; `formulas` are for messages.
    """

    stage: AnalysisStage
    above: tuple[str, ...]
    drops: bool
    entries: Mapping[str, Mapping[str, StageEntry]]
    formulas: Mapping[str, str]

    @classmethod
    def of(
        cls,
        stage: AnalysisStage,
        stages: Sequence[AnyStage],
        entries: Mapping[str, Mapping[str, StageEntry]],
        formulas: Mapping[str, str],
    ) -> Barrier:
        """Return the barrier of an analysis among the stages of its campaign."""
        gathered = next(one for one in stages if one.name == stage.of)
        drops = isinstance(gathered, Stage) and gathered.on_unrepaired == "drop"
        return cls(stage, above(stages, stage.of), drops, entries, formulas)

    @cached_property
    def standing(self) -> Standing:
        """Where its candidates stand."""
        states = {
            one: {name: entries[name].state for name in self.above if name in entries}
            for one, entries in self.entries.items()
        }
        return Standing(self.stage.of, self.above, states)

    @cached_property
    def gathered(self) -> dict[str, StageEntry]:
        """The candidates that have a result, and where it is."""
        state = self.standing.state
        found = (one for one in self.entries if state(one) is StageState.OK)
        return {one: self.entries[one][self.stage.of] for one in found}

    @cached_property
    def keys(self) -> dict[str, str]:
        """The keys of the rows of all candidates that have a result, once it is closed."""
        members = {one: _member(entry) for one, entry in self.gathered.items()}
        key = barrier_key(
            analysis=self.stage.analysis,
            version=self.stage.plugin.version,
            params=self.stage.settings,
            members=members.values(),
        )
        return {one: row_key(key, member) for one, member in members.items()}

    def deviation(self) -> str:
        """Return "" when all results are what their keys say, or a hash of how they are not."""
        deviating = {one.key: one.deviation for one in self.gathered.values() if one.deviation}
        return digest({"changed": {}, "inherited": dict(deviating)}) if deviating else ""

    def rows(self) -> dict[str, StageEntry]:
        """Return where each candidate's row stands; `ok` for those that can be computed now."""
        return {one: self._row(one) for one in self.entries}

    def is_due(self) -> bool:
        """Tell whether the rows in the ledger are not what they should be by now."""
        if self.standing.moving:
            return False
        return any(
            (there := self.entries[one].get(self.stage.name)) is None
            or there.key != row.key
            or not (there.state is row.state or {there.state, row.state} <= DONE)
            for one, row in self.rows().items()
        )

    def _row(self, candidate: str) -> StageEntry:
        of, state = self.stage.of, self.standing.state(candidate)
        if state is StageState.SKIPPED:
            return _entry(StageState.SKIPPED, f"{of} was skipped")
        if state is StageState.FAILED and self.drops:
            return _entry(StageState.SKIPPED, f"{of} failed")
        if state.settled and state is not StageState.OK:
            return _entry(StageState.BLOCKED, f"{of} is {state.value}")
        if self.standing.moving:
            return _entry(StageState.WAITING)
        if self.standing.held:
            whom = named([self.formulas[one] for one in self.standing.held])
            return _entry(StageState.BLOCKED, f"{of} of {whom} is held")
        return StageEntry(key=self.keys[candidate], state=StageState.OK)


def _member(entry: StageEntry) -> str:
    """Return what a result is in the key of a barrier."""
    return f"{entry.key}:{entry.deviation}" if entry.deviation else entry.key


def _entry(state: StageState, reason: str | None = None) -> StageEntry:
    return StageEntry(key=NOT_KNOWN, state=state, reason=reason)


def computed(
    barrier: Barrier,
    candidates: Mapping[str, CandidateRecord],
    orders: Mapping[str, StageOrder],
    results: Mapping[str, ResultRecord],
) -> list[ResultRecord] | Failure:
    """Return the rows of a closed barrier as results, or why there can be none.

    `candidates` and their `orders` of the gathered stage are by id, `results` by key.
    """
    members = list(barrier.gathered)
    mixed = mixture(orders[one] for one in members)
    if mixed:
        text = f"{barrier.stage.of} is not of one method: {mixed}"
        return Failure(name=FailureName.METHODS_MIXED, message=text)
    gathered = [
        Gathered(
            candidate=one,
            formula=candidates[one].formula,
            structure=candidates[one].structure,
            values=results[barrier.gathered[one].key].values,
        )
        for one in members
    ]
    stage, now, deviation = barrier.stage, utc_now(), barrier.deviation()
    rows = stage.plugin.rows(gathered, stage.params)
    return [
        ResultRecord(
            key=barrier.keys[one],
            deviation=deviation,
            campaign=candidates[one].campaign,
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
        for one, row in zip(members, rows, strict=True)
    ]


def mixture(orders: Iterable[StageOrder]) -> str:
    """Return in what the methods of some calculations differ, and for whom; "" for one method."""
    formulas: dict[str, list[str]] = {}
    methods: dict[str, dict[str, Any]] = {}
    for order in orders:
        method = {"engine": order.engine, "task": order.task, **_method(order)}
        text = canonical_json(method)
        methods[text] = method
        formulas.setdefault(text, []).append(order.formula)
    if len(methods) <= 1:
        return ""
    words = sorted({word for method in methods.values() for word in method})
    differing = [word for word in words if len({_shown(one, word) for one in methods.values()}) > 1]
    parts = []
    for text, of in formulas.items():
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
