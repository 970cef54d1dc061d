"""What `campaign screen` and `campaign funnel` show."""

from datetime import datetime

from pydantic import Field

from schemas.model import JsonValue, Model
from schemas.reports import FilterCounts


class Why(Model):
    """One reason for which rows did not go on."""

    verdict: str = Field(description="reject, unknown or error.")
    why: str = Field(description="The rule, or what was not known, or what went wrong.")
    count: int
    example: str = Field(description="Formula of the first such row, and its values.")


class Between(Model):
    """An estimate with bounds that hold the true value in at least 95 of 100 cases."""

    low: float
    expected: float | None = Field(description="Null where nothing is known.")
    high: float


class Audit(Model):
    """What the control sample of a filter says about its rejects."""

    rejects: int
    sampled: int = Field(description="Rejects that were sent on.")
    computed: int = Field(description="Of those, how many are known to be good or not.")
    good: int = Field(description="Of those, how many are good.")
    thrown_away: Between = Field(description="Good candidates among all rejects.")
    false_negative_rate: Between = Field(
        description="Share of those in all good candidates: rejected here, or gone on."
    )


class FunnelStep(FilterCounts):
    """A filter step: its counts, why rows did not go on, and how right that was."""

    reasons: tuple[Why, ...] = ()
    audit: Audit | None = Field(default=None, description="Null without a control sample.")


class FunnelReport(Model):
    """`campaign funnel`: what the filters did, what that took, and how good they are."""

    campaign: str
    screened_at: datetime
    enumerated: int
    survivors: int
    steps: tuple[FunnelStep, ...]
    others: tuple[Why, ...] = Field(default=(), description="Duplicates, and cells not built.")
    good: str = Field(description="What makes a computed candidate a good one.")
    computed: int = Field(default=0, description="Survivors known to be good or not.")
    good_survivors: int = 0
    alarms: tuple[str, ...] = ()


class Screened(Model):
    """`campaign screen`: the funnel, and the candidates that go on, the best first."""

    campaign: str
    enumerated: int
    survivors: int
    filters: tuple[FilterCounts, ...]
    wall_s: float
    tables: str = Field(description="Folder of the published tables.")
    lake: str | None = Field(
        default=None, description="Where in S3 `campaign run` or `campaign export` sends them to."
    )
    decisive: tuple[str, ...] = Field(description="Columns that the filters looked at.")
    columns: tuple[str, ...]
    rows: tuple[tuple[JsonValue, ...], ...] = Field(description="Candidates that go on.")
