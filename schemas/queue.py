"""Jobs in the queue of a cluster: what is asked for, what is seen of it, how it ended."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from pydantic import Field

from schemas.failure import FailureName
from schemas.model import Model
from schemas.protocols import Finding

JobPhase = Literal["waiting", "running", "ended"]


class JobShape(Model):
    """What one job occupies."""

    nodes: int = Field(default=1, ge=1)
    cores: int = Field(default=1, ge=1, description="Cores per node.")
    gpus: int = Field(default=0, ge=0, description="GPUs per node.")
    memory_gb: float | None = Field(default=None, gt=0, description="Memory per node, in GB.")
    walltime_min: float = Field(gt=0, description="The limit that the scheduler enforces.")


class JobRequest(Model):
    """A job that is asked for once; its name is nobody else's, so that it can be found again."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    shape: JobShape
    count: int = Field(default=1, ge=1, description="More than 1: an array of so many elements.")
    command: tuple[str, ...] = Field(
        description="What every job runs, once per node; argv, never read by a shell."
    )
    per_node: bool = Field(
        default=True, description="False: once, on the first node, from where it spreads itself."
    )
    folder: Path = Field(description="Takes the job's output and its epilogue's records.")


class JobSeen(Model):
    """One job, or one element of an array, as the scheduler tells of it."""

    id: str
    name: str
    index: int | None = Field(default=None, description="In its array.")
    phase: JobPhase
    state: str = Field(description="In the scheduler's own word: PENDING, TIMEOUT.")
    reason: str = Field(default="", description="Why it waits or ended, in its own words.")
    began_at: datetime | None = Field(default=None, description="UTC.")
    is_stuck: bool = Field(
        default=False, description="It waits for what never comes: it is of no use any more."
    )
    failure: FailureName | None = Field(
        default=None, description="What that means for what ran in it; None: it ended by itself."
    )


class Refused(Exception):
    """The scheduler does not take a job; `words` are its own."""

    def __init__(self, words: str, *, for_now: bool) -> None:
        super().__init__(words)
        self.words = words
        self.for_now = for_now
        """A limit was reached, or it is busy: the same request may be taken later."""


class Silent(Exception):
    """The scheduler gave no answer: what was asked of it may have happened all the same."""


class Allocation(Model):
    """What a job got, as seen from within, on one of its nodes."""

    job: str
    index: int | None = None
    restarts: int = 0
    cores: int = Field(description="Of this node.")
    memory_gb: float | None = Field(default=None, description="Of this node; None: no limit known.")
    gpus: tuple[str, ...] | None = Field(
        default=None,
        description="Of this node, as CUDA_VISIBLE_DEVICES calls them; None: not known.",
    )
    ends_at: float | None = Field(default=None, description="Unix time, s; None: no limit known.")


class Scheduler(Protocol):
    """A queue of jobs, as one user sees it."""

    def script(self, request: JobRequest) -> str:
        """Return the batch script of a request; pure."""

    def submit(self, request: JobRequest, script: Path) -> str:
        """Hand a script in; return the job's id (an array's, for an array).

        Raises
        ------
        Refused
            With the scheduler's own words.
        Silent
            When nobody knows whether the job was taken.
        """

    def seen(self) -> Sequence[JobSeen]:
        """Return all jobs of this user that wait or run, those of others' making too.

        Elements of an array have the ids `ID_INDEX`. Raises Silent.
        """

    def ended(self, ids: Collection[str]) -> Mapping[str, JobSeen]:
        """Return how jobs ended, those of which the scheduler still knows. Raises Silent."""

    def cancel(self, ids: Collection[str]) -> None:
        """Take jobs out of the queue and end those that run. Raises Silent."""

    def examine(self) -> Iterable[Finding]:
        """Return what `campaign doctor` says about it; nothing is submitted."""

    def allocation(self, environment: Mapping[str, str]) -> Allocation:
        """Return what the calling process's job has on this node."""
