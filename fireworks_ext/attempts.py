"""Attempts that ended without their worker: their records, from what lies in their directories."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from fireworks_ext import artefacts, ledger
from fireworks_ext.store import Store
from schemas.failure import Failure
from schemas.ledger import AttemptRecord


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


def last_change(directory: Path) -> datetime:
    """Return when anything in a run directory was last written."""
    latest = max(entry.stat().st_mtime for entry in directory.iterdir())
    return datetime.fromtimestamp(latest, UTC).replace(tzinfo=None)
