"""A run of a campaign from its file to settled results; run again, it continues.

One controller per campaign, by a lease; a second one only watches. Whatever is killed, the next
run finds in the store and in the run directories, see `fireworks_ext.janitor`.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from fireworks_ext import leases
from fireworks_ext.artefacts import Artefacts
from fireworks_ext.janitor import Janitor
from fireworks_ext.notices import NoticeWatcher
from fireworks_ext.processes import this_process
from fireworks_ext.store import open_store
from launchers.local import Pool, signals
from runner.analysis_stage import AnalysisStage
from runner.compilation import barriers_due
from runner.control import Control, control_of, controller_lease
from runner.enrolment import enrol
from runner.export.parquet import collect
from runner.load import LoadedCampaign
from runner.monitor import status
from runner.orders import Machine
from runner.place import Place
from runner.publication import publish_ledger
from runner.screening import Survivor
from runner.screenings import screen
from runner.stages import AnyStage
from runner.standing import above
from runner.submit import Counts
from schemas.clock import utc_now
from schemas.errors import ExitCode, UserError
from schemas.ledger import ANALYSIS
from schemas.reports import StageCounts, Status

TICK_S = 0.25
LONGEST_TICK_S = 5.0
TICK_SHARE = 0.05
"""Of its time, the controller spends at most this share on looking at the ledger."""
CLEAN_S = 10.0
PUBLISH_S = 15.0
CROWDED_S = 10.0
CROWDED_AGAIN_S = 300.0
"""When workers without a core of their own are worth a word."""
WORKER = "fireworks_ext.worker:serve"
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

    def __post_init__(self) -> None:
        self._name = self.loaded.campaign.campaign
        self._me = this_process()
        self.store = open_store(self.place.store)
        self._machine = machine(self.place)
        self._janitor = Janitor(self.store, self._name, Artefacts(self.place.artefacts))
        self._survivors: list[Survivor] = []
        self._advanced_at: tuple[StageCounts, ...] = ()

    def go(self) -> tuple[Status, ExitCode]:
        """Screen, submit, work, publish; return where the campaign stands and why it stopped."""
        require_programs(self.loaded, self.place)
        with control_of(self.store, self._name) as control:
            if control is None:
                return self._watch()
            self.prepare()
            return self._work(control)

    def prepare(self) -> None:
        """Screen, write the campaign down, repair what was left behind, submit what is missing."""
        self._survivors, funnel = screen(self.loaded, self.place, self.observer.screening)
        self._write_campaign(funnel)
        self._repair()
        self.observer.submitted(self._enrol())
        self._repair()

    def advance(self) -> bool:
        """Compute the analyses whose results have all ended, and submit what waited for them.

        Returns whether there were any.
        """
        if not barriers_due(self.store, self._name, self.loaded.stages):
            return False
        counts = self._enrol()
        if counts.fireworks or counts.retired:
            self.observer.submitted(counts)
        return True

    def _enrol(self) -> Counts:
        return enrol(self.store, self.loaded, self._survivors, self._machine, by=self._me.name)

    def _write_campaign(self, funnel: dict[str, Any]) -> None:
        """Write the campaign's document, with a revision when its file has changed."""
        now = utc_now()
        old = self.store.campaigns.find_one({"_id": self._name}) or {}
        revisions = old.get("revisions", [])
        if not revisions or revisions[-1]["sha256"] != self.loaded.sha256:
            revisions = [
                *revisions,
                {
                    "revision": len(revisions) + 1,
                    "sha256": self.loaded.sha256,
                    "text": self.loaded.text,
                    "at": now,
                },
            ]
        stages = self.loaded.stages
        document = {
            "_id": self._name,
            "schema_version": 1,
            "project": self.loaded.campaign.project,
            "revision": len(revisions),
            "revisions": revisions,
            "state": "running",
            "file": str(self.loaded.path),
            "site": self._machine.site.model_dump(mode="json"),
            "artefacts": str(self.place.artefacts),
            "tables": str(self.place.tables),
            "core_hours": self.loaded.campaign.budget.core_hours,
            "stages": [stage.name for stage in stages],
            "tasks": {stage.name: task_of(stage) for stage in stages},
            "barriers": {
                one.name: {"of": one.of, "above": list(above(stages, one.of))}
                for one in self.loaded.barriers
            },
            "started_at": old.get("started_at", now),
            "updated_at": now,
            **funnel,
        }
        self.store.campaigns.replace_one({"_id": self._name}, document, upsert=True)

    def _repair(self) -> int:
        """Let the janitor do a round; return how many programs outlived their workers."""
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

    def _pool(self) -> Pool:
        logs = self.place.data / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        return Pool(
            self.place.local,
            WORKER,
            {
                "store": self.place.store,
                "campaign": self._name,
                "folder": str(self.place.data / "launches"),
                "grace_s": self.place.local.grace_s,
            },
            lock_folder=self.place.locks,
            log=logs / f"{self._name}.log",
        )

    def _tend(self, pool: Pool, control: Control) -> None:
        """Watch the workers until nothing moves any more, or they were told to leave."""
        cleaned = published = time.monotonic()
        shown: Status | None = None
        crowded_at = time.monotonic() + CROWDED_S
        while pool.alive() and not control.lost:
            for death in pool.poll():
                self.observer.repaired(str(death))
                cleaned = 0.0
            began = time.monotonic()
            if began > crowded_at and not pool.cores():
                self.observer.waiting()
                crowded_at = began + CROWDED_AGAIN_S
            now = self._status()
            took = time.monotonic() - began
            self.observer.status(now)
            if not now.unsettled or self._is_over_budget(now):
                return
            if began - cleaned > CLEAN_S:
                orphans = self._repair()
                if not orphans and self._janitor.stands_still():
                    return
                cleaned, self._advanced_at = time.monotonic(), ()
            if began - published > PUBLISH_S and now != shown:
                publish_ledger(self.store, self._name, self.place.tables)
                shown, published = now, time.monotonic()
            time.sleep(min(max(TICK_S, took / TICK_SHARE), LONGEST_TICK_S))

    def _status(self) -> Status:
        """Return where the campaign stands, once analyses are computed that can be."""
        now = status(self.store, self._name)
        moving = {stage.stage for stage in now.stages if stage.unsettled}
        ended = any(barrier.of not in moving for barrier in self.loaded.barriers)
        if ended and now.stages != self._advanced_at:
            self._advanced_at = now.stages
            if self.advance():
                now = status(self.store, self._name)
        return now

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
        publish_ledger(self.store, self._name, self.place.tables)
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


def task_of(stage: AnyStage) -> dict[str, Any]:
    """Return what a stage computes, as the campaign's document holds it."""
    if isinstance(stage, AnalysisStage):
        return {"engine": ANALYSIS, "task": stage.analysis, "params": stage.settings}
    return {"engine": stage.engine, "task": stage.task}


def machine(place: Place) -> Machine:
    """Return what compiling needs to know of the settings."""
    return Machine(place.site, place.local.cores_per_job)
