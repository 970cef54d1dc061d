"""Stages below one that the janitor gave up: they are blocked."""

from __future__ import annotations

from fireworks_ext import ledger, states
from fireworks_ext.store import Store
from schemas.ledger import StageState
from schemas.work import StageOrder


def block(store: Store, order: StageOrder, fw_id: int, state: StageState) -> None:
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
