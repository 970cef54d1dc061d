"""What goes to whoever carries out an order, and what comes back: all that the database is for.

Between the two nothing is read from a database or written to one, so both also travel as files:
`stage.json` into a directory, `result.json` out of it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from schemas.endings import Ending
from schemas.ledger import AttemptRecord, CandidateRecord, ResultRecord
from schemas.model import Model
from schemas.work import StageOrder


class Taken(Model):
    """A firework in a process's hands."""

    fw_id: int
    launch_id: int
    taken_at: datetime = Field(description="When its launch began, UTC.")
    order: StageOrder


class Briefing(Taken):
    """An order, and all that carrying it out needs to know beside the files on the disk."""

    schema_version: Literal[1] = 1
    candidate: CandidateRecord
    reads: dict[str, ResultRecord] = Field(
        default_factory=dict, description="By stage: the results that the order reads."
    )
    token: int = Field(description="Fencing token of the lease of the order's key.")
    attempts: tuple[AttemptRecord, ...] = Field(
        default=(), description="Earlier attempts at the key, the newest first."
    )
    silent: tuple[int, ...] = Field(
        default=(),
        description="Launches of earlier attempts that never said how they ended: of those whose "
        "worker was killed.",
    )


class Delivery(Taken):
    """How an order ended, with the records that were made on the way."""

    schema_version: Literal[1] = 1
    ending: Ending
    attempts: tuple[AttemptRecord, ...] = ()
    results: tuple[ResultRecord, ...] = ()
