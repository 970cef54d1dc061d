"""What earlier attempts at an order left on the disk, and nobody wrote down: it is taken in."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import psutil

from fireworks_ext import artefacts, attempts, ledger, retention
from fireworks_ext.endings import Failed, Known
from fireworks_ext.leased import Leased, write_outcome
from fireworks_ext.processes import running_in
from schemas.failure import Failure
from schemas.ledger import ResultRecord
from schemas.work import StageOrder

ORPHAN_POLL_S = 0.5
SECONDS_PER_MINUTE = 60.0


def outlast(work: Leased, directory: Path) -> None:
    """Wait for a program that outlived its worker: it computes what we are about to compute."""
    deadline = time.monotonic() + work.order.resources.walltime_min * SECONDS_PER_MINUTE
    while running_in(directory) and not work.session.stopping:
        if time.monotonic() > deadline:
            for process in running_in(directory):
                with suppress(psutil.Error):  # it ended meanwhile
                    process.kill()
        time.sleep(ORPHAN_POLL_S)


def take_in(work: Leased, directory: Path) -> Known | Failed | None:
    """Return how an earlier attempt ended that nobody recorded, and close its record."""
    store = work.session.store
    outcome = artefacts.read_record(directory, artefacts.OUTCOME)
    if outcome is not None and "failure" in outcome:
        started = artefacts.read_record(directory, artefacts.ORDER)
        failure = Failure.model_validate(outcome["failure"])
        attempts.close(store, directory, "failed", attempts.last_change(directory), failure)
        if started is None or not attempts.is_unheard_of(store, started, work.order.campaign):
            return None
        said_by = {**started, "launch_id": work.launch_id}
        artefacts.write_record(directory, artefacts.ORDER, said_by)
        return Failed(failure)
    record = finished(work, directory)
    if record is None:
        return None
    ledger.store_result(store, record)
    return Known(record) if work.may_use(record) else None


def finished(work: Leased, directory: Path) -> ResultRecord | None:
    """Return the result of an earlier attempt, if it came to one, and close its record.

    It is the result of the campaign that began the attempt, as its order said.
    """
    store = work.session.store
    outcome = artefacts.read_record(directory, artefacts.OUTCOME)
    if outcome is None:
        record = _parsed(work, directory)
        if record is None:
            attempts.close(store, directory, "lost", attempts.last_change(directory))
            return None
        write_outcome(directory, record)
    elif "record" in outcome:
        record = ResultRecord.model_validate(outcome["record"])
    else:
        return None
    attempts.close(store, directory, "ok", record.finished_at)
    if work.may_use(record):
        retention.apply(directory, work.engine.artefacts, work.order.retention)
    return record


def _parsed(work: Leased, directory: Path) -> ResultRecord | None:
    """Return the result of a program that ended well after its worker was gone."""
    started = artefacts.read_record(directory, artefacts.ORDER)
    result = work.engine.parse(work.order.task, directory)
    if isinstance(result, Failure) or started is None:
        return None
    begun = datetime.fromisoformat(started["started_at"])
    ended = attempts.last_change(directory)
    made = work.engine.corrections(directory)
    record = work.result_record(int(directory.name), directory, result, begun, ended, made)
    asked = StageOrder.model_validate(started["order"])
    of_its_order = {
        "campaign": asked.campaign,
        "cores": asked.resources.cores,
        "deviation": work.deviation(made, started.get("inherited", {})),
    }
    return record.model_copy(update=of_its_order)
