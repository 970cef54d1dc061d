"""What a plan learns from the ledger: the last screening, finished runs, decided gates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from fireworks_ext import ledger
from fireworks_ext.store import Store
from runner.cost import FinishedRun
from runner.finished_runs import WHOLE, finished_runs
from runner.load import LoadedCampaign
from runner.screening import Survivor
from runner.stages import Stage
from schemas.candidate import REFERENCES, Candidate
from schemas.document import read_document
from schemas.ledger import CandidateRecord, ResultRecord, StageEntry, StageState
from schemas.model import JsonValue
from schemas.reports import FilterCounts

SCREENING_KEYS = ("space", "filters", "seed")


@dataclass(frozen=True)
class LastScreening:
    """What the last run made of the same space and filters."""

    members: list[Survivor]
    filters: list[FilterCounts]
    enumerated: int


@dataclass(frozen=True)
class History:
    """What the ledger knows; without a store, nothing."""

    known: Mapping[str, ResultRecord] = field(default_factory=dict)
    """Results that the campaign may use, by key."""
    measured_core_s: Mapping[str, float] = field(default_factory=dict)
    """What finished runs of a key took."""
    runs: Mapping[tuple[str, str], list[FinishedRun]] = field(default_factory=dict)
    """Finished runs by engine and task."""
    entries: Mapping[str, Mapping[str, StageEntry]] = field(default_factory=dict)
    """Where the stages of the campaign's candidates stand, by candidate."""
    gates: Mapping[str, str | None] = field(default_factory=dict)
    """`when` of the stages as the last run had them."""

    def stops(self, candidate: str, stage: str, key: str) -> bool:
        """Tell whether a stage has failed, so that a run does not repeat it."""
        entry = self.entries.get(candidate, {}).get(stage)
        return (
            entry is not None
            and entry.key == key
            and entry.state in {StageState.FAILED, StageState.HELD}
        )

    def verdicts(self, stage: Stage, apart_from: Collection[str]) -> Counter[bool]:
        """Count how the stage's gate was decided in earlier runs, if it was the same gate."""
        counts: Counter[bool] = Counter()
        if stage.when is None or self.gates.get(stage.name) != stage.when.text:
            return counts
        for candidate, stages in self.entries.items():
            entry = stages.get(stage.name)
            if entry is None or candidate in apart_from:
                continue
            if entry.state in {StageState.OK, StageState.FAILED, StageState.HELD}:
                counts[True] += 1
            elif entry.state is StageState.SKIPPED and _by_its_gate(entry):
                counts[False] += 1
        return counts


def _by_its_gate(entry: StageEntry) -> bool:
    """Tell whether a stage was skipped for its own gate, not for a stage above it."""
    return entry.reason is not None and "when: " in entry.reason


def read_history(store: Store | None, loaded: LoadedCampaign, keys: Iterable[str]) -> History:
    """Return what the ledger knows of a campaign whose stages have these keys."""
    if store is None:
        return History()
    name = loaded.campaign.campaign
    wanted = sorted(set(keys))
    members = store.candidates.find({"campaign": name}, {"id": 1, "stages": 1, "_id": 0})
    return History(
        known=ledger.find_results(store, wanted, name),
        measured_core_s=_measured(store, wanted),
        runs={
            (stage.engine, stage.task): finished_runs(store, stage.engine, stage.task)
            for stage in loaded.calculations
        },
        entries={
            one["id"]: {
                stage: StageEntry.model_validate(entry) for stage, entry in one["stages"].items()
            }
            for one in members
        },
        gates=_gates(_last_text(store, name)),
    )


def _measured(store: Store, keys: list[str]) -> dict[str, float]:
    attempts = store.attempts.find(
        {"key": {"$in": keys}, "outcome": "ok"} | WHOLE, {"key": 1, "core_hours": 1, "_id": 0}
    )
    return {
        one["key"]: one["core_hours"] * ledger.SECONDS_PER_HOUR
        for one in attempts
        if one["core_hours"] > 0
    }


def last_screening(store: Store | None, loaded: LoadedCampaign) -> LastScreening | None:
    """Return the last run's screening if it was of the same space with the same filters.

    Only of spaces that the campaign file describes by itself: what is in other files may have
    changed.
    """
    if store is None:
        return None
    name = loaded.campaign.campaign
    document = store.campaigns.find_one({"_id": name})
    if document is None or _counted_by_reading(loaded):
        return None
    before, now = _data(_last_text(store, name)), _data(loaded.text)
    if any(before.get(key) != now.get(key) for key in SCREENING_KEYS):
        return None
    found = store.candidates.find({"campaign": name, "member": True})
    members = (ledger.candidate_record(one) for one in found)
    records = sorted(
        (one for one in members if one.generator != REFERENCES), key=lambda one: one.row
    )
    if len(records) != document["survivors"]:
        return None  # that run was stopped before it had written them all
    return LastScreening(
        members=[_survivor(record) for record in records],
        # What scores took then says nothing of a plan.
        filters=[
            FilterCounts.model_validate({**one, "seconds": 0.0, "found": 0})
            for one in document["filters"]
        ],
        enumerated=document["enumerated"],
    )


def _counted_by_reading(loaded: LoadedCampaign) -> bool:
    return any(
        source.plugin.count(source.params, loaded.surroundings) is None
        for source in loaded.generators
    )


def _survivor(record: CandidateRecord) -> Survivor:
    candidate = Candidate(
        generator=record.generator,
        choice=record.choice,
        composition=Counter(record.structure.species),
        build=lambda: record.structure,
        formula=record.formula,
    )
    return Survivor(record.row, candidate, record.id, record.control, record.columns)


def _last_text(store: Store, campaign: str) -> str | None:
    document = store.campaigns.find_one({"_id": campaign}, {"revisions": 1})
    revisions = document.get("revisions") if document else None
    return str(revisions[-1]["text"]) if revisions else None


def _data(text: str | None) -> Mapping[str, JsonValue]:
    return read_document(text, "the last run's file").data if text else {}


def _gates(text: str | None) -> dict[str, str | None]:
    stages = _data(text).get("stages")
    if not isinstance(stages, dict):
        return {}
    return {
        name: when
        if isinstance(block, dict) and isinstance(when := block.get("when"), str)
        else None
        for name, block in stages.items()
    }
