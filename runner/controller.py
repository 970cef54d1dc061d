"""A run of a campaign from its file to settled results; run again, it continues.

One controller per campaign, by a lease; a second one only watches. Whatever is killed, the next
run finds in the store and in the run directories, see `fireworks_ext.janitor.round`.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

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
from launchers.local import Pool, signals
from runner.barrier_rows import barriers_due
from runner.bystander import Bystander
from runner.campaign_document import machine, write_campaign
from runner.control import Control, control_of, controller_lease
from runner.enrolment import Enrolment
from runner.export.parquet import collect
from runner.load import LoadedCampaign
from runner.monitor import status
from runner.place import Place
from runner.publication import Publisher
from runner.screenings import screen
from runner.submit import Counts
from runner.workers import ingest_left
from schemas.clock import utc_now
from schemas.errors import ExitCode, UserError
from schemas.reports import StageCounts, Status

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
class Observer:
    """What a run tells while it goes on; every call may be ignored."""

    screening: Callable[[int, int | None], None] = lambda _done, _total: None
    submitted: Callable[[Counts], None] = lambda _counts: None
    repaired: Callable[[str], None] = lambda _text: None
    status: Callable[[Status], None] = lambda _status: None
    watching: Callable[[str], None] = lambda _owner: None
    waiting: Callable[[], None] = lambda: None


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
        self._janitor = Janitor(self.store, self._name, Artefacts(self.place.artefacts))
        self._enrolment = Enrolment(
            self.store,
            self.loaded,
            machine(self.place),
            window=self.place.window,
            by=this_process().name,
        )
        self._meter = Meter(self.store, self._name)
        self._publisher = Publisher(self.store, self._name, self.place.tables)
        self._advanced_at: tuple[StageCounts, ...] = ()

    def go(self) -> tuple[Status, ExitCode]:
        """Screen, submit, work, publish; return where the campaign stands and why it stopped."""
        if self.computes:
            require_programs(self.loaded, self.place)
        with control_of(self.store, self._name) as control:
            if control is None:
                return self._watch()
            self.prepare()
            return self._work(control)

    def prepare(self) -> None:
        """Screen, write the campaign down, repair what was left behind, submit what is missing."""
        roster, funnel = screen(self.loaded, self.place, self.observer.screening)
        write_campaign(self.store, self.loaded, self.place, funnel)
        self._janitor.unlock()
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
        for delivery in ingest_left(self.store, self.place.data / "launches"):
            self.observer.repaired(f"{delivery.order.formula} {delivery.order.stage}: delivered")
        report = self._janitor.clean()
        for text in report.repairs:
            self.observer.repaired(text)
        return report.orphans

    def _work(self, control: Control) -> tuple[Status, ExitCode]:
        now = status(self.store, self._name)
        if not now.unsettled:
            return self.finish("settled")
        self.observer.status(now)
        with self._pool() as pool, signals(pool) as interrupts, self._notices():
            self._tend(pool, control)
            pool.drain()
            pool.join()
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

    def _pool(self) -> Pool | Bystander:
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

    def _tend(self, pool: Pool | Bystander, control: Control) -> None:
        """Watch the workers until nothing moves any more, or they were told to leave."""
        cleaned = folded = time.monotonic()
        crowded_at = time.monotonic() + CROWDED_S
        while pool.alive() and not control.lost:
            for death in pool.poll():
                self.observer.repaired(str(death))
                cleaned = 0.0
            began = time.monotonic()
            if began > crowded_at and not pool.cores():
                self.observer.waiting()
                crowded_at = began + CROWDED_AGAIN_S
            try:
                if self._is_done():
                    return
                took = time.monotonic() - began
                if began - cleaned > CLEAN_S:
                    if self._stands_still():
                        return
                    cleaned, self._advanced_at = time.monotonic(), ()
                if began - folded > FOLD_S:
                    fold_spent(self.store, self._name)
                    folded = time.monotonic()
                if self._publisher.is_due():
                    self._publisher.publish()
            except (PyMongoError, WorkflowBusy, LockedWorkflowError) as error:
                # Workers go on with what they have, and deliver it later.
                self.observer.repaired(f"{error}; looking again")
                took = LONGEST_TICK_S
            time.sleep(min(max(TICK_S, took / TICK_SHARE), LONGEST_TICK_S))

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
        limit = now.core_hours_limit
        running = sum(stage.running for stage in now.stages)
        return limit is not None and now.core_hours >= limit and not running

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


def require_programs(loaded: LoadedCampaign, place: Place) -> None:
    """Raise UserError when a stage's program is not there: every calculation would fail."""
    for stage in loaded.calculations:
        for program in stage.plugin.programs(place.site):
            if shutil.which(program) is None:
                raise UserError(
                    f"stages.{stage.name}: no program '{program}' on this machine; install it, or "
                    "name it under `codes` in a profile (`campaign doctor` says more)"
                )


def exit_code(status: Status) -> ExitCode:
    """Return what a run that leaves the campaign like this says to the shell."""
    if status.state == "interrupted":
        return ExitCode.INTERRUPTED
    if status.state == "over budget":
        return ExitCode.STOPPED_BY_BUDGET
    if status.state == "drained" or status.unsettled:
        return ExitCode.DRAINED
    return ExitCode.SETTLED_WITH_FAILURES if status.troubled else ExitCode.SETTLED
