"""What the end of a stage means for the stages below it: go ahead, skipped, or blocked."""

from __future__ import annotations

from typing import Any

from fireworks_ext import ledger, states
from fireworks_ext.gates import decide
from fireworks_ext.session import Session
from schemas.ledger import CandidateRecord, StageState
from schemas.work import StageOrder


def settle(
    session: Session, order: StageOrder, fw_id: int, state: StageState, *, drop: bool = False
) -> None:
    """Bring the stages below an ended one to where its end puts them, in this completion.

    The worker that finishes the last input of a stage evaluates its `when`. A stage that does not
    go ahead, and all below it, become no-ops that complete without being run. Below a stage that
    failed and was not dropped, fireworks keep waiting, and the ledger says `blocked`.
    """
    store = session.store
    workflow = store.workflows.find_one({"nodes": fw_id}, {"links": 1})
    links: dict[str, list[int]] = workflow["links"] if workflow else {}
    below = states.descendants(links, fw_id)
    if not below:
        return
    orders = _orders(session, below)
    if state in {StageState.FAILED, StageState.HELD} and not drop:
        _block(session, orders, f"{order.stage} is {state.value}")
        return
    if state is StageState.OK:
        skipped = _closed_gates(session, order, links, fw_id, orders)
    else:
        word = "failed" if drop else "was skipped"
        skipped = dict.fromkeys(below, f"{order.stage} {word}")
    by = session.process.name
    if skipped:
        outcomes = {one: {"outcome": "skipped", "reason": why} for one, why in skipped.items()}
        with states.locked(store, fw_id, by):
            states.attach_no_ops(store, outcomes, by=by)
    for one, why in skipped.items():
        if one in orders:
            ledger.set_stage(store, orders[one], StageState.SKIPPED, reason=why)
    for one in set(orders) - set(skipped):
        if state is StageState.OK:
            _unblock(session, orders[one], is_child=one in links[str(fw_id)])


def _orders(session: Session, fw_ids: list[int]) -> dict[int, StageOrder]:
    documents: list[dict[str, Any]] = session.store.fireworks.find(
        {"fw_id": {"$in": fw_ids}}, {"fw_id": 1, "spec.order": 1}
    )
    return {
        document["fw_id"]: StageOrder.model_validate(document["spec"]["order"])
        for document in documents
    }


def _closed_gates(
    session: Session,
    order: StageOrder,
    links: dict[str, list[int]],
    fw_id: int,
    orders: dict[int, StageOrder],
) -> dict[int, str]:
    """Return the fireworks that do not go ahead, with the reason, nearest first."""
    store = session.store
    candidate: CandidateRecord | None = None
    closed: dict[int, str] = {}
    for child in links[str(fw_id)]:
        one = orders.get(child)
        if one is None or one.when is None or child in closed:
            continue
        results = ledger.find_results(store, one.reads.values(), order.campaign)
        if len(results) < len(set(one.reads.values())):
            continue  # whoever finishes the last input decides
        candidate = candidate or ledger.find_candidate(store, order.campaign, order.candidate)
        by_stage = {stage: results[key] for stage, key in one.reads.items()}
        verdict = decide(one.when, candidate.columns, by_stage)
        if not verdict.passes:
            closed[child] = verdict.reason
            for below in states.descendants(links, child):
                closed.setdefault(below, f"{one.stage} was skipped")
    return closed


def _block(session: Session, orders: dict[int, StageOrder], why: str) -> None:
    for one in orders.values():
        ledger.set_stage(session.store, one, StageState.BLOCKED, reason=why)


def _unblock(session: Session, order: StageOrder, *, is_child: bool) -> None:
    """Put a stage below a finished one on the way again, if a failure had blocked it."""
    candidate = ledger.find_candidate(session.store, order.campaign, order.candidate)
    entry = candidate.stages.get(order.stage)
    if entry is None or entry.state not in {StageState.WAITING, StageState.BLOCKED}:
        return
    known = ledger.find_results(session.store, order.reads.values(), order.campaign)
    ready = is_child and len(known) == len(set(order.reads.values()))
    state = StageState.READY if ready else StageState.WAITING
    if entry.state is not state:
        ledger.set_stage(session.store, order, state, reason=None)
