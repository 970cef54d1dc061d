"""What earlier attempts at an order left on the disk, and nobody wrote down: it is taken in."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import psutil

from fireworks_ext import artefacts, retention
from fireworks_ext.attempts import deserted as attempts
from fireworks_ext.folders.claims import time_of
from fireworks_ext.processes import parse, place_name, running_in
from fireworks_ext.worker.leased import Leased
from schemas.clock import SECONDS_PER_MINUTE
from schemas.endings import Failed, Known
from schemas.failure import Failure
from schemas.ledger import AttemptRecord, ResultRecord

ORPHAN_POLL_S = 0.5
ELSEWHERE_POLL_S = 2.0
FRESH_S = 60.0
"""A sign of life that is younger was made by somebody who still attends to the program, there."""


def outlast(work: Leased, directory: Path) -> None:
    """Wait for a program that outlived its worker: it computes what we are about to compute.

    On another machine it may have its worker still, who was halted for a while and does not know
    yet that we have his stage; he ends it as soon as he does.
    """
    deadline = time.monotonic() + work.order.resources.walltime_min * SECONDS_PER_MINUTE
    while _is_attended_elsewhere(directory) and not work.session.stopping:
        if time.monotonic() > deadline:
            break
        time.sleep(ELSEWHERE_POLL_S)
    while running_in(directory) and not work.session.stopping:
        if time.monotonic() > deadline:
            for process in running_in(directory):
                with suppress(psutil.Error):  # it ended meanwhile
                    process.kill()
        time.sleep(ORPHAN_POLL_S)


def _is_attended_elsewhere(directory: Path) -> bool:
    """Tell whether somebody who may live has shown lately that a program runs in a directory."""
    try:
        shown = (directory / artefacts.ALIVE).stat().st_mtime
        if _over_since(directory) >= shown:
            return False
        started = artefacts.read_record(directory, artefacts.ORDER) or {}
        worker = parse(str(started.get("attempt_record", {}).get("worker", "")))
        # Of our own machine we know it all: what runs here is found without a sign.
        if worker is not None and worker.host == place_name():
            return False
        return time_of(directory.parent) - shown < FRESH_S
    except OSError:  # mostly: there is no sign
        return False


def _over_since(directory: Path) -> float:
    """Return when his job was said to be over, Unix time, s; 0: nobody said so."""
    try:
        return (directory / attempts.SCHEDULER).stat().st_mtime
    except FileNotFoundError:
        return 0.0


def take_in(work: Leased, directory: Path) -> Known | Failed | None:
    """Return how an earlier attempt ended that nobody recorded, and close its record."""
    outcome = artefacts.read_record(directory, artefacts.OUTCOME)
    if outcome is not None and "failure" in outcome:
        started = artefacts.read_record(directory, artefacts.ORDER)
        failure = Failure.model_validate(outcome["failure"])
        ended = attempts.last_change(directory)
        work.record(attempts.closed(directory, "failed", ended, failure))
        if started is None or not _is_unheard_of(work, started):
            return None
        said_by = {**started, "launch_id": work.briefing.launch_id}
        artefacts.write_record(directory, artefacts.ORDER, said_by)
        return Failed(failure=failure)
    record = finished(work, directory)
    if record is None:
        return None
    work.results.append(record)
    return Known(record=record) if work.may_use(record) else None


def _is_unheard_of(work: Leased, started: Mapping[str, Any]) -> bool:
    """Tell whether the worker of a failed attempt was killed before it said so to FireWorks.

    A failure that was said stands in its launch, and whoever runs the firework again wants it
    computed again.
    """
    ours = started["order"]["campaign"] == work.order.campaign
    return ours and started.get("launch_id") in work.briefing.silent


def close(work: Leased, directories: Iterable[Path]) -> None:
    """Close the records of older attempts that count as running: their workers were killed too."""
    running = {one.attempt for one in work.briefing.attempts if one.outcome == "running"}
    for directory in directories:
        if int(directory.name) in running:
            outcome = artefacts.read_record(directory, artefacts.OUTCOME) or {}
            how: Literal["ok", "failed", "lost"] = "ok" if "record" in outcome else "lost"
            work.record(attempts.closed(directory, how, attempts.last_change(directory)))


def finished(work: Leased, directory: Path) -> ResultRecord | None:
    """Return the result of an earlier attempt, if it came to one, and close its record.

    It is the result of the campaign that began the attempt, as its order said.
    """
    outcome = artefacts.read_record(directory, artefacts.OUTCOME)
    if outcome is None:
        record = _parsed(work, directory)
        if record is None:
            work.record(attempts.closed(directory, "lost", attempts.last_change(directory)))
            return None
        work.keep(directory, record)
    elif "record" in outcome:
        record = ResultRecord.model_validate(outcome["record"])
    else:
        return None
    work.record(attempts.closed(directory, "ok", record.finished_at))
    if work.may_use(record):
        retention.apply(directory, work.engine.artefacts, work.order.retention)
    return record


def _parsed(work: Leased, directory: Path) -> ResultRecord | None:
    """Return the result of a program that ended well after its worker was gone."""
    started = artefacts.read_record(directory, artefacts.ORDER)
    result = work.engine.parse(work.order.task, directory)
    if isinstance(result, Failure) or started is None:
        return None
    opened = AttemptRecord.model_validate(started["attempt_record"])
    ended = attempts.last_change(directory)
    made = work.engine.corrections(directory)
    record = work.result_record(opened, directory, result, ended, made)
    deviation = work.deviation(made, started.get("inherited", {}))
    return record.model_copy(update={"deviation": deviation})
