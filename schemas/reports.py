"""What the commands show, as models: `--json` prints {schema_version, command, data} of these."""

from datetime import datetime
from typing import Generic, Literal, TypeVar

from pydantic import Field

from schemas.fleet import FleetReport
from schemas.model import JsonValue, Model

Data = TypeVar("Data")


class Answer(Model, Generic[Data]):
    """The envelope of every `--json` answer."""

    schema_version: Literal[1] = 1
    command: str
    data: Data


class FilterCounts(Model):
    """What one filter step did."""

    step: str = Field(description="The step as the file writes it.")
    entered: int
    passed: int
    rejected: int
    unknown: int
    errors: int
    control: int = Field(default=0, description="Rejects that went on as a control sample.")
    seconds: float = Field(default=0.0, description="Spent on computing the score.")
    found: int = Field(default=0, description="Rows whose score was known from before.")


class StageCounts(Model):
    """Where the candidates of one stage stand."""

    stage: str
    waiting: int = 0
    ready: int = 0
    running: int = 0
    ok: int = 0
    cached: int = Field(default=0, description="Of `ok`: computed by another campaign.")
    skipped: int = 0
    failed: int = 0
    held: int = 0
    blocked: int = 0

    @property
    def unsettled(self) -> int:
        """How many will still move by themselves."""
        return self.waiting + self.ready + self.running

    @property
    def settled(self) -> int:
        """How many will not move by themselves any more."""
        return self.ok + self.skipped + self.troubled

    @property
    def troubled(self) -> int:
        """How many stand still for want of a person."""
        return self.failed + self.held + self.blocked


class BarrierStatus(Model):
    """What an analysis of all candidates still waits for."""

    stage: str
    of: str = Field(description="The stage whose results it gathers.")
    waits_for: int = Field(description="Candidates whose result is still to come.")
    held_by: tuple[str, ...] = Field(
        default=(), description="Formulas of candidates that wait for a person, and hold it."
    )


CampaignState = Literal["new", "running", "settled", "over budget", "drained", "interrupted"]


class Status(Model):
    """`campaign status`: the whole funnel of one campaign."""

    campaign: str
    project: str | None
    state: CampaignState
    revision: int
    enumerated: int
    filters: tuple[FilterCounts, ...]
    survivors: int
    references: int = Field(
        default=0, description="Reference structures that go through stages with them."
    )
    pending: int = Field(
        default=0, description="Candidates that wait for room: the best of them get it first."
    )
    stages: tuple[StageCounts, ...]
    failures: dict[str, int] = Field(
        default_factory=dict, description="Failures by name, over all stages."
    )
    barriers: tuple[BarrierStatus, ...] = Field(
        default=(), description="Analyses that wait for candidates."
    )
    paused: dict[str, str] = Field(
        default_factory=dict, description="Workers that compute nothing now, and why."
    )
    paused_at: datetime | None = Field(
        default=None,
        description="When a person had the campaign stand still; null while it goes on.",
    )
    core_hours: float = Field(description="Spent by finished attempts.")
    core_hours_limit: float | None = None
    usd: float = Field(
        default=0.0, description="US dollars: the same at the prices that were given."
    )
    usd_limit: float | None = None
    fleet: FleetReport | None = Field(
        default=None, description="Its jobs, where a cluster computes."
    )
    updated_at: datetime | None = None

    @property
    def unsettled(self) -> int:
        """How many stages of candidates will still move by themselves."""
        return sum(stage.unsettled for stage in self.stages)

    @property
    def troubled(self) -> int:
        """How many stages of candidates stand still for want of a person."""
        return sum(stage.troubled for stage in self.stages)

    @property
    def is_spent(self) -> bool:
        """Whether the budget is."""
        limits = ((self.core_hours, self.core_hours_limit), (self.usd, self.usd_limit))
        return any(limit is not None and spent >= limit for spent, limit in limits)


