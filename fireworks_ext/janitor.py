"""Puts right what killed processes leave behind; part of every `campaign run`.

FireWorks alone would leave it for hours, or for ever: locks without a holder, reservations without
a launch, launches whose worker is gone, fireworks that wait for somebody who never calls.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from fireworks_ext import leases, ledger, removal, rest, states
from fireworks_ext.artefacts import Artefacts
from fireworks_ext.descendants import block
from fireworks_ext.endings import FILES, budget_wait
from fireworks_ext.processes import host_name, is_gone, parse, running_in
from fireworks_ext.store import Store
from schemas.failure import FailureName
from schemas.ledger import StageState
from schemas.work import StageOrder

STALE_S = 60.0
"""After this, a lock or a reservation of a process that cannot be asked counts as left behind."""
LOST_S = 300.0
"""After this without a sign of life, a launch on another machine counts as lost."""


MOST_BREAKDOWNS = 5
"""Launches that end without a record before the stage counts as failed."""
UNRECORDED = {"action.stored_data._exception._details.name": {"$exists": False}}
"""Launches that ended without a `StageFailed`: a recorded failure that is retried is none."""


@dataclass
class Report:
    """What was put right, as text for the log."""

    repairs: list[str] = field(default_factory=list)
    orphans: int = 0
    """Programs that outlived their workers and still run; their keys wait for them."""


@dataclass
class Janitor:
    """Repairs the fireworks of one campaign; keeps what it saw from one round to the next."""

    store: Store
    campaign: str
    artefacts: Artefacts
    _locks_seen: dict[Any, float] = field(default_factory=dict)

    def clean(self) -> Report:
        """Do one round. The order matters: locks first, then launches, then those that wait."""
        report = Report()
        deserted = self._nobody_works()
        self._leases(report)
        self._locks(report, deserted=deserted)
        self._reservations(report, deserted=deserted)
        self._launches(report)
        self._fizzled(report)
        if deserted or self._is_idle():
            rest.tidy(self.store, self.campaign, report.repairs, by=self._name)
        self._waiters(report)
        return report

    @property
    def _name(self) -> str:
        return f"janitor@{host_name()}"

    def stands_still(self) -> bool:
        """Tell whether nothing will move by itself: a user paused the rest, or it is blocked."""
        if not self._is_idle():
            return False
        waiting = self.store.fireworks.find(
            {"spec.campaign": self.campaign, "state": "WAITING"}, {"spec._waits_for": 1}
        )
        keys = {one["spec"].get("_waits_for") for one in waiting}
        return all(leases.is_free(self.store, key.removeprefix(FILES)) for key in keys if key)

    def _is_idle(self) -> bool:
        """Tell whether no firework of the campaign runs, or would if there were a worker."""
        busy = {"spec.campaign": self.campaign, "state": {"$in": ["READY", "RESERVED", "RUNNING"]}}
        return self.store.fireworks.find_one(busy, {"_id": 1}) is None

    def _leases(self, report: Report) -> None:
        """Free the leases of processes that are gone, unless their program still runs."""
        for lease in leases.orphaned(self.store):
            if any(running_in(one) for one in self.artefacts.attempts(lease.name)[:1]):
                report.orphans += 1
                continue
            leases.release(self.store, lease)
            states.wake(self.store, lease.name)
            report.repairs.append(f"lease of {lease.name[:12]}: its worker is gone")

    def _locks(self, report: Report, *, deserted: bool) -> None:
        """Unlock workflows whose lock has no holder any more."""
        query = {"metadata.campaign": self.campaign, "locked": {"$exists": True}}
        seen: dict[Any, float] = {}
        for workflow in self.store.workflows.find(query):
            name = workflow["_id"]
            seen[name] = self._locks_seen.get(name, time.monotonic())
            if deserted or _holder_is_gone(workflow["locked"]):
                left_behind = True
            else:
                left_behind = time.monotonic() - seen[name] > STALE_S
            if left_behind:
                missing = rest.missing_nodes(self.store, workflow)
                if missing:
                    removal.mend(self.store, workflow, missing)
                else:
                    states.repair(self.store, workflow, by=self._name)
                report.repairs.append(f"workflow {workflow['nodes']}: lock without a holder")
                del seen[name]
        self._locks_seen = seen

    def _reservations(self, report: Report, *, deserted: bool) -> None:
        """Make fireworks READY again that were taken, but whose launch was never written."""
        query = {"spec.campaign": self.campaign, "state": "RESERVED", "launches": []}
        for document in self.store.fireworks.find(query, {"fw_id": 1, "updated_on": 1}):
            if deserted or _is_old(document["updated_on"]):
                self.store.launchpad._refresh_wf(document["fw_id"])  # noqa: SLF001
                report.repairs.append(f"firework {document['fw_id']}: reserved without a launch")

    def _launches(self, report: Report) -> None:
        """Run again what a worker held that is gone."""
        query = {"spec.campaign": self.campaign, "state": "RUNNING"}
        for document in self.store.fireworks.find(query, {"fw_id": 1, "launches": 1, "spec": 1}):
            launch = self.store.launches.find_one({"launch_id": {"$in": document["launches"]}})
            if launch is None or launch["state"] != "RUNNING":
                self.store.launchpad._refresh_wf(document["fw_id"])  # noqa: SLF001
                report.repairs.append(f"firework {document['fw_id']}: its launch has ended")
            elif _is_lost(launch) and not self._is_computed(document["spec"]["key"]):
                self._run_again(document, launch["launch_id"])
                report.repairs.append(f"firework {document['fw_id']}: its worker is gone")

    def _is_computed(self, key: str) -> bool:
        """Tell whether a program that outlived its worker still works on the key."""
        return any(running_in(one) for one in self.artefacts.attempts(key)[:1])

    def _run_again(self, firework: Mapping[str, Any], launch_id: int) -> None:
        order = StageOrder.model_validate(firework["spec"]["order"])
        ledger.set_stage(self.store, order, StageState.READY)
        run = states.Running(firework["fw_id"], launch_id)
        states.detach(self.store, run, "READY", by=self._name)

    def _fizzled(self, report: Report) -> None:
        """Run again what FireWorks gave up without the ledger knowing of a failure.

        Such a firework was stopped by something that is not the calculation: a database that went
        away, a disk that was full. When that happens again and again, it is a failure.
        """
        query = {"spec.campaign": self.campaign, "state": "FIZZLED"}
        wanted = {"fw_id": 1, "spec.order": 1, "launches": 1, "archived_launches": 1}
        for document in self.store.fireworks.find(query, wanted):
            order = StageOrder.model_validate(document["spec"]["order"])
            if self._entry(order) in {None, StageState.FAILED}:
                continue
            name = f"firework {document['fw_id']}"
            tries = [*document["archived_launches"], *document["launches"]]
            given_up = {"launch_id": {"$in": tries}, "state": "FIZZLED"} | UNRECORDED
            if self.store.launches.count_documents(given_up) < MOST_BREAKDOWNS:
                self.store.launchpad.rerun_fw(document["fw_id"])
                report.repairs.append(f"{name}: ended without a record")
            else:
                self._give_up(order, document["fw_id"], tries[-1])
                report.repairs.append(f"{name}: ended without a record too often")

    def _give_up(self, order: StageOrder, fw_id: int, launch_id: int) -> None:
        launch = self.store.launches.find_one({"launch_id": launch_id}) or {}
        exception = ((launch.get("action") or {}).get("stored_data") or {}).get("_exception") or {}
        trace = str(exception.get("_stacktrace") or "no trace was kept").strip()
        ledger.set_stage(
            self.store,
            order,
            StageState.FAILED,
            failure=FailureName.UNRECOGNISED.value,
            reason=f"broke down {MOST_BREAKDOWNS} times: {trace.splitlines()[-1]}",
        )
        block(self.store, order, fw_id, StageState.FAILED)

    def _entry(self, order: StageOrder) -> StageState | None:
        document = self.store.candidates.find_one(
            {"_id": ledger.candidate_key(order.campaign, order.candidate)}, {"stages": 1}
        )
        entry = document["stages"].get(order.stage) if document else None
        return StageState(entry["state"]) if entry and entry["key"] == order.key else None

    def _waiters(self, report: Report) -> None:
        """Wake fireworks whose key nobody computes any more, or whose budget was raised."""
        query = {
            "spec.campaign": self.campaign,
            "state": "WAITING",
            "spec._waits_for": {"$exists": True},
        }
        waiting = [
            (document["spec"]["_waits_for"], StageOrder.model_validate(document["spec"]["order"]))
            for document in self.store.fireworks.find(
                query, {"spec._waits_for": 1, "spec.order": 1}
            )
        ]
        known = ledger.find_results(self.store, {name for name, _ in waiting}, self.campaign)
        due = {name for name, order in waiting if name in known or self._is_due(name, order)}
        for name in sorted(due):
            if states.wake(self.store, name):
                report.repairs.append(f"woken: what waited for {name[:24]}")

    def _is_due(self, name: str, order: StageOrder) -> bool:
        """Tell whether what waits for something without a result should look again."""
        if name == budget_wait(self.campaign):
            return not self._is_spent()
        if name == order.key or name.startswith(FILES):
            return leases.is_free(self.store, name.removeprefix(FILES))
        record = ledger.find_candidate(self.store, order.campaign, order.candidate)
        mine = record.stages.get(order.stage)
        above = [record.stages.get(stage) for stage, key in order.reads.items() if key == name]
        ended = any(one and one.state.settled and one.state is not StageState.OK for one in above)
        return ended and mine is not None and not mine.state.settled

    def _is_spent(self) -> bool:
        limit = ledger.find_campaign(self.store, self.campaign).get("core_hours")
        return limit is not None and ledger.spent_core_hours(self.store, self.campaign) >= limit

    def _nobody_works(self) -> bool:
        """Tell whether all workers that ever registered are known to be gone."""
        workers = self.store.workers.find({}, {"_id": 1})
        processes = [parse(document["_id"]) for document in workers]
        gone = [process for process in processes if process is None or is_gone(process)]
        for process in gone:
            if process is not None:
                self.store.workers.delete_one({"_id": process.name})
        return len(gone) == len(processes)


def _holder_is_gone(lock: Any) -> bool:
    if not isinstance(lock, Mapping):
        return False  # FireWorks' own lock does not say whose it is
    process = parse(str(lock.get("by", "")))
    return process is not None and is_gone(process)


def _is_old(moment: Any) -> bool:
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return bool(datetime.now(UTC) - moment > timedelta(seconds=STALE_S))


def _is_lost(launch: Mapping[str, Any]) -> bool:
    """Tell whether the worker of a launch is gone: asked on its machine, else by its silence."""
    process = parse(str(launch["fworker"]["name"]))
    if process is not None and process.host == host_name():
        return is_gone(process)
    beat = launch["state_history"][-1].get("updated_on")
    if isinstance(beat, str):
        beat = datetime.fromisoformat(beat)
    if beat is None:
        return False
    if beat.tzinfo is None:
        beat = beat.replace(tzinfo=UTC)
    return bool(datetime.now(UTC) - beat > timedelta(seconds=LOST_S))
