"""What was asked of the queue, on the disk: before it is asked, so that nothing is asked twice.

A job's folder `jobs/NAME/` is there before the scheduler hears of the job. Whoever finds one
without an id looks for the name in the queue before he believes that nothing came of it. Jobs that
are over move to `past/`.
"""

from __future__ import annotations

import shutil
import time
import uuid
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, ValidationError

from fireworks_ext.artefacts import write_record
from fireworks_ext.folders.exchange import Exchange
from schemas.model import Model
from schemas.queue import JobRequest, JobSeen, JobShape

FILE = "job.json"
LONGEST_NAME = 40
"""Of a campaign's name in a job's; a queue's listing is narrow."""

JobKind = Literal["pilot", "own"]


class JobRecord(Model):
    """A job as far as its controller knows it."""

    request: JobRequest
    kind: JobKind = Field(description="own: each element was asked for one large stage.")
    asked_at: float = Field(description="Unix time, s.")
    id: str | None = Field(default=None, description="None: nobody knows whether it was taken.")
    seen: dict[str, JobSeen] = Field(
        default_factory=dict, description="By id, its elements' where it is an array."
    )

    @property
    def name(self) -> str:
        """Its name in the queue and on the disk."""
        return self.request.name

    @property
    def ids(self) -> set[str]:
        """The ids of its elements, as far as they are known: its own where it is no array."""
        return {*self.seen, *([self.id] if self.id and self.request.count == 1 else [])}

    def element(self, index: int) -> str | None:
        """Return the id of an element: the job's own where it is no array; None: not known yet."""
        if self.id is None or self.request.count == 1:
            return self.id
        return f"{self.id}_{index}"

    @property
    def asked_ids(self) -> set[str]:
        """What to ask the scheduler for: an array's id stands for all of its elements."""
        return {self.id} if self.id else set(self.seen)


@dataclass(frozen=True)
class Records:
    """The jobs of one campaign."""

    exchange: Exchange

    def new(
        self, campaign: str, kind: JobKind, shape: JobShape, python: str, *, count: int = 1
    ) -> JobRecord:
        """Write down a job that is going to be asked for."""
        name = f"{campaign[:LONGEST_NAME]}-{uuid.uuid4().hex[:8]}"
        folder = self.exchange.job(name)
        folder.mkdir(parents=True)
        command = (python, "-m", "runner.pilot", str(self.exchange.root), name)
        request = JobRequest(
            name=name,
            shape=shape,
            count=count,
            command=command,
            # A large stage's program spreads over the nodes by itself.
            per_node=kind == "pilot",
            folder=folder,
        )
        record = JobRecord(request=request, kind=kind, asked_at=time.time())
        self.save(record)
        return record

    def save(self, record: JobRecord) -> None:
        """Write down what is known of a job now."""
        write_record(self.exchange.job(record.name), FILE, record.model_dump(mode="json"))

    def load(self) -> list[JobRecord]:
        """Return the jobs that are not over, the oldest first."""
        found = []
        for path in self.exchange.jobs.glob(f"*/{FILE}"):
            try:
                found.append(JobRecord.model_validate_json(path.read_bytes()))
            except (FileNotFoundError, ValidationError):  # of another version: its job ends alone
                continue
        return sorted(found, key=lambda one: one.asked_at)

    def close(self, record: JobRecord) -> None:
        """Put away a job that is over, with what it printed."""
        self.save(record)
        past = self.exchange.past
        past.mkdir(exist_ok=True)
        self.exchange.job(record.name).rename(past / record.name)

    def forget(self, record: JobRecord) -> None:
        """Remove a job that never was."""
        shutil.rmtree(self.exchange.job(record.name), ignore_errors=True)
