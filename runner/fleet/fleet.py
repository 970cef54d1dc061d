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
from runner.fleet import casualties, ownership
from runner.fleet.demand import Demand
from runner.fleet.outstanding import Outstanding
from runner.fleet.queue import Queue
from runner.fleet.reconcile import UNSURE_S, Found
from runner.fleet.report import add, fleet_report, use_of
from runner.fleet.upkeep import Upkeep
from schemas.errors import UserError
from schemas.fleet import FleetReport
from schemas.queue import JobSeen, Silent

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
    demand: Demand
    told: Callable[[str], None] = lambda _text: None
    """Hears what happens to jobs that a person may want to know of."""

    def __post_init__(self) -> None:
        self._exchange = self.queue.exchange
        self._store = self.outstanding.session.store
        self._here = True
        self._begun: dict[str, list[Begun]] = {}
        self._use = self.queue.use_before()
        self._away_until = 0.0
        self._silence = ""
        """What the scheduler, or whoever asked it, said instead of an answer."""
        self._begun_clock = Clock(BEGUN_S)
        self._upkeep = Upkeep(self._keep, leases.RENEW_S)
        self._ended: dict[str, int] = {}
        self._more_clock = Clock(MORE_S)
        self._queue_clock = Clock(QUEUE_S)
        self._size_clock = Clock(SIZE_S)
        self._sweep_clock = Clock(SWEEP_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._here = False
        self._upkeep.stop()

    def adopt(self) -> None:
        """Go on with what a fleet before this one asked for and handed over.

        From now on all of it is kept, also while the controller screens or publishes.
        """
        ownership.take(self._store, self.outstanding.campaign, self._exchange)
        self.outstanding.adopt(self.queue.jobs)
        self._exchange.let_stay()
        self._upkeep.start()

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
        try:
            self.queue.cancel(lambda one: one.phase == "waiting")
            self._follow_while(lambda: bool(self.queue.jobs), GOODBYE_S)
            self.queue.cancel()
            if self._here and self.queue.is_unanswered():
                self.told("one more look at a job of which nobody knows whether it was taken")
                self._follow_while(self.queue.is_unanswered, UNSURE_S)
                self.queue.cancel()
        except Silent as silence:
            self.told(f"{silence}; jobs that find nothing to do end by themselves")
        self._show()

    def _follow_while(self, needed: Callable[[], bool], longest_s: float) -> None:
        until = time.monotonic() + longest_s
        while needed() and self._here and time.monotonic() < until:
            self._look_for_the_begun()
            if self._queue_clock.due():
                self._follow()
            time.sleep(LOOK_S)

    def report(self) -> FleetReport:
        """Return how the jobs stand."""
        now = use_of(one for job in self.queue.jobs for one in self._exchange.reports(job))
        return fleet_report(
            self.queue.kind,
            self.queue.jobs.values(),
            handed_over=len(self.outstanding),
            taken=self.outstanding.n_taken,
            use=add(self._use, now),
            note=self._silence or self.demand.words or None,
        )

    def _keep(self) -> None:
        self._exchange.show_life()
        self.outstanding.keep()

    def _tend(self) -> None:
        """Do what is due, if database and file system answer."""
        if time.monotonic() < self._away_until:
            return
        try:
            self._do_what_is_due()
        except (PyMongoError, WorkflowBusy, LockedWorkflowError, OSError) as error:
            # Jobs go on with what they have, and results wait in the exchange folder.
            self.told(f"{error}; looking again")
            self._away_until = time.monotonic() + AWAY_S

    def _do_what_is_due(self) -> None:
        sweep = self._sweep_clock.due()
        done = set(self.outstanding.out) if sweep else self._exchange.done_names()
        if sweep:
            done = {*done, *self._exchange.done_names()}
        if self.outstanding.take_in(done):
            self._more_clock.hurry()
        if self._begun_clock.due():
            self._look_for_the_begun()
        if self._queue_clock.due():
            self._follow()
        if self._size_clock.due():
            self._ask_for_more()
        if self._more_clock.due():
            self.demand.hand_over(self._begun)

    def _look_for_the_begun(self) -> None:
        """Find pilots that began since, and jobs whose script has come to its end."""
        for name in self.queue.jobs:
            begun = self._exchange.begun(name)
            if len(begun) > len(self._begun.get(name, ())):
                self._begun[name] = begun
                self._queue_clock.hurry()
                self._more_clock.hurry()
                for pilot in begun:
                    for one in self.outstanding.given_to(name, pilot.allocation.index or 0):
                        reservations.begin(self._store, one.briefing)
                self.demand.learn_of_nodes(begun)
            ended = len(self._exchange.ended(name))
            if ended > self._ended.get(name, 0):
                self._ended[name] = ended
                self._queue_clock.hurry()

    def _follow(self) -> None:
        """Ask the scheduler, and see to those whose job is over."""
        try:
            gone, elements = self.queue.look()
        except Silent as silence:
            if not self._silence:
                self.told(f"the scheduler does not answer: {silence}; jobs go on")
            self._silence = f"does not answer: {silence}"
            self._show()
            return
        if self._silence:
            self.told("the scheduler answers again")
            self._silence = ""
        for element in elements:
            self._mourn(element)
            if element.phase == "ended":
                self._take_back(element.name, element.index or 0)
        for name, found in gone.items():
            self._bury(name, found)
        if gone or elements:
            self._size_clock.hurry()
        for one in self.outstanding.out.values():
            job = self.queue.jobs.get(one.job or "")
            number = None if job is None else job.element(one.index)
            if number is not None:  # it may not have been known when it was asked for
                reservations.number(self._store, one.briefing, number)
        self._show()

    def _mourn(self, ended: JobSeen) -> None:
        """Let stages go on whose job is over, or was put back into the queue."""
        artefacts = self.outstanding.session.artefacts
        if ended.failure is not None:
            self.told(f"job {ended.id} {ended.name}: {ended.state} {ended.reason}".rstrip())
        casualties.name(self.outstanding.stopped.pop(ended.id, ()), ended, self._store)
        if ended.phase == "running":
            return  # again, and what it has now, it has taken since
        held = list(self.outstanding.held_by(ended.id))
        casualties.bury({one.place: one.briefing for one in held}, ended, artefacts)
        for one in held:
            self.outstanding.free(one)

    def _bury(self, name: str, found: Found) -> None:
        """Let stages go on whose job is over, and put the job away."""
        self.outstanding.take_in(self._exchange.done_names())
        for ended in found.ended(self.queue.jobs[name].seen):
            self._mourn(ended)
        if not self._take_back(name):
            return  # the next look is another chance
        self._use = add(self._use, use_of(self._exchange.reports(name)))
        self.queue.judge(name, found)
        self._begun.pop(name, None)
        self._ended.pop(name, None)
        self.queue.close(name, found)

    def _take_back(self, name: str, index: int | None = None) -> bool:
        """Take in the stages that nobody else may take; tell whether all could be."""
        for one in self.outstanding.given_to(name, index):
            if not one.has_result:
                casualties.give_back(one.place, one.briefing, "its job is over")
            if not self.outstanding.finish(one):
                return False
        return True

    def _ask_for_more(self) -> None:
        """Ask for as many jobs as there is work for.

        Raises UserError where the queue takes no job of ours, now or later, and has none.
        """
        if self.demand.ask(self._begun):
            self._show()
        refused = self.queue.refused()
        if not self.demand.is_hopeless() or len(refused) < len(self.queue.jobs):
            return
        for name, found in refused.items():
            self._bury(name, found)
        self._show()
        raise UserError(
            f"{self.queue.kind} takes no job of {self.outstanding.campaign}: "
            f"{self.demand.words}; put `launcher` right, in the profile or in `run:` of "
            "the campaign file, and `campaign run` goes on"
        )

    def _show(self) -> None:
        """Let `campaign status` say how the jobs stand."""
        shown = self.report().model_dump(mode="json")
        mine = {"_id": self.outstanding.campaign}
        self._store.campaigns.update_one(mine, {"$set": {"fleet": shown}})
