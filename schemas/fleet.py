"""What `campaign status` and `campaign jobs` show of a campaign's jobs in a queue."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pydantic import Field

from schemas.model import Model
from schemas.queue import JobPhase


class JobReport(Model):
    """One job, or one element of an array."""

    id: str | None = Field(description="None: it was asked for, and no answer came yet.")
    name: str
    kind: str = Field(description="pilot: takes many stages; own: asked for by one large stage.")
    phase: JobPhase
    state: str = Field(description="In the scheduler's own word.")
    reason: str = Field(default="", description="Why it waits, in the scheduler's own words.")
    nodes: int
    cores: int = Field(description="Per node.")
    walltime_min: float
    began_at: datetime | None = None


class Use(Model):
    """How well the cores were used of jobs that ended or report."""

    allocated_core_hours: float = 0.0
    busy_core_hours: float = Field(default=0.0, description="Cores that stages held.")
    program_core_hours: float = Field(default=0.0, description="CPU time of the programs.")

    @property
    def utilisation(self) -> float | None:
        """CPU time of the programs by what was allocated."""
        if not self.allocated_core_hours:
            return None
        return self.program_core_hours / self.allocated_core_hours


class FleetReport(Model):
    """The jobs of a campaign, as its controller saw them last."""

    at: datetime
    scheduler: str
    jobs: tuple[JobReport, ...] = ()
    handed_over: int = Field(default=0, description="Stages that jobs have or may take.")
    taken: int = Field(default=0, description="Those of them that a job has.")
    use: Use = Use()
    note: str | None = Field(
        default=None, description="Why no more jobs are asked for, in the scheduler's words."
    )


class ControllerReport(Model):
    """`campaign run --detach` and `campaign stop`: the process that controls a campaign."""

    campaign: str
    host: str
    pid: int
    log: Path | None = Field(default=None, description="Where it writes how it goes.")
