"""The jobs of a campaign in a queue, in the place of workers on this machine.

Stages travel as files through the exchange folder (`fireworks_ext.folders.exchange`); whoever has
the store is here, and nobody else. Killed at any moment, the next fleet goes on: jobs are found by
the names under which they were asked for, stages by the folders in which they lie.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from fireworks.core.launchpad import LockedWorkflowError
from pymongo.errors import PyMongoError

from fireworks_ext import leases
from fireworks_ext.folders import reservations
from fireworks_ext.folders.exchange import Begun
from fireworks_ext.states import WorkflowBusy
from launchers.local.slots import WorkerDeath
from runner.clock import Clock
from runner.fleet import casualties
from runner.fleet.backlog import Backlog
from runner.fleet.outstanding import Out, Outstanding
from runner.fleet.queue import Queue
from runner.fleet.reconcile import Found
from runner.fleet.records import JobRecord
from runner.fleet.report import add, fleet_report, use_of
from runner.fleet.sizing import Alive, Limits, OwnJob, lookahead, needs_own_job, size
from schemas.clock import SECONDS_PER_MINUTE
from schemas.errors import UserError
from schemas.fleet import FleetReport
from schemas.queue import Silent

LOOK_S = 0.2
"""Between two looks for results: what comes after a stage starts about so long after its end."""
BEGUN_S = 1.0
MORE_S = 1.0
"""Between two looks for stages that could start, when none ended meanwhile."""
QUEUE_S = 20.0
"""Between two looks into the queue when nothing is known to have changed there."""
SIZE_S = 5.0
SWEEP_S = 60.0
"""Between two looks at all stages that are out, for results that nobody announced."""
AWAY_S = 5.0
"""Between two tries to reach a database that did not answer."""
TROUBLE_S = 60.0
"""Between two words about an outage."""
GOODBYE_S = 30.0
"""For pilots to notice that they may leave; what is left then is taken out of the queue."""


@dataclass
class Fleet:
    """A `runner.crew.Crew` of jobs.

    Whoever leaves it, leaves the jobs as they are: they go on with the stages that they have, and
    the next fleet takes their results in.
    """

    queue: Queue
    outstanding: Outstanding
    backlog: Backlog
    limits: Limits
    arrays: bool
    told: Callable[[str], None] = lambda _text: None
    """Hears what happens to jobs that a person may want to know of."""

    def __post_init__(self) -> None:
        self._exchange = self.queue.exchange
        self._store = self.outstanding.session.store
        self._here = True
        self._begun: dict[str, list[Begun]] = {}
        self._use = self.queue.use_before()
        self._why_not_more = ""
        self._away_until = 0.0
        self._silence = ""
        """What the scheduler, or whoever asked it, said instead of an answer."""
        self._begun_clock = Clock(BEGUN_S)
        self._keep_clock = Clock(leases.RENEW_S)
        self._more_clock = Clock(MORE_S)
        self._queue_clock = Clock(QUEUE_S)
        self._size_clock = Clock(SIZE_S)
        self._sweep_clock = Clock(SWEEP_S)
        self._trouble_clock = Clock(TROUBLE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._here = False

    def adopt(self) -> None:
        """Go on with what a fleet before this one asked for and handed over."""
        self.outstanding.adopt(self.queue.jobs)
        self._exchange.let_stay()

    def alive(self) -> int:
        """Return 1 as long as it was not told to leave."""
        return int(self._here)

    def poll(self) -> list[WorkerDeath]:
        """Do what is due; who dies here is brought back by the queue."""
        self._tend()
        return []

    def cores(self) -> dict[int, tuple[int, ...]]:
        """Return that it waits for no cores of this machine."""
        return {0: ()}

    def wait(self, seconds: float) -> None:
        """Do what is due until so long has passed."""
        until = time.monotonic() + seconds
        while self._here and time.monotonic() < until:
            time.sleep(min(LOOK_S, seconds))
            self._tend()

    def drain(self) -> None:
        """Leave; the jobs go on with what they have."""
        self._here = False

    stop = drain

    def join(self) -> bool:
        """Wait for nobody."""
        return True

    def dismiss(self) -> None:
        """Let the jobs end: there is nothing left for them to do."""
        self._exchange.ask_to_leave()
        until = time.monotonic() + GOODBYE_S
        try:
            self.queue.cancel(lambda one: one.phase == "waiting")
            while self.queue.jobs and self._here and time.monotonic() < until:
                self._look_for_the_begun()
                if self._queue_clock.due():
                    self._follow()
                time.sleep(LOOK_S)
            self.queue.cancel()
        except Silent as silence:
            self.told(f"{silence}; jobs that find nothing to do end by themselves")
        self._show()

    def report(self) -> FleetReport:
        """Return how the jobs stand."""
        now = use_of(one for job in self.queue.jobs for one in self._exchange.reports(job))
        return fleet_report(
            self.queue.kind,
            self.queue.jobs.values(),
            handed_over=len(self.outstanding),
            use=add(self._use, now),
            note=self._silence or self.queue.pressure.words or self._why_not_more or None,
        )

    def _tend(self) -> None:
        """Do what is due, if the database answers."""
        if time.monotonic() < self._away_until:
            return
        try:
            self._do_what_is_due()
        except (PyMongoError, WorkflowBusy, LockedWorkflowError) as error:
            # Jobs go on with what they have, and results wait in the exchange folder.
            self.told(f"{error}; looking again")
            self._away_until = time.monotonic() + AWAY_S

    def _do_what_is_due(self) -> None:
        sweep = self._sweep_clock.due()
        done = list(self.outstanding.out) if sweep else self._exchange.done_names()
        if self.outstanding.take_in(done):
            self._more_clock.hurry()
        if self._keep_clock.due():
            self._exchange.show_life()
            self.outstanding.keep()
        if self._begun_clock.due():
            self._look_for_the_begun()
        if self._queue_clock.due():
            self._follow()
        if self._size_clock.due():
            self._ask_for_more()
        if self._more_clock.due():
            self._hand_over()

    def _look_for_the_begun(self) -> None:
        """Find pilots that began since, and jobs whose script has come to its end."""
        for name, job in self.queue.jobs.items():
            begun = self._exchange.begun(name)
            if len(begun) > len(self._begun.get(name, ())):
                self._begun[name] = begun
                self._queue_clock.hurry()
                self._more_clock.hurry()
                for one in self.outstanding.given_to(name):
                    reservations.begin(self._store, one.briefing)
            over = {one.job for one in self._exchange.ended(name)}
            if any(one in over for one in job.seen):
                self._queue_clock.hurry()

    def _follow(self) -> None:
        """Ask the scheduler, and see to those whose job is over."""
        try:
            gone = self.queue.look()
        except Silent as silence:
            if not self._silence:
                self.told(f"the scheduler does not answer: {silence}; jobs go on")
            self._silence = f"does not answer: {silence}"
            self._show()
            return
        if self._silence:
            self.told("the scheduler answers again")
            self._silence = ""
        for name, found in gone.items():
            self._bury(name, found)
        if gone:
            self._size_clock.hurry()
        self._show()

    def _bury(self, name: str, found: Found) -> None:
        """Let stages go on whose job is over, and put the job away."""
        artefacts = self.outstanding.session.artefacts
        self.outstanding.take_in(self._exchange.done_names())
        for ended in found.seen.values():
            if ended.failure is not None:
                self.told(f"job {ended.id} {name}: {ended.state} {ended.reason}".rstrip())
            casualties.name(self.outstanding.stopped.pop(ended.id, ()), ended, self._store)
            for one in self.outstanding.held_by(ended.id):
                casualties.record(one.briefing, ended, artefacts)
                casualties.settle(one.place, one.briefing, ended, artefacts)
        for one in self.outstanding.given_to(name):  # nobody else may take them
            if not one.has_result:
                casualties.give_back(one.place, one.briefing, "its job is over")
            if not self.outstanding.finish(one):
                return  # the next look is another chance
        self._use = add(self._use, use_of(self._exchange.reports(name)))
        self._begun.pop(name, None)
        self.queue.close(name, found)

    def _ask_for_more(self) -> None:
        """Ask for as many jobs as there is work for, and as may be asked for."""
        if not self.queue.pressure.may_ask(time.time()):
            return
        wish = size(
            [one.load for one in self.backlog.read()],
            [self.outstanding.load(one) for one in self.outstanding.shared()],
            [self._alive(one) for one in self.queue.jobs.values()],
            self.limits,
            others=self.queue.others,
        )
        self._why_not_more = wish.why_not_more
        pilots, taken = wish.pilots, True
        while pilots > 0 and taken:
            count = pilots if self.arrays else 1
            taken = self.queue.ask("pilot", self.limits.pilot, count=count) is not None
            pilots -= count
        for own in wish.own:
            taken = taken and self._ask_for(own)
        if wish.pilots or wish.own:
            self._show()
        self._require_a_queue()

    def _require_a_queue(self) -> None:
        """Raise UserError where the queue takes no job of ours, now or later, and has none."""
        refused = self.queue.refused()
        if not self.queue.pressure.for_good or len(refused) < len(self.queue.jobs):
            return
        for name, found in refused.items():
            self._bury(name, found)
        self._show()
        raise UserError(
            f"{self.queue.kind} takes no job of {self.outstanding.campaign}: "
            f"{self.queue.pressure.words}; put `launcher` right, in the profile or in `run:` of "
            "the campaign file, and `campaign run` goes on"
        )

    def _ask_for(self, own: OwnJob) -> bool:
        """Ask for a job for one stage, which is RESERVED until it begins; tell whether it went."""
        given: list[Out] = []

        def give(job: JobRecord) -> bool:
            folder = self._exchange.own(job.name)
            given.extend(self.outstanding.give([int(own.name)], folder, job.name))
            return bool(given)

        job = self.queue.ask("own", own.shape, prepare=give)
        for one in given:
            reservations.reserve(self._store, one.briefing, job.id if job and job.id else "")
        return job is not None or not given

    def _hand_over(self) -> None:
        """Give running pilots enough to choose from."""
        cores = sum(one.allocation.cores for some in self._begun.values() for one in some)
        if not cores:
            return
        ready = [one for one in self.backlog.read() if not needs_own_job(one.load, self.limits)]
        if not ready:
            return
        count = lookahead(
            [one.load for one in ready],
            self.outstanding.untaken(),
            cores,
            self.limits,
            out=len(self.outstanding.shared()),
        )
        self.outstanding.give([one.fw_id for one in ready[:count]], self._exchange.stages)

    def _alive(self, job: JobRecord) -> Alive:
        """Return what a job is to the number of further ones."""
        walltime_s = SECONDS_PER_MINUTE * job.request.shape.walltime_min
        begun = [one.began_at for one in self._begun.get(job.name, ())]
        passed = time.time() - min(begun) if begun else 0.0
        return Alive(takes_any=job.kind == "pilot", left_s=max(walltime_s - passed, 0.0))

    def _show(self) -> None:
        """Let `campaign status` say how the jobs stand."""
        shown = self.report().model_dump(mode="json")
        mine = {"_id": self.outstanding.campaign}
        self._store.campaigns.update_one(mine, {"$set": {"fleet": shown}})