class Interval(Model):
    """An estimate with the bounds that hold the true value nine times out of ten."""

    low: float
    expected: float
    high: float


class StagePlan(Model):
    """What a stage is expected to take."""

    stage: str
    candidates: Interval = Field(description="How many candidates reach and need it.")
    known: int = Field(description="Results that are there already and cost nothing.")
    core_hours: Interval
    basis: str = Field(description="Where the estimate comes from.")


class Plan(Model):
    """`campaign plan`: what a run would do and take; nothing is started."""

    campaign: str
    enumerated: int
    screened: int = Field(description="Candidates that were scored for this plan.")
    filters: tuple[FilterCounts, ...]
    survivors: Interval
    stages: tuple[StagePlan, ...]
    core_hours: Interval
    wall_hours: Interval | None = Field(default=None, description="On the profile's cores.")
    cores: int | None = None
    core_hours_limit: float | None = None
    usd: Interval | None = Field(
        default=None, description="US dollars in all, where `run.usd_per_core_hour` is given."
    )
    usd_limit: float | None = None


class RunSummary(Model):
    """What a `campaign run` came to."""

    status: Status
    exit_code: int
    store: str
    tables: str = Field(description="Where the published tables are: a folder, or in S3.")
    folder: str = Field(description="The folder of this machine that they are published from.")
    unsent: str | None = Field(
        default=None, description="Why what is in the folder is not in S3 yet; null where it is."
    )
    query: str = Field(description="A line that queries the results.")
    wall_s: float


class Table(Model):
    """`campaign results` and `campaign sql`: rows by column."""

    columns: tuple[str, ...]
    rows: tuple[tuple[JsonValue, ...], ...]


class AthenaCost(Model):
    """What a query took in Athena."""

    query_execution_id: str
    database: str
    workgroup: str
    scanned_bytes: int = Field(ge=0)
    usd: float = Field(ge=0.0, description="By the list price; regions and contracts differ.")
    seconds: float = Field(ge=0.0, description="From its start to its answer, in Athena.")


class SqlAnswer(Table):
    """`campaign sql`: the rows of a query, with what is to be known of them."""

    types: tuple[str, ...] = Field(description="Of the columns, as Athena names them.")
    warnings: tuple[str, ...] = Field(
        default=(), description="What may surprise, here and in Athena alike."
    )
    athena: AthenaCost | None = Field(
        default=None, description="What Athena read; null where this machine answered."
    )


class SqlExplanation(Model):
    """`campaign sql --explain`: the query as given, and as DuckDB is given it."""

    athena: str | None = Field(description="Null where the query is in DuckDB's own dialect.")
    duckdb: str


class SqlExample(Model):
    """`campaign sql --examples`: a query that ships."""

    name: str
    title: str
    question: str = Field(description="What it answers, and how to read it.")
    sql: str


class Pausing(Model):
    """`campaign pause` and `campaign resume`: what stands still, or goes on."""

    campaign: str
    paused: bool
    count: int = Field(ge=0, description="Calculations that were paused, or set free.")
    running: bool = Field(description="A `campaign run` is going on.")
    next: str | None = Field(description="The command that comes next.")


class Check(Model):
    """One line of `campaign doctor`."""

    subject: str
    state: Literal["ok", "warning", "missing"]
    message: str
    remedy: str = ""


class Diagnosis(Model):
    """`campaign doctor`: what is there, what is missing, what to do about it."""

    checks: tuple[Check, ...]

    @property
    def healthy(self) -> bool:
        """Tell whether nothing is missing."""
        return all(check.state != "missing" for check in self.checks)


class Shipped(Model):
    """One campaign file that ships with the package."""

    name: str
    title: str
    file: str


class Validation(Model):
    """`campaign validate`: the file is right, and this is what it holds."""

    campaign: str
    generators: tuple[str, ...]
    filters: int
    stages: tuple[str, ...]
