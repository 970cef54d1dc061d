"""Attempts that ended without their worker: their records, from what lies in their directories."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import Literal

from fireworks_ext import artefacts
from fireworks_ext.ledger import core_hours
from schemas.failure import Failure, FailureName
from schemas.ledger import AttemptRecord
from schemas.result import Correction

SCHEDULER = "scheduler.json"
"""What a scheduler said of the job in which an attempt was killed."""
IN_COMPANY = "in_company"
"""In it: there were others, and nothing tells whose fault it was."""
OUT_OF_TIME = frozenset({FailureName.OUT_OF_WALLTIME, FailureName.KILLED_AT_WALLTIME})


def closed(
    directory: Path,
    outcome: Literal["ok", "failed", "lost"],
    finished: datetime,
    failure: Failure | None = None,
) -> AttemptRecord | None:
    """Return the complete record of an attempt whose worker could not say how it ended.

    None where nothing in the directory says what it was made for.
    """
    started = artefacts.read_record(directory, artefacts.ORDER)
    if started is None:
        return None
    said = artefacts.read_record(directory, SCHEDULER) if outcome == "lost" else None
    if failure is None and said is not None:
        failure = Failure.model_validate(said["failure"])
    # Of many in one job, most needed no more memory than they had.
    blameless = said is not None and said.get(IN_COMPANY) and _is_want_of_memory(failure)
    begun = datetime.fromisoformat(started["started_at"])
    seconds = max((finished - begun).total_seconds(), 0.0)
    opened = AttemptRecord.model_validate(started["attempt_record"])
    return opened.model_copy(
        update={
            "outcome": outcome,
            "failure": failure.name.value if failure and not blameless else None,
            "message": failure.message if failure else None,
            "finished_at": finished,
            "walltime_s": seconds,
            "core_hours": core_hours(opened.cores, seconds),
            "taken_in": outcome == "ok",
        }
    )


def _is_want_of_memory(failure: Failure | None) -> bool:
    return failure is not None and failure.name is FailureName.OUT_OF_MEMORY


def continuations(records: Iterable[AttemptRecord]) -> int:
    """Return how often a calculation went on after its walltime, since it last failed."""
    since = takewhile(lambda one: one.outcome != "failed", records)
    return sum(one.outcome == "interrupted" and one.failure in OUT_OF_TIME for one in since)


def own_corrections(
    every: Iterable[Correction], records: Iterable[AttemptRecord]
) -> list[Correction]:
    """Return the corrections that earlier attempts have not recorded: the rest was carried on."""
    carried = [one for record in records for one in record.corrections]
    own = []
    for one in every:
        if one in carried:
            carried.remove(one)
        else:
            own.append(one)
    return own


def last_change(directory: Path) -> datetime:
    """Return when anything in a run directory was last written."""
    changes = [entry.lstat().st_mtime for entry in directory.iterdir()]
    # Nothing is in it yet when its worker was killed at once.
    latest = max(changes, default=directory.stat().st_mtime)
    return datetime.fromtimestamp(latest, UTC).replace(tzinfo=None)
