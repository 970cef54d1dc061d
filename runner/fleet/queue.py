"""A campaign's jobs in a scheduler's queue: asked for once each, followed until they are over."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from fireworks_ext.folders.exchange import Exchange, PilotOrder
from runner.fleet.pressure import Pressure
from runner.fleet.reconcile import UNTOLD, Found, find
from runner.fleet.records import JobKind, JobRecord, Records
from runner.fleet.report import use_of
from schemas.fleet import Use
from schemas.queue import JobSeen, JobShape, Refused, Scheduler, Silent

logger = logging.getLogger(__name__)

SCRIPT = "job.sh"
NEVER = 0.0
"""When a job was asked for that was refused: the next look puts it away, with its stages."""

MOST_IN_VAIN = 3
"""Jobs that end before their pilot begins: setup that fails, no such Python on the nodes."""


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
    impossible: dict[JobShape, str] = field(default_factory=dict)
    """Shapes of jobs that the scheduler will never take, with its words."""

    def __post_init__(self) -> None:
        self._records = Records(self.exchange)
        self._in_vain = 0
        self._doubted: set[str] = set()
        self._stuck: dict[str, str] = {}
        """Jobs that the scheduler gave up, and why."""
        self._vain = Pressure()
        """What jobs that end at once ask for: patience, too."""
        self.jobs = {one.name: one for one in self._records.load()}

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
            if kind == "own" and not refusal.for_now:
                self.impossible[shape] = refusal.words  # others may well be possible
            else:
                self.pressure = self.pressure.refused(
                    refusal.words, for_now=refusal.for_now, now=time.time()
                )
            self._put(record.model_copy(update={"asked_at": NEVER}))
            return None
        except Silent as silence:
            # It may have been taken all the same: its name will show in the queue, or not.
            self.pressure = self.pressure.refused(str(silence), for_now=True, now=time.time())
            self._put(record.model_copy(update={"asked_at": time.time()}))
            return self.jobs[record.name]
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

    def look(self) -> tuple[dict[str, Found], list[JobSeen]]:
        """Ask the scheduler how the jobs stand.

        Return, by name, those that are over or never were, which stay known until `close`; and
        elements of arrays that have ended while others live, and jobs that were put back.

        Raises
        ------
        Silent
            When the scheduler does not answer.
        """
        queue = self.scheduler.seen()
        stuck = [one for one in queue if one.is_stuck and one.name in self.jobs]
        if stuck:
            self.scheduler.cancel([one.id for one in stuck])
            self._stuck |= {one.name: one.reason for one in stuck}
        self.others = sum(one.name not in self.jobs for one in queue if _lives(one))
        here = {one.id for one in queue}
        names = {one.name for one in queue}
        ended = self._ended(
            [
                job
                for job in self.jobs.values()
                if job.name not in names
                or any(_lives(one) and one.id not in here for one in job.seen.values())
            ]
        )
        gone: dict[str, Found] = {}
        elements: list[JobSeen] = []
        for job in list(self.jobs.values()):
            found = find(
                job,
                queue,
                ended,
                begun={one.allocation.job for one in self.exchange.begun(job.name)},
                epilogues={one.job: one.exit for one in self.exchange.ended(job.name)},
                now=time.time(),
            )
            if self._is_in_doubt(job, found):
                continue
            if found.standing in {"over", "never"}:
                gone[job.name] = found
            elif found.seen != job.seen:
                # Whoever finds the name in the queue knows the id, too.
                elements += [*found.ended(job.seen), *found.put_back(job.seen)]
                named = job.id or _number(found.seen)
                self._put(job.model_copy(update={"seen": dict(found.seen), "id": named}))
        if any(found.standing == "over" for found in gone.values()):
            self.pressure = self.pressure.eased()
        return gone, elements

    def _is_in_doubt(self, job: JobRecord, found: Found) -> bool:
        """Tell whether to look again before a job counts as over of which nobody says so."""
        unsaid = found.standing == "over" and any(
            one.state == UNTOLD for one in found.seen.values()
        )
        if not unsaid or job.name in self._doubted:
            self._doubted.discard(job.name)
            return False
        self._doubted.add(job.name)
        return True

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

    def is_unanswered(self) -> bool:
        """Tell whether there is a job of which nobody knows whether it was taken."""
        return any(job.id is None and job.asked_at != NEVER for job in self.jobs.values())

    def may_ask(self) -> bool:
        """Tell whether a job may be asked for now."""
        now = time.time()
        return self.pressure.may_ask(now) and self._vain.may_ask(now)

    @property
    def words(self) -> str | None:
        """Why no job is asked for, in the scheduler's words, or those of jobs that failed."""
        return self.pressure.words or self._vain.words

    @property
    def is_hopeless(self) -> bool:
        """Tell whether patience alone will not help."""
        return self.pressure.for_good or self._vain.for_good

    def judge(self, name: str, found: Found) -> None:
        """Ask for less and less where jobs end one after the other without having done anything.

        A `setup` that fails, no such Python on the nodes, an exchange folder that they do not see.
        """
        ends = self.exchange.ended(name)
        if any(one.stages for one in self.exchange.reports(name)):
            self._in_vain, self._vain = 0, Pressure()
        elif found.standing == "over" and (ends or name in self._stuck):
            if self.exchange.begun(name) and not any(one.exit for one in ends):
                return  # there was nothing for it to do
            self._in_vain += 1
            printed = self.exchange.last_words(name) or "nothing was printed"
            said = self._stuck.pop(name, printed)
            words = f"{self._in_vain} jobs ended without doing anything; the last said: {said}"
            hopeless = self._in_vain >= MOST_IN_VAIN
            self._vain = self._vain.refused(words, for_now=not hopeless, now=time.time())

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
        """Take jobs out of the queue, as it is now; return how many. Raises Silent."""
        here = self.peek()
        for job in here:
            if job.id is None and job.seen:  # it was taken after all: once cancelled, who knows?
                self._put(job.model_copy(update={"id": _number(job.seen)}))
        ids = sorted(
            one.id for job in here for one in job.seen.values() if _lives(one) and wanted(one)
        )
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


def _number(seen: Mapping[str, JobSeen]) -> str | None:
    """Return the job's own id, of those of its elements where it is an array."""
    return next((one.partition("_")[0] for one in seen), None)


def _lives(one: JobSeen) -> bool:
    return one.phase != "ended"
