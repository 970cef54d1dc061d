"""One attempt: a calculation in a new run directory, and how it ended: on the disk at first."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from fireworks_ext import artefacts, retention
from fireworks_ext.attempts import calculation
from fireworks_ext.attempts import deserted as attempts
from fireworks_ext.checkpoints import continuing
from fireworks_ext.checkpoints import places as checkpoints
from fireworks_ext.ledger import core_hours
from fireworks_ext.worker.disk import DiskAway, is_away
from fireworks_ext.worker.leased import Leased
from schemas.clock import utc_now
from schemas.endings import Failed, Interrupted, Known
from schemas.errors import UserError
from schemas.failure import Failure, FailureName
from schemas.ledger import AttemptRecord
from schemas.protocols import Calculation


def make_attempt(work: Leased, upstream: Mapping[str, Path]) -> Known | Failed | Interrupted:
    """Run the calculation in a new directory; the result is not stored yet.

    Parameters
    ----------
    upstream
        Role -> run directory of the stage whose product is used.

    Raises
    ------
    DiskAway
        When its disk is full or gone, which says nothing of the calculation.
    """
    order = work.order
    begun = utc_now()
    earlier, since = continuing.continuable(
        work.session.artefacts.attempts(order.key), order, work.inherited()
    )
    before = work.recorded(earlier)
    attempt = _next_number(work)
    directory = _new_directory(work, attempt)
    opened = work.attempt_record(attempt, directory, begun)
    program = _Program(work, opened)
    try:
        _write_order(work, directory, opened, since)
        ended = _calculate(work, directory, upstream, earlier, program.starts)
    except DiskAway as error:
        program.give_back(directory, error)
        raise
    finished = utc_now()
    taken: dict[str, Any] = {
        **_time(opened, finished),
        "exit_code": ended.exit.exit_code if ended.exit else None,
        "peak_memory_gb": ended.exit.peak_memory_gb if ended.exit else None,
        "cpu_s": ended.exit.cpu_s if ended.exit else None,
        "corrections": tuple(attempts.own_corrections(ended.corrections, before)),
        "continued": ended.continued,
        "checkpoints": ended.checkpoints,
    }
    if isinstance(ended.outcome, Failure):
        failure = ended.outcome
        taken |= {"failure": failure.name.value, "message": failure.message}
        goes_on = ended.interrupted and _may_go_on(work, attempts.continuations(before))
        # Who took our lease may have taken the state away too.
        if goes_on or not work.session.holds(order.key):
            work.record(opened.model_copy(update={**taken, "outcome": "interrupted"}))
            return Interrupted()
        try:
            _write_failure(work, directory, failure)
        except DiskAway:
            work.record(opened.model_copy(update={**taken, "outcome": "interrupted"}))
            raise
        work.record(opened.model_copy(update={**taken, "outcome": "failed"}))
        return Failed(failure=failure)
    record = work.result_record(opened, directory, ended.outcome, finished, ended.corrections)
    work.keep(directory, record)
    work.record(opened.model_copy(update={**taken, "outcome": "ok"}))
    work.results.append(record)
    retention.apply(directory, work.engine.artefacts, order.retention)
    return Known(record=record)


@dataclass
class _Program:
    """The program of an attempt, which its disk may keep from starting, or from being recorded."""

    work: Leased
    opened: AttemptRecord
    was_announced: bool = False

    def starts(self) -> None:
        """Let others see that it starts."""
        self.was_announced = True
        self.work.session.announce(self.opened)

    def give_back(self, directory: Path, error: DiskAway) -> None:
        """Record what was begun; an attempt that never started its program is none."""
        if not self.was_announced:
            shutil.rmtree(directory, ignore_errors=True)
            return
        ended = {**_time(self.opened, utc_now()), "outcome": "interrupted", "message": str(error)}
        self.work.record(self.opened.model_copy(update=ended))


def _time(opened: AttemptRecord, finished: datetime) -> dict[str, Any]:
    """Return when an attempt ended, and what it took."""
    seconds = (finished - opened.started_at).total_seconds()
    hours = core_hours(opened.cores, seconds)
    return {"finished_at": finished, "walltime_s": seconds, "core_hours": hours}


def _new_directory(work: Leased, attempt: int) -> Path:
    """Make the run directory of an attempt. Raises DiskAway."""
    try:
        return work.session.artefacts.make(work.order.key, attempt)
    except FileExistsError:
        raise
    except OSError as error:
        raise DiskAway(str(error)) from error


def _write_order(work: Leased, directory: Path, opened: AttemptRecord, since: int) -> None:
    """Write what a run directory is made for. Raises DiskAway.

    `since`: the first attempt whose state serves the order.
    """
    said = {
        "order": work.order.model_dump(mode="json"),
        "attempt_record": opened.model_dump(mode="json"),
        "started_at": opened.started_at.isoformat(),
        "launch_id": work.briefing.launch_id,
        "inherited": work.inherited(),
        "since": since,
    }
    try:
        # Not durable: a machine that loses its power loses the program too.
        artefacts.write_record(directory, artefacts.ORDER, said, durable=False)
    except OSError as error:
        raise DiskAway(str(error)) from error


def _write_failure(work: Leased, directory: Path, failure: Failure) -> None:
    """Write how an attempt failed into its run directory.

    Raises
    ------
    DiskAway
        When it cannot be written: then it may have failed for that. What a program calls a full
        disk is its failure all the same.
    """
    said_so = failure.name is FailureName.DISK_FULL
    if said_so:
        work.session.disk.doubt()
    said = {"failure": failure.model_dump(mode="json")}
    try:
        artefacts.write_record(directory, artefacts.OUTCOME, said)
    except OSError as error:
        if not said_so:
            raise DiskAway(str(error)) from error


def _next_number(work: Leased) -> int:
    """Return the lease's token, or more where attempts of that number are on the disk."""
    existing = work.session.artefacts.attempts(work.order.key)
    return max([work.briefing.token, *(int(one.name) + 1 for one in existing[:1])])


