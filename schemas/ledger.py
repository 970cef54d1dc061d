"""The campaign's own documents: what is a member, what is known, what was tried, what it took."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import Field

from schemas.model import JsonValue, Model
from schemas.result import Correction
from schemas.structure import Structure

ANALYSIS = "analysis"
"""What stands for the engine in results of an analysis, whose name stands for the task."""


class StageState(StrEnum):
    """Where one stage of one candidate stands."""

    WAITING = "waiting"
    READY = "ready"
    RUNNING = "running"
    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"
    HELD = "held"
    BLOCKED = "blocked"

    @property
    def settled(self) -> bool:
        """Tell whether nothing will happen to the stage by itself any more."""
        return self not in {StageState.WAITING, StageState.READY, StageState.RUNNING}


class StageEntry(Model):
    """One stage of one candidate, as `candidates` holds it."""

    key: str
    fw_id: int | None = None
    state: StageState
    cached: bool = Field(default=False, description="The result was computed by another campaign.")
    deviation: str = Field(default="", description="Which variant of the key's result serves.")
    failure: str | None = None
    reason: str | None = Field(default=None, description="Why it was skipped, blocked or failed.")
    overrides: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="What `campaign retry --set` changed, as in an order: {resources, params}.",
    )


class CandidateRecord(Model):
    """A member of a campaign: a candidate that survived the filters."""

    campaign: str
    id: str
    row: int = Field(description="Its place in the enumeration, which is the order of work.")
    formula: str
    structure: Structure
    generator: str
    choice: dict[str, JsonValue]
    columns: dict[str, JsonValue] = Field(
        default_factory=dict, description="Its columns and scores by name, which `when` may read."
    )
    control: bool = Field(default=False, description="A reject sent on as a control sample.")
    member: bool = Field(default=True, description="False once an edit of the file removed it.")
    priority: int = Field(default=0, description="Larger is worked on first: 0 is the best.")
    pending: bool = Field(
        default=False, description="It has stages that want fireworks, and waits for room."
    )
    seen: int = Field(default=0, description="Number of the enrolment that saw it last.")
    stages: dict[str, StageEntry] = Field(default_factory=dict)


class ResultRecord(Model):
    """The outcome `ok` of a key, or of (key, deviation); free of campaigns but for provenance."""

    schema_version: Literal[1] = 1
    key: str
    deviation: str = ""
    campaign: str = Field(description="The campaign whose attempt computed it, which pays for it.")
    attempt: int
    engine: str
    task: str
    program: str
    values: dict[str, JsonValue]
    structure: Structure | None
    products: dict[str, str]
    recovery: tuple[Correction, ...] = ()
    artefacts: str = Field(description="The run directory; empty where no program ran.")
    walltime_s: float
    cores: int
    usd_per_core_hour: float | None = None
    started_at: datetime
    finished_at: datetime
    token: int = Field(description="Fencing token of the lease under which it was written.")


class CheckpointRecord(Model):
    """One checkpoint of an attempt: when it was taken, and what it cost."""

    name: str
    taken_at: datetime
    seconds: float = Field(description="Elapsed time of writing it.")
    bytes: int


AttemptOutcome = Literal["running", "ok", "failed", "interrupted", "lost"]


class AttemptRecord(Model):
    """One attempt at a key; never removed, written at its start and completed at its end."""

    schema_version: Literal[1] = 1
    key: str
    attempt: int
    campaign: str
    candidate: str
    formula: str
    stage: str
    engine: str
    task: str
    machine: str
    worker: str
    directory: str
    cores: int
    work: float = Field(description="The engine's cost regressor, for the cost model.")
    memory_guess_gb: float | None = Field(
        default=None, description="Of one process, as the engine guesses it: for the forecast."
    )
    started_at: datetime
    finished_at: datetime | None = None
    outcome: AttemptOutcome = "running"
    exit_code: int | None = Field(default=None, description="Of the program; None: not known.")
    failure: str | None = None
    message: str | None = None
    corrections: tuple[Correction, ...] = ()
    walltime_s: float = 0.0
    core_hours: float = 0.0
    usd_per_core_hour: float | None = Field(
        default=None, description="The price when it began; None: nobody gave one."
    )
    taken_in: bool = Field(default=False, description="Its finished directory was found later.")
    continued: str | None = Field(
        default=None, description="From which earlier attempt it went on, and where in it."
    )
    checkpoints: tuple[CheckpointRecord, ...] = ()
    peak_memory_gb: float | None = None
    cpu_s: float | None = Field(default=None, description="Of the last run of the program.")
    recorded_at: datetime | None = Field(
        default=None, description="When the database heard how it ended."
    )
