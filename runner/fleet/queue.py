"""A campaign's jobs in a scheduler's queue: asked for once each, followed until they are over."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from fireworks_ext.folders.exchange import Exchange, PilotOrder
from runner.fleet.pressure import Pressure
from runner.fleet.reconcile import Found, find
from runner.fleet.records import JobKind, JobRecord, Records
from runner.fleet.report import use_of
from schemas.fleet import Use
from schemas.queue import JobSeen, JobShape, Refused, Scheduler, Silent

logger = logging.getLogger(__name__)

SCRIPT = "job.sh"
NEVER = 0.0
"""When a job was asked for that was refused: the next look puts it away, with its stages."""


@dataclass
class Queue:
    """The jobs that one controller asked for, and those of the controllers before it."""

    campaign: str
    kind: str
    """The launcher's, for people."""
    scheduler: Scheduler
    exchange: Exchange
    order: PilotOrder
    """What pilots are told."""
    python: str = sys.executable
    pressure: Pressure = field(default_factory=Pressure)
    jobs: dict[str, JobRecord] = field(default_factory=dict)
    others: int = 0
    """The user's jobs of other makers that wait or run."""

    def __post_init__(self) -> None:
        self._records = Records(self.exchange)
        self.jobs = {one.name: one for one in self._records.load()}

    def elements(self) -> list[JobSeen]:
        """Return what waits and runs, as it was seen last."""
        return [one for job in self.jobs.values() for one in job.seen.values() if _lives(one)]

    def ask(
        self,
        kind: JobKind,
        shape: JobShape,
        *,
        count: int = 1,
        prepare: Callable[[JobRecord], bool] = lambda _job: True,
    ) -> JobRecord | None:
        """Ask for a job; return it unless it was refused.

        Parameters
        ----------
        prepare
            Called once the job's folder is there: gives it its stages, and tells whether there
            are any.
        """
        record = self._records.new(self.campaign, kind, shape, self.python, count=count)
        order = self.order.model_copy(update={"own_only": kind == "own"})
        self.exchange.give_order(record.name, order)
        script = record.request.folder / SCRIPT
        script.write_text(self.scheduler.script(record.request), encoding="utf-8")
        if not prepare(record):
            self._records.forget(record)
            return None
        self.jobs[record.name] = record
        try:
            job = self.scheduler.submit(record.request, script)
        except Refused as refusal:
            self.pressure = self.pressure.refused(
                refusal.words, for_now=refusal.for_now, now=time.time()
            )
            self._put(record.model_copy(update={"asked_at": NEVER}))
            return None
        except Silent as silence:
            # It may have been taken all the same: its name will show in the queue, or not.
            self.pressure = self.pressure.refused(str(silence), for_now=True, now=time.time())
            return record
        self.pressure = self.pressure.taken()
        seen = {}
        if count == 1:
            waits = JobSeen(id=job, name=record.name, phase="waiting", state="PENDING")
            seen = {job: waits}
        self._put(record.model_copy(update={"id": job, "seen": seen}))
        return self.jobs[record.name]

    def refused(self) -> dict[str, Found]:
        """Return, by name, the jobs that were refused and not put away yet."""
        never = Found("never", {})
        return {name: never for name, job in self.jobs.items() if job.asked_at == NEVER}

    def look(self) -> dict[str, Found]:
        """Ask the scheduler how the jobs stand; return, by name, those that are over or never were.

        They stay known until `close`.

        Raises
        ------
        Silent
            When the scheduler does not answer.
        """
        queue = self.scheduler.seen()
        stuck = [one.id for one in queue if one.is_stuck and one.name in self.jobs]
        if stuck:
            self.scheduler.cancel(stuck)
        here = {one.name for one in queue}
        self.others = sum(one.name not in self.jobs for one in queue if _lives(one))
        missing = [job for name, job in self.jobs.items() if name not in here]
        ended = self._ended(missing)
        gone: dict[str, Found] = {}
        for job in list(self.jobs.values()):
            found = find(
                job,
                queue,
                ended,
                begun={one.allocation.job for one in self.exchange.begun(job.name)},
                epilogues={one.job: one.exit for one in self.exchange.ended(job.name)},
                now=time.time(),
            )
            if found.standing in {"over", "never"}:
                gone[job.name] = found
            elif found.seen != job.seen:
                # Whoever finds the name in the queue knows the id, too.
                named = job.id or next((one.partition("_")[0] for one in found.seen), None)
                self._put(job.model_copy(update={"seen": dict(found.seen), "id": named}))
        if gone:
            self.pressure = self.pressure.eased()
        return gone

    def peek(self) -> list[JobRecord]:
        """Return the jobs as the scheduler has them now; nothing is written down. Raises Silent."""
        queue = self.scheduler.seen()
        return [
            job.model_copy(update={"seen": {one.id: one for one in queue if one.name == name}})
            for name, job in self.jobs.items()
        ]

    def lost(self, reservations: Collection[str]) -> set[str]:
        """Return the reservations that are for no job of ours: `fireworks_ext.janitor.scheduling`.

        One without a number was made for a job that nobody answered for.
        """
        known = {job.id or "" for job in self.jobs.values()}
        return {one for one in reservations if one.partition("_")[0] not in known}

    def close(self, name: str, found: Found) -> None:
        """Put away a job that is over."""
        job = self.jobs.pop(name)
        if found.standing == "never":
            self._records.forget(job)
        else:
            self._records.close(job.model_copy(update={"seen": dict(found.seen)}))

    def use_before(self) -> Use:
        """Return what jobs used that are over."""
        return use_of(self.exchange.reports_before())

    def cancel(self, wanted: Callable[[JobSeen], bool] = lambda _one: True) -> int:
        """Take jobs out of the queue; return how many. Raises Silent."""
        ids = sorted(one.id for one in self.elements() if wanted(one))
        if ids:
            self.scheduler.cancel(ids)
        return len(ids)

    def _ended(self, jobs: Sequence[JobRecord]) -> Mapping[str, JobSeen]:
        ids = {job_id for job in jobs for job_id in job.asked_ids}
        ids |= {one.allocation.job for job in jobs for one in self.exchange.begun(job.name)}
        return self.scheduler.ended(ids) if ids else {}

    def _put(self, record: JobRecord) -> None:
        self._records.save(record)
        self.jobs[record.name] = record


def _lives(one: JobSeen) -> bool:
    return one.phase != "ended"
