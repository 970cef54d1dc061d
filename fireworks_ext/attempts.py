"""Attempts that ended without their worker: their records, from what lies in their directories."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal

from fireworks_ext import artefacts, ledger
from fireworks_ext.store import Store
from schemas.failure import Failure, FailureName
from schemas.ledger import AttemptRecord
from schemas.result import Correction

OUT_OF_TIME = frozenset({FailureName.OUT_OF_WALLTIME, FailureName.KILLED_AT_WALLTIME})


def close(
    store: Store,
    directory: Path,
    outcome: Literal["ok", "failed", "lost"],
    finished: datetime,
    failure: Failure | None = None,
) -> None:
    """Complete the record of an attempt whose worker could not."""
    started = artefacts.read_record(directory, artefacts.ORDER)
    if started is None:
        return
    begun = datetime.fromisoformat(started["started_at"])
    seconds = max((finished - begun).total_seconds(), 0.0)
    # The order of the two writes at an attempt's start leaves a directory without a record.
    opened = AttemptRecord.model_validate(started["attempt_record"])
    ledger.start_attempt(store, opened)
    ledger.end_attempt(
        store,
        opened.key,
        opened.attempt,
        outcome=outcome,
        failure=failure.name.value if failure else None,
        message=failure.message if failure else None,
        finished_at=finished,
        walltime_s=seconds,
        core_hours=ledger.core_hours(opened.cores, seconds),
        taken_in=outcome == "ok",
    )


def is_unheard_of(store: Store, started: Mapping[str, Any], campaign: str) -> bool:
    """Tell whether the worker of a failed attempt was killed before it said so to FireWorks.

    A failure that was said stands in its launch, and whoever runs the firework again wants it
    computed again.
    """
    if started["order"]["campaign"] != campaign:
        return False
    silent = {"launch_id": started.get("launch_id"), "action": None}
    return store.launches.find_one(silent, {"_id": 1}) is not None


def recorded(store: Store, key: str, directories: Sequence[Path]) -> list[AttemptRecord]:
    """Return the records of the attempts in some directories, the newest first."""
    numbers = [int(one.name) for one in directories]
    found = store.attempts.find({"key": key, "attempt": {"$in": numbers}}, {"_id": 0})
    records = [AttemptRecord.model_validate(one) for one in found]
    return sorted(records, key=lambda one: one.attempt, reverse=True)


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
