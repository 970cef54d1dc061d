"""What the end of a stage means for the stages below it: go ahead, skipped, or blocked."""

from __future__ import annotations

from collections.abc import Mapping

from fireworks_ext import ledger, states
from fireworks_ext.gates import decide
from fireworks_ext.session import Session
from fireworks_ext.store import Store
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
    if state in {StageState.FAILED, StageState.HELD} and not drop:
        block(session.store, order, fw_id, state)
        return
    links, orders = _below(session.store, fw_id)
    if not orders:
        return
    candidate = ledger.find_candidate(session.store, order.campaign, order.candidate)
    if state is StageState.OK:
        skipped = _closed_gates(session.store, candidate, links, fw_id, orders)
    else:
        word = "failed" if drop else "was skipped"
        skipped = dict.fromkeys(orders, f"{order.stage} {word}")
    if skipped:
        _skip(session, fw_id, orders, skipped)
    if state is StageState.OK:
        ahead = [one for below, one in orders.items() if below not in skipped]
        _unblock(session.store, candidate, ahead)


def block(store: Store, order: StageOrder, fw_id: int, state: StageState) -> None:
    """Say that the stages below wait for one that failed; a skipped one stays skipped."""
    _, orders = _below(store, fw_id)
    if not orders:
        return
    candidate = ledger.find_candidate(store, order.campaign, order.candidate)
    for one in orders.values():
        entry = candidate.stages.get(one.stage)
        if entry is None or entry.state is not StageState.SKIPPED:
            why = f"{order.stage} is {state.value}"
            ledger.set_stage(store, one, StageState.BLOCKED, reason=why)
    states.wake(store, *(one.key for one in orders.values()))


def _below(store: Store, fw_id: int) -> tuple[dict[str, list[int]], dict[int, StageOrder]]:
    """Return the links of a firework's workflow, and the orders below it, nearest first."""
    workflow = store.workflows.find_one({"nodes": fw_id}, {"links": 1})
    links: dict[str, list[int]] = workflow["links"] if workflow else {}
    below = states.descendants(links, fw_id)
    if not below:
        return links, {}
    documents = store.fireworks.find({"fw_id": {"$in": below}}, {"fw_id": 1, "spec.order": 1})
    orders = {one["fw_id"]: StageOrder.model_validate(one["spec"]["order"]) for one in documents}
    return links, {one: orders[one] for one in below if one in orders}


def _skip(
    session: Session, fw_id: int, orders: Mapping[int, StageOrder], skipped: Mapping[int, str]
) -> None:
    """Make no-ops of fireworks, and tell those in other workflows that wait for their keys."""
    store, by = session.store, session.process.name
    outcomes = {one: {"outcome": "skipped", "reason": why} for one, why in skipped.items()}
    with states.locked(store, fw_id, by):
        states.attach_no_ops(store, outcomes, by=by)
    for one, why in skipped.items():
        ledger.set_stage(store, orders[one], StageState.SKIPPED, reason=why)
    states.wake(store, *(orders[one].key for one in skipped))


def _closed_gates(
    store: Store,
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
        results = ledger.find_results(store, one.reads.values(), one.campaign)
        if len(results) < len(set(one.reads.values())):
            continue  # whoever finishes the last input decides
        by_stage = {stage: results[key] for stage, key in one.reads.items()}
        verdict = decide(one.when, candidate.columns, by_stage)
        if not verdict.passes:
            closed[child] = verdict.reason
            for below in states.descendants(links, child):
                closed.setdefault(below, f"{one.stage} was skipped")
    return {one: why for one, why in closed.items() if one in orders}


def _unblock(store: Store, candidate: CandidateRecord, ahead: list[StageOrder]) -> None:
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
            ledger.set_stage(store, one, state, reason=None)
