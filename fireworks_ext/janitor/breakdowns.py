"""Fireworks that FireWorks gave up without the ledger knowing of a failure.

They were stopped by something that is not the calculation: a database that went away, a disk that
was full. They run again; when that happens again and again, it is a failure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fireworks_ext import ledger, pages, states
from fireworks_ext.janitor.locks import is_locked
from fireworks_ext.janitor.repairs import Report
from fireworks_ext.store import Store
from schemas.failure import FailureName
from schemas.ledger import StageState
from schemas.work import StageOrder

MOST_BREAKDOWNS = 5
"""Launches that end without a record before the stage counts as failed."""
UNRECORDED = {"action.stored_data._exception._details.name": {"$exists": False}}
"""Launches that ended without a `StageFailed`: a recorded failure that is retried is none."""
Document = Mapping[str, Any]
GIVEN_UP_IN = ("FIZZLED", "DEFUSED", "PAUSED")
"""States of workflows that have a FIZZLED firework."""


def given_up(store: Store, campaign: str) -> Iterator[Sequence[Document]]:
    """Yield the workflows that have a FIZZLED firework, a page at a time."""
    for state in GIVEN_UP_IN:
        query = {"metadata.campaign": campaign, "state": state}
        yield from pages.pages(store.workflows, query, {"metadata": 1, "fw_states": 1})


def send_on(store: Store, workflows: Sequence[Document], report: Report) -> None:
    """Run again what broke down in some workflows; too often is a failure."""
    fizzled = {
        int(node): ledger.candidate_key(report.campaign, one["metadata"]["candidate"])
        for one in workflows
        for node, state in one["fw_states"].items()
        if state == "FIZZLED"
    }
    for firework in _unrecorded(store, fizzled):
        order = StageOrder.model_validate(firework["spec"]["order"])
        fw_id = firework["fw_id"]
        if is_locked(store, fw_id):
            continue
        tries = [*firework["archived_launches"], *firework["launches"]]
        silent = {"launch_id": {"$in": tries}, "state": "FIZZLED"} | UNRECORDED
        if store.launches.count_documents(silent) < MOST_BREAKDOWNS:
            try:
                states.rerun(store, fw_id)
            except states.WorkflowBusy:  # the next round is another chance
                report.suspects += 1
                continue
            report.add(f"firework {fw_id}", "ended without a record")
        else:
            _give_up(store, order, fw_id, tries[-1])
            report.add(f"firework {fw_id}", "ended without a record too often")


def _unrecorded(store: Store, fizzled: Mapping[int, str]) -> list[Document]:
    """Return those of some fireworks that FIZZLED, of which the ledger knows no failure.

    Parameters
    ----------
    fizzled
        The candidate's `_id` by firework.
    """
    if not fizzled:
        return []
    found = store.candidates.find({"_id": {"$in": sorted(set(fizzled.values()))}}, {"stages": 1})
    suspected = {
        entry["fw_id"]: entry["key"]
        for one in found
        for entry in one["stages"].values()
        if entry["fw_id"] in fizzled and entry["state"] != StageState.FAILED
    }
    if not suspected:
        return []
    wanted = {"fw_id": 1, "state": 1, "spec.order": 1, "launches": 1, "archived_launches": 1}
    fireworks = store.fireworks.find({"fw_id": {"$in": sorted(suspected)}}, wanted)
    return [
        one
        for one in fireworks
        if one["state"] == "FIZZLED" and one["spec"]["order"]["key"] == suspected[one["fw_id"]]
    ]


def _give_up(store: Store, order: StageOrder, fw_id: int, launch_id: int) -> None:
    launch: Document = store.launches.find_one({"launch_id": launch_id}) or {}
    exception = ((launch.get("action") or {}).get("stored_data") or {}).get("_exception") or {}
    trace = str(exception.get("_stacktrace") or "no trace was kept").strip()
    ledger.set_stage(
        store,
        order,
        StageState.FAILED,
        failure=FailureName.UNRECOGNISED.value,
        reason=f"broke down {MOST_BREAKDOWNS} times: {trace.splitlines()[-1]}",
    )
    _block(store, order, fw_id, StageState.FAILED)


def _block(store: Store, order: StageOrder, fw_id: int, state: StageState) -> None:
    """Say that the stages below wait for one that failed; a skipped one stays skipped."""
    orders = _below(store, fw_id)
    if not orders:
        return
    candidate = ledger.find_candidate(store, order.campaign, order.candidate)
    why = {"reason": f"{order.stage} is {state.value}"}
    blocked = []
    for one in orders:
        entry = candidate.stages.get(one.stage)
        if entry is None or entry.state is not StageState.SKIPPED:
            blocked.append(ledger.StageChange(one, StageState.BLOCKED, why))
    ledger.set_stages(store, blocked)
    states.wake(store, *(one.key for one in orders))


def _below(store: Store, fw_id: int) -> list[StageOrder]:
    """Return the orders below a firework, nearest first."""
    workflow = store.workflows.find_one({"nodes": fw_id}, {"links": 1})
    below = states.descendants(workflow["links"], fw_id) if workflow else []
    documents = store.fireworks.find({"fw_id": {"$in": below}}, {"fw_id": 1, "spec.order": 1})
    orders = {one["fw_id"]: StageOrder.model_validate(one["spec"]["order"]) for one in documents}
    return [orders[one] for one in below if one in orders]