def _may_go_on(work: Leased, before: int) -> bool:
    """Tell whether a run that used up its time is given more; a stopped worker's always is."""
    return work.session.stopping or before < work.order.checkpoint.continuations


def compute(work: Leased) -> Known | Failed:
    """Compute in this process, for an engine that needs no program: there is no run directory."""
    begun = utc_now()
    engine: Any = work.engine
    try:
        outcome = engine.compute(_prepared(work, {}), work.session.site)
    except UserError as error:
        outcome = Failure(name=FailureName.INPUT_NOT_WRITTEN, message=str(error))
    finished = utc_now()
    number = max([work.briefing.token, *(one.attempt + 1 for one in work.briefing.attempts)])
    opened = work.attempt_record(number, None, begun)
    taken = _time(opened, finished)
    if isinstance(outcome, Failure):
        said = {"failure": outcome.name.value, "message": outcome.message, "outcome": "failed"}
        work.record(opened.model_copy(update={**taken, **said}))
        return Failed(failure=outcome)
    record = work.result_record(opened, None, outcome, finished, ())
    work.record(opened.model_copy(update={**taken, "outcome": "ok"}))
    work.results.append(record)
    return Known(record=record)


def _prepared(work: Leased, upstream: Mapping[str, Path]) -> Calculation:
    """Return what the engine is asked to do. Raises UserError when upstream left no structure."""
    return Calculation(
        task=work.order.task,
        structure=work.structure(),
        params=work.params,
        resources=work.order.resources,
        upstream=upstream,
        protected=work.order.protected,
    )


def _calculate(
    work: Leased,
    directory: Path,
    upstream: Mapping[str, Path],
    earlier: list[Path],
    starting: Callable[[], object],
) -> calculation.Ended:
    """Run the calculation. Raises DiskAway when its disk keeps it from being run or read."""
    order = work.order
    try:
        prepared = _prepared(work, upstream)
        place = checkpoints.open_place(order.checkpoint.to, directory, order.key)
        return calculation.run(
            work.engine,
            prepared,
            directory,
            work.session,
            policy=order.checkpoint,
            place=place,
            earlier=earlier,
            starting=starting,
        )
    except (UserError, OSError) as error:
        if is_away(error, directory):
            raise DiskAway(str(error)) from error
        failure = Failure(name=FailureName.INPUT_NOT_WRITTEN, message=str(error))
    except Exception as error:  # noqa: BLE001  (the one place that records a failed launch)
        failure = Failure(name=FailureName.UNRECOGNISED, message=f"{type(error).__name__}: {error}")
    # A program that was ended in mid-sentence may well have confused its parser.
    return calculation.Ended(failure, interrupted=work.session.stopping)
