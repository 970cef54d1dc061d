"""Carrying out an order: lease the key, take in or compute, write the result down, tell the others.

What was computed is on the disk (`outcome.json` in the run directory) before the database hears of
it. A worker killed anywhere leaves something that the next one continues: a lease that runs out
or whose owner is seen to be gone, a run directory whose finished program is taken in.
"""

from __future__ import annotations

from collections.abc import Mapping

from fireworks_ext import leases, ledger
from fireworks_ext.attempt import make_attempt
from fireworks_ext.endings import (
    Ending,
    Interrupted,
    Known,
    NotYet,
    Skipped,
    Waits,
    budget_wait,
)
from fireworks_ext.gates import decide
from fireworks_ext.leased import Leased
from fireworks_ext.session import Session
from fireworks_ext.takeover import outlast, take_in
from fireworks_ext.upstream import folders
from schemas.ledger import CandidateRecord, ResultRecord, StageState
from schemas.work import StageOrder


def carry_out(session: Session, order: StageOrder, launch_id: int) -> Ending:
    """Bring an order to an end, computing only what nobody has computed yet."""
    store = session.store
    candidate = ledger.find_candidate(store, order.campaign, order.candidate)
    keys = [order.key, *order.reads.values()]
    results = ledger.find_results(store, keys, order.campaign)
    reads = {stage: results[key] for stage, key in order.reads.items() if key in results}
    if len(reads) == len(order.reads):
        verdict = decide(order.when, candidate.columns, reads)
        if not verdict.passes:
            return Skipped(verdict.reason)
    if order.key in results:
        return Known(results[order.key])
    if len(reads) < len(order.reads):
        return _without_upstream(order, candidate, reads)
    if _is_spent(session, order.campaign):
        return Waits(budget_wait(order.campaign), reason="the campaign's core-hours are spent")
    return _under_lease(session, order, launch_id, candidate, reads)


def _under_lease(
    session: Session,
    order: StageOrder,
    launch_id: int,
    candidate: CandidateRecord,
    reads: Mapping[str, ResultRecord],
) -> Ending:
    store = session.store
    note = {"campaign": order.campaign, "stage": order.stage, "candidate": order.candidate}
    lease = leases.acquire(store, order.key, session.process, note)
    if lease is None:
        return Waits(order.key, reason="another worker computes it")
    with session.keeping(lease, launch_id):
        # Somebody may have finished it between the look above and the lease.
        record = ledger.find_results(store, [order.key], order.campaign).get(order.key)
        if record is not None:
            return Known(record)
        return _do(Leased(session, order, candidate, reads, lease.token, launch_id))


def _without_upstream(
    order: StageOrder, candidate: CandidateRecord, reads: Mapping[str, ResultRecord]
) -> Ending:
    """Say what becomes of a stage whose inputs are not all there."""
    for stage, key in order.reads.items():
        if stage in reads:
            continue
        entry = candidate.stages.get(stage)
        if entry is not None and entry.state is StageState.SKIPPED:
            return Skipped(f"{stage} was skipped")
        if entry is not None and entry.state.settled and entry.state is not StageState.OK:
            return Waits(key, StageState.BLOCKED, f"{stage} is {entry.state.value}")
        return Waits(key, reason=f"{stage} has no result yet")
    raise AssertionError("called although every upstream result is there")


def _is_spent(session: Session, campaign: str) -> bool:
    document = session.store.campaigns.find_one({"_id": campaign}, {"core_hours": 1})
    limit = document.get("core_hours") if document else None
    return limit is not None and ledger.spent_core_hours(session.store, campaign) >= limit


def _do(work: Leased) -> Ending:
    """Take in what an earlier attempt finished, or compute."""
    store = work.session.store
    ledger.set_stage(store, work.order, StageState.RUNNING, reason=None)
    for directory in work.session.artefacts.attempts(work.order.key):
        outlast(work, directory)
        if work.session.stopping:
            return Interrupted()
        taken = take_in(work, directory)
        if taken is not None:
            return taken
    try:
        upstream = folders(work)
    except NotYet as missing:
        return missing.ending
    ending = make_attempt(work, upstream)
    if isinstance(ending, Known):
        ledger.store_result(store, ending.record)
    return ending
