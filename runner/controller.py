"""A run of a campaign from its file to settled results; run again, it continues.

One controller per campaign, by a lease; a second one only watches. Whatever is killed, the next
run finds in the store and in the run directories, see `fireworks_ext.janitor.round`.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fireworks.core.launchpad import LockedWorkflowError
from pymongo.errors import PyMongoError

from fireworks_ext import leases
from fireworks_ext.artefacts import Artefacts
from fireworks_ext.attempts.notices import NoticeWatcher
from fireworks_ext.janitor.round import Janitor
from fireworks_ext.processes import this_process
from fireworks_ext.spending import Meter, fold_spent
from fireworks_ext.states import WorkflowBusy
from fireworks_ext.store import open_store
from fireworks_ext.worker.disk import is_away
from launchers.local import Pool, signals
from runner.barrier_rows import barriers_due
from runner.bystander import Bystander
from runner.campaign_document import machine, write_campaign
from runner.clock import Clock
from runner.control import Control, control_of, controller_lease
from runner.crew import Crew
from runner.enrolment import Enrolment
from runner.exit_codes import exit_code
from runner.export.parquet import collect
from runner.fleet.ownership import require_none_out
from runner.load import LoadedCampaign
from runner.monitor import status
from runner.observer import Observer
from runner.place import Cluster, Place
from runner.publication import Publisher
from runner.readiness import require_price, require_programs
from runner.screenings import screen
from runner.workers import ingest_left
from schemas.clock import utc_now
from schemas.errors import ExitCode, UserError
from schemas.reports import StageCounts, Status

if TYPE_CHECKING:
    from runner.fleet.fleet import Fleet

TICK_S = 0.25
LONGEST_TICK_S = 5.0
TICK_SHARE = 0.05
"""Of its time, the controller spends at most this share on looking at the ledger."""
CLEAN_S = 10.0
FOLD_S = 60.0
CROWDED_S = 10.0
CROWDED_AGAIN_S = 300.0
"""When workers without a core of their own are worth a word."""
WORKER = "fireworks_ext.worker.loop:serve"
KEEP_OLD_TABLES_S = 24 * 3600.0


@dataclass
class Run:
    """One run of one campaign."""

    loaded: LoadedCampaign
    place: Place
    observer: Observer = field(default_factory=Observer)
    computes: bool = True
    """False: others compute, on this machine or elsewhere."""

    def __post_init__(self) -> None:
        self._name = self.loaded.campaign.campaign
        self.store = open_store(self.place.store)
        self._enrolment = Enrolment(
            self.store,
            self.loaded,
            machine(self.place),
            window=self.place.window,
            by=this_process().name,
        )
        self._meter = Meter(self.store, self._name)
        self._publisher = Publisher(self.store, self._name, self.place.tables)
        self._fleet = self._muster(self.place.cluster) if self.computes else None
        self._janitor = Janitor(
            self.store,
            self._name,
            Artefacts(self.place.artefacts),
            self._fleet.queue if self._fleet is not None else None,
        )
        self._advanced_at: tuple[StageCounts, ...] = ()

    def go(self) -> tuple[Status, ExitCode]:
        """Screen, submit, work, publish; return where the campaign stands and why it stopped."""
        if self.computes and self.place.cluster is None:
            require_programs(self.loaded, self.place)
        with control_of(self.store, self._name) as control:
            if control is None:
                return self._watch()
            self.prepare()
            return self._work(control)

    def prepare(self) -> None:
        """Screen, write the campaign down, repair what was left behind, submit what is missing."""
        require_price(self.loaded, self.place)
        roster, funnel = screen(self.loaded, self.place, self.observer.screening)
        write_campaign(self.store, self.loaded, self.place, funnel)
        if self._fleet is not None:
            # First: to a janitor, what jobs compute looks like what nobody works on.
            self._fleet.adopt()
        elif self.computes:
            require_none_out(self.store, self._name)
        self._repair()
        self.observer.submitted(self._enrolment.enrol(roster))
        self._repair()

    def advance(self) -> bool:
        """Submit what waited for other candidates: for room, or for an analysis of all.

        Analyses are computed whose results have all ended. Returns whether there was anything.
        """
        if self._enrolment.queue.top_up().admitted:
            return True
        if not barriers_due(self.store, self._name, self.loaded.stages):
            return False
        counts = self._enrolment.proceed()
        if counts.fireworks or counts.retired:
            self.observer.submitted(counts)
        return True

    def _repair(self) -> int:
        """Deliver what dead workers could not, and let the janitor do a round.

        Return how many programs outlived their workers.
        """
        # First: who died while writing down left locks that the rest of it would wait for.
        self._janitor.unlock()
        for delivery in ingest_left(self.store, self.place.data / "launches"):
            self.observer.repaired(f"{delivery.order.formula} {delivery.order.stage}: delivered")
        report = self._janitor.clean()
        for text in report.repairs:
            self.observer.repaired(text)
        return report.orphans

    def _work(self, control: Control) -> tuple[Status, ExitCode]:
        now = status(self.store, self._name)
        if not now.unsettled:
            if self._fleet is not None:  # a killed controller may have left jobs
                self._fleet.dismiss()
            return self.finish("settled")
        self.observer.status(now)
        with self._crew() as crew, signals(crew) as interrupts, self._notices():
            try:
                self._tend(crew, control)
            except UserError:  # a queue that takes no jobs
                self.finish("drained")
                raise
            if interrupts.interrupted == "none" and not control.lost:
                crew.dismiss()
            crew.drain()
            crew.join()
        if interrupts.interrupted != "none":
            stopped = interrupts.interrupted == "stopped"
            return self.finish("interrupted" if stopped else "drained")
        if control.lost:  # how it ends says who controls it now
            return self._watch()
        self._repair()  # what killed workers left behind that nobody came across
        return self.finish("settled")

    @contextmanager
    def _notices(self) -> Iterator[None]:
        """On a spot instance, take the notice of its end as a request to stop."""
        if not self.place.local.spot:
            yield
            return
        watcher = NoticeWatcher(lambda _notice: os.kill(os.getpid(), signal.SIGTERM))
        watcher.start()
        try:
            yield
        finally:
            watcher.stop()

    def _muster(self, cluster: Cluster | None) -> Fleet | None:
        """Return the campaign's jobs in the queue of its cluster, where one computes."""
        if cluster is None:
            return None
        from runner.fleet.muster import muster

        return muster(self.store, self._name, self.place, cluster, self.observer.told)

    def _crew(self) -> Crew:
        if self._fleet is not None:
            return self._fleet
        if not self.computes:
            return Bystander()
        logs = self.place.data / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        return Pool(
            self.place.local,
            WORKER,
            {
                "store": self.place.store,
                "campaigns": [self._name],
                "folder": str(self.place.data / "launches"),
                "grace_s": self.place.local.grace_s,
            },
            lock_folder=self.place.locks,
            log=logs / f"{self._name}.log",
        )

    def _tend(self, crew: Crew, control: Control) -> None:
        """Watch the workers until nothing moves any more, or they were told to leave."""
        clean, fold = Clock(CLEAN_S), Clock(FOLD_S)
        clean.reset()
        fold.reset()
        crowded_at = time.monotonic() + CROWDED_S
        while crew.alive() and not control.lost:
            for death in crew.poll():
                self.observer.repaired(str(death))
                clean.hurry()
            began = time.monotonic()
            if began > crowded_at and not crew.cores():
                self.observer.waiting()
                crowded_at = began + CROWDED_AGAIN_S
            try:
                if self._look(clean, fold):
                    return
                took = time.monotonic() - began
            except (PyMongoError, WorkflowBusy, LockedWorkflowError, OSError) as error:
                if isinstance(error, OSError) and not is_away(error, self.place.data):
                    raise
                # Workers go on with what they have, and deliver it later.
                self.observer.told(f"{error}; looking again")
                took = LONGEST_TICK_S
            crew.wait(min(max(TICK_S, took / TICK_SHARE), LONGEST_TICK_S))

    def _look(self, clean: Clock, fold: Clock) -> bool:
        """Do what is due, and tell whether nothing moves any more."""
        if self._is_done():
            return True
        if clean.due():
            if self._stands_still():
                return True
            self._advanced_at = ()
        if fold.due():
            fold_spent(self.store, self._name)
        if self._publisher.is_due():
            self._publisher.publish()
        return False

    def _is_done(self) -> bool:
        """Send on its way what waits for room, and tell whether nothing is left to be done."""
        self._enrolment.queue.top_up()
        now = self._status()
        self.observer.status(now)
        return not now.unsettled or self._is_over_budget(now)

    def _stands_still(self) -> bool:
        """Repair what there is, and tell whether nothing moves by itself any more."""
        orphans = self._repair()
        return not orphans and self._janitor.stands_still() and not self._another()

    def _status(self) -> Status:
        """Return where the campaign stands, once analyses are computed that can be."""
        now = status(self.store, self._name, self._meter)
        moving = {stage.stage for stage in now.stages if stage.unsettled}
        ended = any(barrier.of not in moving for barrier in self.loaded.barriers)
        if ended and now.stages != self._advanced_at:
            self._advanced_at = now.stages
            if self.advance():
                now = status(self.store, self._name, self._meter)
        return now

    def _another(self) -> bool:
        """Send pending candidates on their way when what is in the window stands still."""
        return self._enrolment.queue.top_up(anyway=True).admitted > 0

    def _is_over_budget(self, now: Status) -> bool:
        """Tell whether the budget is spent and nothing runs any more."""
        return now.is_spent and not any(stage.running for stage in now.stages)

    def finish(self, state: str) -> tuple[Status, ExitCode]:
        """Write how the run ended, publish, and say it in an exit code."""
        now = status(self.store, self._name)
        if state == "settled" and now.unsettled:
            state = "over budget" if self._is_over_budget(now) else "drained"
        self.store.campaigns.update_one(
            {"_id": self._name}, {"$set": {"state": state, "updated_at": utc_now()}}
        )
        self._publisher.publish()
        collect(self.place.tables, KEEP_OLD_TABLES_S)
        final = status(self.store, self._name)
        self.observer.status(final)
        return final, exit_code(final)

    @property
    def unsent(self) -> str | None:
        """Why tables that go to S3 are not there; None where they are, or stay in a folder."""
        return self._publisher.sending.problem

    def _watch(self) -> tuple[Status, ExitCode]:
        """Follow a campaign that another process controls."""
        held = self.store.leases.find_one({"_id": controller_lease(self._name)})
        self.observer.watching(held["owner"] if held else "")
        while True:
            now = status(self.store, self._name)
            self.observer.status(now)
            if leases.is_free(self.store, controller_lease(self._name)):
                return now, exit_code(now)
            time.sleep(1.0)
