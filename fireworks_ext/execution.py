"""Carrying out an order: lease the key, take in or compute, write the result down, tell the others.

What was computed is on the disk (`outcome.json` in the run directory) before the database hears of
it. A worker killed anywhere leaves something that the next one continues: a lease that runs out
or whose owner is seen to be gone, a run directory whose finished program is taken in.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from fireworks_ext import (
    artefacts,
    attempts,
    calculation,
    checkpoints,
    continuing,
    leases,
    ledger,
    retention,
    states,
)
from fireworks_ext.gates import decide
from fireworks_ext.processes import host_name, running_in
from fireworks_ext.session import Session
from schemas.clock import utc_now
from schemas.errors import UserError
from schemas.failure import Failure, FailureName
from schemas.identity import digest
from schemas.ledger import AttemptRecord, CandidateRecord, ResultRecord, StageState
from schemas.protocols import Calculation, Engine
from schemas.registry import engines
from schemas.result import Correction, Result
from schemas.structure import Structure
from schemas.work import Input, StageOrder

ORPHAN_POLL_S = 0.5
SECONDS_PER_MINUTE = 60.0
FILES = "files:"


@dataclass(frozen=True)
class Known:
    """The key has a result that this campaign may use."""

    record: ResultRecord


@dataclass(frozen=True)
class Skipped:
    """The stage does not go ahead."""

    reason: str


@dataclass(frozen=True)
class Failed:
    """The calculation failed, and handlers could not repair it."""

    failure: Failure


@dataclass(frozen=True)
class Waits:
    """Something else has to happen first; `on` names what the firework is woken by."""

    on: str
    state: StageState = StageState.WAITING
    reason: str | None = None


@dataclass(frozen=True)
class Interrupted:
    """The worker was told to stop."""


Ending = Known | Skipped | Failed | Waits | Interrupted


class _NotYet(Exception):
    """What the work needs is not there; the firework ends like this."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(str(ending))
        self.ending = ending


def budget_wait(campaign: str) -> str:
    """Return what fireworks wait for once their campaign's budget is spent."""
    return f"budget:{campaign}"


def files_wait(key: str) -> str:
    """Return what fireworks wait for while the lost files of a result are made anew."""
    return f"{FILES}{key}"


def carry_out(session: Session, order: StageOrder, launch_id: int) -> Ending:
    """Bring an order to an end, computing only what nobody has computed yet."""
    store = session.store
    candidate = ledger.find_candidate(store, order.campaign, order.candidate)
    keys = [order.key, *order.reads.values()]
    results = ledger.find_results(store, keys, order.campaign)
    reads = {stage: results[key] for stage, key in order.reads.items() if key in results}
    if len(reads) == len(order.reads):
        verdict = decide(order.when, candidate.columns, reads)
        if not verdict.passes:
            return Skipped(verdict.reason)
    if order.key in results:
        return Known(results[order.key])
    if len(reads) < len(order.reads):
        return _without_upstream(order, candidate, reads)
    if _is_spent(session, order.campaign):
        return Waits(budget_wait(order.campaign), reason="the campaign's core-hours are spent")
    return _under_lease(session, order, launch_id, candidate, reads)


def _under_lease(
    session: Session,
    order: StageOrder,
    launch_id: int,
    candidate: CandidateRecord,
    reads: Mapping[str, ResultRecord],
) -> Ending:
    store = session.store
    note = {"campaign": order.campaign, "stage": order.stage, "candidate": order.candidate}
    lease = leases.acquire(store, order.key, session.process, note)
    if lease is None:
        return Waits(order.key, reason="another worker computes it")
    with session.keeping(lease, launch_id):
        # Somebody may have finished it between the look above and the lease.
        record = ledger.find_results(store, [order.key], order.campaign).get(order.key)
        if record is not None:
            return Known(record)
        return _Work(session, order, candidate, reads, lease.token, launch_id).do()


def _without_upstream(
    order: StageOrder, candidate: CandidateRecord, reads: Mapping[str, ResultRecord]
) -> Ending:
    """Say what becomes of a stage whose inputs are not all there."""
    for stage, key in order.reads.items():
        if stage in reads:
            continue
        entry = candidate.stages.get(stage)
        if entry is not None and entry.state is StageState.SKIPPED:
            return Skipped(f"{stage} was skipped")
        if entry is not None and entry.state.settled and entry.state is not StageState.OK:
            return Waits(key, StageState.BLOCKED, f"{stage} is {entry.state.value}")
        return Waits(key, reason=f"{stage} has no result yet")
    raise AssertionError("called although every upstream result is there")


def _is_spent(session: Session, campaign: str) -> bool:
    document = session.store.campaigns.find_one({"_id": campaign}, {"core_hours": 1})
    limit = document.get("core_hours") if document else None
    return limit is not None and ledger.spent_core_hours(session.store, campaign) >= limit


