"""What the end of a stage means for the stages below it: go ahead, skipped, or blocked."""

from __future__ import annotations

from collections.abc import Mapping
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
    candidate = ledger.find_candidate(store, order.campaign, order.candidate)
    if state in {StageState.FAILED, StageState.HELD} and not drop:
        _block(session, candidate, orders, f"{order.stage} is {state.value}")
        states.wake(store, *(one.key for one in orders.values()))
        return
    if state is StageState.OK:
        skipped = _closed_gates(session, candidate, links, fw_id, orders)
    else:
        word = "failed" if drop else "was skipped"
        skipped = dict.fromkeys(below, f"{order.stage} {word}")
    if skipped:
        _skip(session, fw_id, orders, skipped)
    if state is StageState.OK:
        ahead = [orders[one] for one in below if one in orders and one not in skipped]
        _unblock(session, candidate, ahead)


def _skip(
    session: Session, fw_id: int, orders: Mapping[int, StageOrder], skipped: Mapping[int, str]
) -> None:
    """Make no-ops of fireworks, and tell those in other workflows that wait for their keys."""
    store, by = session.store, session.process.name
    outcomes = {one: {"outcome": "skipped", "reason": why} for one, why in skipped.items()}
    with states.locked(store, fw_id, by):
        states.attach_no_ops(store, outcomes, by=by)
    for one, why in skipped.items():
        if one in orders:
            ledger.set_stage(store, orders[one], StageState.SKIPPED, reason=why)
    states.wake(store, *(orders[one].key for one in skipped if one in orders))


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
    candidate: CandidateRecord,
    links: Mapping[str, list[int]],
    fw_id: int,
    orders: Mapping[int, StageOrder],
) -> dict[int, str]:
    """Return the fireworks that do not go ahead, with the reason, nearest first."""
    closed: dict[int, str] = {}
    for child in links[str(fw_id)]:
        one = orders.get(child)
        if one is None or one.when is None or child in closed:
            continue
        results = ledger.find_results(session.store, one.reads.values(), one.campaign)
        if len(results) < len(set(one.reads.values())):
            continue  # whoever finishes the last input decides
        by_stage = {stage: results[key] for stage, key in one.reads.items()}
        verdict = decide(one.when, candidate.columns, by_stage)
        if not verdict.passes:
            closed[child] = verdict.reason
            for below in states.descendants(links, child):
                closed.setdefault(below, f"{one.stage} was skipped")
    return closed


def _block(
    session: Session, candidate: CandidateRecord, orders: Mapping[int, StageOrder], why: str
) -> None:
    """Say that stages wait for one that failed; one that is skipped anyway stays skipped."""
    for one in orders.values():
        entry = candidate.stages.get(one.stage)
        if entry is None or entry.state is not StageState.SKIPPED:
            ledger.set_stage(session.store, one, StageState.BLOCKED, reason=why)


def _unblock(session: Session, candidate: CandidateRecord, ahead: list[StageOrder]) -> None:
    """Put stages below a finished one on the way, unless another input of theirs stops them.

    `ahead` has the nearest first: whether one is stopped depends on those above it.
    """
    entries = dict(candidate.stages)
    for one in ahead:
        entry = entries.get(one.stage)
        if entry is None or entry.state not in {StageState.WAITING, StageState.BLOCKED}:
            continue
        above = [entries[stage] for stage in one.reads if stage in entries]
        stopping = {StageState.FAILED, StageState.HELD, StageState.BLOCKED}
        if any(parent.state in stopping for parent in above):
            continue
        ready = all(parent.state is StageState.OK for parent in above)
        state = StageState.READY if ready else StageState.WAITING
        entries[one.stage] = entry.model_copy(update={"state": state})
        if entry.state is not state:
            ledger.set_stage(session.store, one, state, reason=None)
