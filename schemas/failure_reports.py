"""What the commands about failures show: `failures`, `retry`, `logs` and `diagnose`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from schemas.ledger import AttemptOutcome, CheckpointRecord, StageState
from schemas.model import JsonValue, Model
from schemas.result import Correction


class Example(Model):
    """One calculation of many that ended alike."""

    candidate: str
    short_id: str = Field(description="As much of the id as tells it from the campaign's others.")
    formula: str
    stage: str
    message: str = Field(description="The program's own words, or what was observed.")


class FailureGroup(Model):
    """All calculations of a campaign that failed for one cause."""

    cause: str
    count: int
    stages: dict[str, int] = Field(description="How many of them by stage.")
    held: int = Field(description="Of them: held for a person to look at.")
    blocked: int = Field(description="Stages below them that wait for them.")
    skipped: int = Field(description="Stages below them that were given up with them.")
    meaning: str
    likely: str = Field(description="The likely reason, now that recovery has been tried.")
    advice: str
    commands: tuple[str, ...] = Field(description="What to type, ready to be copied.")
    example: Example


class Repair(Model):
    """What recovery did about one failure, over all results of a campaign."""

    failure: str
    calculations: int
    actions: dict[str, int] = Field(description="How often which remedy was taken.")


class Failures(Model):
    """`campaign failures`: what went wrong, by cause, the most frequent first."""

    campaign: str
    failed: int
    held: int
    blocked: int
    groups: tuple[FailureGroup, ...]
    repaired: int = Field(description="Calculations that recovery brought to a result.")
    repairs: tuple[Repair, ...]


class Sent(Model):
    """One calculation that is sent on its way again."""

    candidate: str
    formula: str
    stage: str
    cause: str | None
    overrides: dict[str, JsonValue] = Field(description="All that holds for it from now on.")


class Retry(Model):
    """`campaign retry`: what is computed again."""

    campaign: str
    dry_run: bool
    count: int
    sent: tuple[Sent, ...]
    follows: int = Field(description="Stages below them that wait for them again.")
    others: dict[str, int] = Field(
        default_factory=dict, description="Where nothing matches: what there is, by cause."
    )
    busy: int = Field(default=0, description="Left alone: a worker has them in its hands.")
    running: bool = Field(description="A `campaign run` is going on and takes them up by itself.")
    next: str | None = Field(description="The command that comes next.")


class TextFile(Model):
    """A text in a run directory, or its first or last lines."""

    name: str
    text: str
    lines_left_out: int = Field(default=0, description="Of it, and not in `text`.")


class FileEntry(Model):
    """A file in a run directory."""

    name: str
    bytes: int


class AttemptLog(Model):
    """One attempt at a calculation, as its record and its run directory tell it."""

    attempt: int
    outcome: AttemptOutcome
    campaign: str = Field(description="The campaign whose attempt it was.")
    machine: str
    worker: str
    cores: int
    started_at: datetime
    finished_at: datetime | None
    walltime_s: float
    exit_code: int | None
    ended_by: str | None = Field(description="Why the program was ended from outside, if it was.")
    failure: str | None
    message: str | None
    continued: str | None = Field(description="From which earlier attempt it went on.")
    checkpoints: tuple[CheckpointRecord, ...]
    corrections: tuple[Correction, ...]
    directory: str
    gone: bool = Field(description="The run directory is not there.")
    runs: tuple[str, ...] = Field(description="Folders of earlier runs of the program.")
    inputs: tuple[TextFile, ...] = ()
    outputs: tuple[TextFile, ...] = ()
    errors: tuple[TextFile, ...] = ()
    scheduler: tuple[TextFile, ...] = Field(default=(), description="The scheduler's last words.")
    files: tuple[FileEntry, ...] = ()


class StageLog(Model):
    """One stage of a candidate, with all attempts at it."""

    stage: str
    engine: str
    task: str
    key: str
    state: StageState
    cached: bool
    failure: str | None
    reason: str | None
    overrides: dict[str, JsonValue]
    attempts: tuple[AttemptLog, ...]


class Logs(Model):
    """`campaign logs`: everything about one candidate."""

    campaign: str
    candidate: str
    formula: str
    stages: tuple[StageLog, ...]


class DiagnosedFailure(Model):
    """One failure that was found in a run directory."""

    name: str
    severity: Literal["cause", "beside", "warning"] = Field(
        description="`cause` is what recovery would treat, `beside` what was found beside it; "
        "a `warning` alone does not fail a run."
    )
    message: str
    details: dict[str, JsonValue]
    meaning: str
    likely: str
    remedies: tuple[str, ...] = Field(description="What recovery would do, in this order.")
    advice: str


class RunDiagnosis(Model):
    """`campaign diagnose`: what went wrong in a run directory."""

    directory: str
    engine: str
    failures: tuple[DiagnosedFailure, ...]

    @property
    def failed(self) -> bool:
        """Tell whether the run failed: there is more than warnings."""
        return any(one.severity != "warning" for one in self.failures)