@dataclass
class _Work:
    """An order under its lease."""

    session: Session
    order: StageOrder
    candidate: CandidateRecord
    reads: Mapping[str, ResultRecord]
    token: int
    launch_id: int

    def __post_init__(self) -> None:
        self.engine: Engine = engines.get(self.order.engine)
        self.params: Any = self.engine.params.model_validate(self.order.params)

    def do(self) -> Ending:
        """Take in what an earlier attempt finished, or compute."""
        ledger.set_stage(self.session.store, self.order, StageState.RUNNING, reason=None)
        for directory in self.session.artefacts.attempts(self.order.key):
            self._outlast(directory)
            if self.session.stopping:
                return Interrupted()
            ending = self._taken_in(directory)
            if ending is not None:
                return ending
        return self._compute()

    def _outlast(self, directory: Path) -> None:
        """Wait for a program that outlived its worker: it computes what we are about to compute."""
        deadline = time.monotonic() + self.order.resources.walltime_min * SECONDS_PER_MINUTE
        while running_in(directory) and not self.session.stopping:
            if time.monotonic() > deadline:
                for process in running_in(directory):
                    with suppress(psutil.Error):  # it ended meanwhile
                        process.kill()
            time.sleep(ORPHAN_POLL_S)

    def _taken_in(self, directory: Path) -> Known | Failed | None:
        """Return how an earlier attempt ended that nobody recorded, and close its record."""
        store = self.session.store
        outcome = artefacts.read_record(directory, artefacts.OUTCOME)
        if outcome is not None and "failure" in outcome:
            started = artefacts.read_record(directory, artefacts.ORDER)
            failure = Failure.model_validate(outcome["failure"])
            attempts.close(store, directory, "failed", attempts.last_change(directory), failure)
            if started is None or not attempts.is_unheard_of(store, started, self.order.campaign):
                return None
            said_by = {**started, "launch_id": self.launch_id}
            artefacts.write_record(directory, artefacts.ORDER, said_by)
            return Failed(failure)
        record = self._finished(directory)
        if record is None:
            return None
        ledger.store_result(store, record)
        return Known(record) if self._may_use(record) else None

    def _finished(self, directory: Path) -> ResultRecord | None:
        """Return the result of an earlier attempt, if it came to one, and close its record.

        It is the result of the campaign that began the attempt, as its order said.
        """
        store = self.session.store
        outcome = artefacts.read_record(directory, artefacts.OUTCOME)
        started = artefacts.read_record(directory, artefacts.ORDER)
        if outcome is not None:
            if "record" not in outcome:
                return None
            record = ResultRecord.model_validate(outcome["record"])
        else:
            parsed = self.engine.parse(self.order.task, directory)
            finished = attempts.last_change(directory)
            if isinstance(parsed, Failure) or started is None:
                attempts.close(store, directory, "lost", finished)
                return None
            begun = datetime.fromisoformat(started["started_at"])
            made = self.engine.corrections(directory)
            record = self._record(int(directory.name), directory, parsed, begun, finished, made)
            asked = StageOrder.model_validate(started["order"])
            inherited = started.get("inherited", {})
            record = record.model_copy(
                update={
                    "campaign": asked.campaign,
                    "cores": asked.resources.cores,
                    "deviation": self._deviation(made, inherited),
                }
            )
            self._write_outcome(directory, record)
        attempts.close(store, directory, "ok", record.finished_at)
        if self._may_use(record):
            retention.apply(directory, self.engine.artefacts, self.order.retention)
        return record

    def _may_use(self, record: ResultRecord) -> bool:
        """Tell whether a result serves this campaign: a deviation serves the one that made it."""
        return not record.deviation or record.campaign == self.order.campaign

    def _compute(self) -> Ending:
        """Compute, and store the result."""
        try:
            upstream = self._upstream()
        except _NotYet as missing:
            return missing.ending
        ending = self._attempt(upstream)
        if isinstance(ending, Known):
            ledger.store_result(self.session.store, ending.record)
        return ending

    def _attempt(self, upstream: Mapping[str, Path]) -> Ending:
        """Run the calculation in a new directory; the result is not stored yet."""
        order, store = self.order, self.session.store
        begun = utc_now()
        earlier, since = continuing.continuable(
            self.session.artefacts.attempts(order.key), order, self._inherited()
        )
        before = attempts.recorded(store, order.key, earlier)
        attempt = self._next_attempt()
        directory = self.session.artefacts.make(order.key, attempt)
        opened = self._attempt_record(attempt, directory, begun)
        artefacts.write_record(
            directory,
            artefacts.ORDER,
            {
                "order": order.model_dump(mode="json"),
                "attempt_record": opened.model_dump(mode="json"),
                "started_at": begun.isoformat(),
                "launch_id": self.launch_id,
                "inherited": self._inherited(),
                "since": since,
            },
        )
        ledger.start_attempt(store, opened)
        ended = self._run(directory, upstream, earlier)
        finished = utc_now()
        seconds = (finished - begun).total_seconds()
        taken: dict[str, Any] = {
            "finished_at": finished,
            "walltime_s": seconds,
            "core_hours": ledger.core_hours(order.resources.cores, seconds),
            "exit_code": ended.exit.exit_code if ended.exit else None,
            "peak_memory_gb": ended.exit.peak_memory_gb if ended.exit else None,
            "cpu_s": ended.exit.cpu_s if ended.exit else None,
            "corrections": [
                one.model_dump(mode="json")
                for one in attempts.own_corrections(ended.corrections, before)
            ],
            "continued": ended.continued,
            "checkpoints": [one.model_dump(mode="json") for one in ended.checkpoints],
        }
        if isinstance(ended.outcome, Failure):
            failure = ended.outcome
            taken |= {"failure": failure.name.value, "message": failure.message}
            gone_on = attempts.continuations(before)
            if not self._holds_key() or (ended.interrupted and self._may_go_on(gone_on)):
                ledger.end_attempt(store, order.key, attempt, outcome="interrupted", **taken)
                return Interrupted()
            artefacts.write_record(
                directory, artefacts.OUTCOME, {"failure": failure.model_dump(mode="json")}
            )
            ledger.end_attempt(store, order.key, attempt, outcome="failed", **taken)
            return Failed(failure)
        record = self._record(attempt, directory, ended.outcome, begun, finished, ended.corrections)
        self._write_outcome(directory, record)
        # First the attempt: once there is a result, nobody looks at attempts again.
        ledger.end_attempt(store, order.key, attempt, outcome="ok", **taken)
        retention.apply(directory, self.engine.artefacts, order.retention)
        return Known(record)

    def _holds_key(self) -> bool:
        """Tell whether the lease is still ours: who took it may have taken the state away too."""
        lease = leases.Lease(self.order.key, self.session.process.name, self.token)
        return leases.is_held(self.session.store, lease)

    def _may_go_on(self, before: int) -> bool:
        """Tell whether a run that used up its time is given more; a stopped worker's always is."""
        return self.session.stopping or before < self.order.checkpoint.continuations

    def _run(
        self, directory: Path, upstream: Mapping[str, Path], earlier: list[Path]
    ) -> calculation.Ended:
        order = self.order
        try:
            prepared = Calculation(
                task=order.task,
                structure=self._structure(),
                params=self.params,
                resources=order.resources,
                upstream=upstream,
                protected=order.protected,
            )
            place = checkpoints.open_place(order.checkpoint.to, directory, order.key)
            return calculation.run(
                self.engine,
                prepared,
                directory,
                self.session,
                policy=order.checkpoint,
                place=place,
                earlier=earlier,
            )
        except UserError as error:
            failure = Failure(name=FailureName.INPUT_NOT_WRITTEN, message=str(error))
        except OSError as error:
            full = error.errno in {errno.ENOSPC, errno.EDQUOT}
            name = FailureName.DISK_FULL if full else FailureName.INPUT_NOT_WRITTEN
            failure = Failure(name=name, message=str(error))
        except Exception as error:  # noqa: BLE001  (the one place that records a failed launch)
            failure = Failure(
                name=FailureName.UNRECOGNISED, message=f"{type(error).__name__}: {error}"
            )
        # A program that was ended in mid-sentence may well have confused its parser.
        return calculation.Ended(failure, interrupted=self.session.stopping)

    def _next_attempt(self) -> int:
        """Return the lease's token, or more where attempts of that number are on the disk."""
        existing = self.session.artefacts.attempts(self.order.key)
        return max([self.token, *(int(one.name) + 1 for one in existing[:1])])

    def _structure(self) -> Structure:
        source = self.order.inputs.get("structure")
        if source is None or source.key is None:
            return self.candidate.structure
        for record in self.reads.values():
            if record.key == source.key and record.structure is not None:
                return record.structure
        raise UserError(f"stage '{source.stage}' left no structure")

    def _upstream(self) -> dict[str, Path]:
        """Return role -> run directory of the stage whose product is used.

        Files that were deleted are made anew first, in this launch: the stage that made them may
        be of another campaign, and have no firework in this one.
        """
        folders = {}
        for role, source in self.order.inputs.items():
            if role == "structure" or source.stage is None:
                continue
            record = self.reads[source.stage]
            if not _has_product(record, role):
                record = self._made_anew(role, source, record)
            folders[role] = Path(record.artefacts)
        return folders

    def _made_anew(self, role: str, source: Input, lost: ResultRecord) -> ResultRecord:
        """Compute an upstream stage once more for its files; its values stay as they were."""
        store, order = self.session.store, source.order
        if order is None:
            raise _NotYet(Failed(_lost_upstream(role, source, "its order is not known")))
        lease = leases.acquire(store, order.key, self.session.process, {"restores": role})
        if lease is None:
            busy = f"the files of {source.stage} are being made anew"
            raise _NotYet(Waits(files_wait(order.key), reason=busy))
        reads = ledger.find_results(store, order.reads.values(), self.order.campaign)
        known = {stage: reads[key] for stage, key in order.reads.items() if key in reads}
        try:
            with self.session.keeping(lease, self.launch_id):
                work = _Work(
                    self.session, order, self.candidate, known, lease.token, self.launch_id
                )
                record = work.files_again(role, lost.deviation)
                if isinstance(record, Failure):
                    raise _NotYet(Failed(_lost_upstream(role, source, record.message)))
                place = {"artefacts": record.artefacts, "products": record.products}
                found = lost.model_copy(update=place)
                ledger.relocate_result(store, found)
        finally:
            states.wake(store, files_wait(order.key))
        return found

    def files_again(self, role: str, deviation: str) -> ResultRecord | Failure:
        """Return a record of this stage whose files are there, and are those of that deviation.

        Raises
        ------
        _NotYet
            When it has to wait, or was interrupted.
        """
        for directory in self.session.artefacts.attempts(self.order.key):
            self._outlast(directory)
            if self.session.stopping:
                raise _NotYet(Interrupted())
            there = self._finished(directory)
            if there is not None and there.deviation == deviation and _has_product(there, role):
                return there
        try:
            ending = self._attempt(self._upstream())
        except KeyError as missing:
            return Failure(name=FailureName.UPSTREAM_LOST, message=f"no result of {missing}")
        if isinstance(ending, Failed):
            return ending.failure
        if not isinstance(ending, Known):
            raise _NotYet(ending)
        if ending.record.deviation != deviation:
            return Failure(
                name=FailureName.UPSTREAM_LOST, message="recovery changed its physics this time"
            )
        return ending.record

    def _attempt_record(self, attempt: int, directory: Path, begun: datetime) -> AttemptRecord:
        order = self.order
        return AttemptRecord(
            key=order.key,
            attempt=attempt,
            campaign=order.campaign,
            candidate=order.candidate,
            formula=order.formula,
            stage=order.stage,
            engine=order.engine,
            task=order.task,
            machine=host_name(),
            worker=self.session.process.name,
            directory=str(directory),
            cores=order.resources.cores,
            work=self.engine.work(self.candidate.structure, order.task, self.params),
            started_at=begun,
        )

    def _record(
        self,
        attempt: int,
        directory: Path,
        result: Result,
        begun: datetime,
        finished: datetime,
        made: tuple[Correction, ...],
    ) -> ResultRecord:
        order = self.order
        return ResultRecord(
            key=order.key,
            deviation=self._deviation(made, self._inherited()),
            campaign=order.campaign,
            attempt=attempt,
            engine=order.engine,
            task=order.task,
            program=result.program,
            values=result.values,
            structure=result.structure,
            products=result.products,
            recovery=made,
            artefacts=str(directory),
            walltime_s=(finished - begun).total_seconds(),
            cores=order.resources.cores,
            started_at=begun,
            finished_at=finished,
            token=self.token,
        )

    def _inherited(self) -> dict[str, str]:
        """Return, by stage, how the results that this one starts from are not what keys say."""
        return {stage: one.deviation for stage, one in self.reads.items() if one.deviation}

    def _deviation(self, corrections: tuple[Correction, ...], inherited: Mapping[str, str]) -> str:
        """Return "" when the result is what its key says, or a hash of how it is not."""
        changed: dict[str, Any] = {
            one.parameter: one.after
            for one in corrections
            if one.parameter and self.engine.is_physics(self.order.task, one.parameter)
        }
        return (
            digest({"changed": changed, "inherited": dict(inherited)})
            if changed or inherited
            else ""
        )

    def _write_outcome(self, directory: Path, record: ResultRecord) -> None:
        artefacts.write_record(
            directory, artefacts.OUTCOME, {"record": record.model_dump(mode="json")}
        )


def _has_product(record: ResultRecord, role: str) -> bool:
    product = record.products.get(role)
    return product is not None and (Path(record.artefacts) / product).exists()


def _lost_upstream(role: str, source: Input, why: str) -> Failure:
    return Failure(
        name=FailureName.UPSTREAM_LOST,
        message=f"the {role.replace('_', ' ')} of stage '{source.stage}' is gone and could not be "
        f"made anew: {why}",
    )
