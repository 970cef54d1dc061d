"""What the pages ask the store: every question is answered by an index, or reads a bounded number.

They run in threads of their own, beside the server's loop.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from fireworks_ext import leases, ledger
from fireworks_ext.spending import Meter
from fireworks_ext.store import Store
from fireworks_ext.worker.presence import FRESH_S
from runner.control import controller_lease
from runner.cost import CostModel, FinishedRun, calibrate, prior_of
from runner.dashboard.causes import Cause, causes
from runner.dashboard.forecast import hours_left, to_go
from runner.dashboard.rates import History, Rate, Slice, rate_of
from runner.finished_runs import ended_attempts, whole_runs
from runner.monitor import status
from runner.pausing import paused_fireworks
from schemas.clock import utc_now
from schemas.ledger import ANALYSIS, StageState
from schemas.repairs import RepairRecord
from schemas.reports import Interval, Status

MOST_WORKERS = 200
MOST_REPAIRS = 10
MOST_RUNNING = 12
MOST_RUNS = 200
"""Ended attempts of a task from which the forecast learns."""
LEARNT_S = 60.0
"""So long the forecast keeps what it has learnt."""


@dataclass(frozen=True)
class WorkerSeen:
    """A worker process that gave a sign of life of late."""

    name: str
    seen: datetime | None
    since: datetime | None
    paused: str
    """Why it computes nothing now; empty where it does not pause."""


@dataclass(frozen=True)
class RunningNow:
    """A calculation that is under way."""

    candidate: str
    formula: str
    stage: str


@dataclass(frozen=True)
class Snapshot:
    """A campaign at one moment."""

    status: Status
    at: datetime = field(compare=False)
    started_at: datetime | None
    controller: str | None
    """Who controls it, where somebody does."""
    paused: int
    """Fireworks that a person has paused, here or by `lpad`."""
    is_paused: bool
    """The whole campaign is."""
    slices: tuple[Slice, ...]
    rate: Rate | None
    hours_left: Interval | None
    causes: tuple[Cause, ...]
    workers: tuple[WorkerSeen, ...]
    running: tuple[RunningNow, ...]
    repairs: tuple[RepairRecord, ...]
    took_s: float = field(compare=False, default=0.0)

    @property
    def is_moving(self) -> bool:
        """Tell whether anything will change by itself."""
        return bool(self.status.unsettled) and (self.controller is not None or bool(self.workers))


@dataclass
class Questions:
    """Asks about one campaign again and again; what cannot change is asked once."""

    store: Store
    campaign: str
    _meter: Meter = field(init=False)
    _history: History = field(init=False)
    _learnt: dict[tuple[str, str], tuple[float, CostModel, list[FinishedRun]]] = field(
        default_factory=dict
    )

    def __post_init__(self) -> None:
        self._meter = Meter(self.store, self.campaign)
        self._history = History(self.store, self.campaign)

    def snapshot(self) -> Snapshot:
        """Return where the campaign stands.

        Raises
        ------
        UserError
            When the store knows no such campaign.
        """
        began = time.perf_counter()
        document = self.document()
        now = status(self.store, self.campaign, self._meter)
        at, started = utc_now(), document.get("started_at")
        slices = self._history.slices(started, at) if started else ()
        rate = rate_of(slices)
        held = sum(one.held for one in now.stages)
        paused = max(paused_fireworks(self.store, self.campaign) - held, 0)
        is_paused = bool(document.get("paused"))
        owner = controller(self.store, self.campaign)
        seen = workers(self.store, self.campaign)
        moves = not is_paused and (owner is not None or bool(seen))
        return Snapshot(
            status=now,
            at=at,
            started_at=started,
            controller=owner,
            paused=paused,
            is_paused=is_paused,
            slices=slices,
            rate=rate,
            hours_left=self._forecast(now, document["tasks"], rate) if moves else None,
            causes=causes(self.store, self.campaign, now.stages, document["tasks"]),
            workers=seen,
            running=self._running(now),
            repairs=self._repairs(),
            took_s=time.perf_counter() - began,
        )

    def document(self) -> Mapping[str, Any]:
        """Return the campaign's document, without the texts of its file."""
        found: Mapping[str, Any] | None = self.store.campaigns.find_one(
            {"_id": self.campaign}, {"revisions": 0, "site": 0}
        )
        return found if found is not None else ledger.find_campaign(self.store, self.campaign)

    def _forecast(
        self, now: Status, tasks: Mapping[str, Any], rate: Rate | None
    ) -> Interval | None:
        if rate is None or not now.unsettled:
            return None
        left = []
        for counts in now.stages:
            task = tasks.get(counts.stage, {})
            if counts.unsettled and task.get("engine", ANALYSIS) != ANALYSIS:
                left.append(to_go(counts, *self._model(task["engine"], task["task"])))
        return hours_left(left, rate)

    def _model(self, engine: str, task: str) -> tuple[CostModel, list[FinishedRun]]:
        known = self._learnt.get((engine, task))
        if known is None or time.monotonic() - known[0] > LEARNT_S:
            runs = whole_runs(ended_attempts(self.store, engine, task, MOST_RUNS))
            model = calibrate(runs, prior_of(engine, task))
            known = self._learnt[engine, task] = (time.monotonic(), model, runs)
        return known[1], known[2]

    def _running(self, now: Status) -> tuple[RunningNow, ...]:
        found: list[RunningNow] = []
        for counts in now.stages:
            if not counts.running or len(found) >= MOST_RUNNING:
                continue
            mine = {"campaign": self.campaign, "member": True}
            running = {f"stages.{counts.stage}.state": StageState.RUNNING.value}
            some = self.store.candidates.find({**mine, **running}, {"id": 1, "formula": 1})
            for one in some.limit(MOST_RUNNING - len(found)):
                found.append(RunningNow(one["id"], one["formula"], counts.stage))  # noqa: PERF401
        return tuple(found)

    def _repairs(self) -> tuple[RepairRecord, ...]:
        found = self.store.repairs.find({"campaign": self.campaign}, {"_id": 0})
        newest = found.sort("at", -1).limit(MOST_REPAIRS)
        return tuple(RepairRecord.model_validate(one) for one in newest)


def names(store: Store, chosen: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the campaigns to be shown, those that began last first."""
    found = store.campaigns.find({}, {"started_at": 1})
    began = {one["_id"]: one.get("started_at") or datetime.min for one in found}  # noqa: DTZ901
    known = sorted(began, key=lambda name: began[name], reverse=True)
    return tuple(name for name in known if not chosen or name in chosen)


def require(store: Store, chosen: tuple[str, ...]) -> None:
    """Raise UserError when the store does not know all of some campaigns."""
    for name in chosen:
        ledger.find_campaign(store, name)


def workers(store: Store, campaign: str) -> tuple[WorkerSeen, ...]:
    """Return the workers of a campaign that gave a sign of life of late."""
    lately = {"seen": {"$gt": utc_now() - timedelta(seconds=FRESH_S)}}
    found = store.workers.find(lately).sort("_id", 1).limit(MOST_WORKERS)
    return tuple(
        WorkerSeen(
            one["_id"],
            one.get("seen"),
            one.get("since"),
            (one.get("paused") or {}).get(campaign, ""),
        )
        for one in found
        if not one.get("campaigns") or campaign in one["campaigns"]
    )


def controller(store: Store, campaign: str) -> str | None:
    """Return the process that controls a campaign, if one does."""
    name = controller_lease(campaign)
    if leases.is_free(store, name):
        return None
    return str((store.leases.find_one({"_id": name}) or {}).get("owner", "")) or None
