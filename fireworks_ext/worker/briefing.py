"""What the database knows that carrying out orders needs, read for many of them at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fireworks_ext import artefacts, launches, leases, ledger
from fireworks_ext.endings import budget_wait
from fireworks_ext.gates import decide
from fireworks_ext.store import Store
from fireworks_ext.worker.execution import delivery_of
from fireworks_ext.worker.session import Session
from schemas.endings import AnyEnding, Failed, Known, Skipped, Waits
from schemas.failure import Failure, FailureName
from schemas.handover import Briefing, Delivery, Taken
from schemas.ledger import CandidateRecord, ResultRecord, StageState
from schemas.work import StageOrder

_NO_CANDIDATE = Failure(
    name=FailureName.INPUT_NOT_WRITTEN, message="the campaign has no such candidate"
)


def brief(
    session: Session, lot: Sequence[Taken], *, owner: str | None = None
) -> tuple[list[Briefing], list[Delivery]]:
    """Return what is to be carried out, each under a lease, and what has ended already.

    The fireworks are of one campaign. Leases are taken first: what somebody finished before that is
    seen, and nobody finishes anything after it.

    Parameters
    ----------
    owner
        Whose leases they are, and who renews them. By default this process, until it releases them.
    """
    if not lot:
        return [], []
    store, campaign = session.store, lot[0].order.campaign
    candidates = _candidates(store, lot)
    held = leases.acquire_many(store, _notes(lot), owner or session.process.name)
    if owner is None:
        launch_of = {one.order.key: one.launch_id for one in reversed(lot)}
        session.hold({launch_of[key]: lease for key, lease in held.items()})
    keys = {key for one in lot for key in (one.order.key, *one.order.reads.values())}
    results = ledger.find_results(store, keys, campaign)
    spent = session.meter(campaign).is_spent()
    briefings: list[Briefing] = []
    ended: list[Delivery] = []
    for one in lot:
        candidate = candidates.get(one.order.candidate)
        if candidate is None:
            ended.append(delivery_of(one, Failed(failure=_NO_CANDIDATE)))
            continue
        ending = _ended(one.order, candidate, results, spent=spent)
        lease = held.pop(one.order.key, None) if ending is None else None
        if ending is not None:
            ended.append(delivery_of(one, ending))
        elif lease is None:
            busy = Waits(on=one.order.key, reason="another worker computes it")
            ended.append(delivery_of(one, busy))
        else:
            briefings.append(_briefing(session, one, candidate, results, lease.token))
    if owner is None:
        session.release(list(held))
    else:
        leases.release_many(store, list(held), owner)
    ledger.set_stages(
        store,
        [ledger.StageChange(one.order, StageState.RUNNING, {"reason": None}) for one in briefings],
    )
    return briefings, ended


def _notes(lot: Sequence[Taken]) -> dict[str, dict[str, str]]:
    """Return what is stored beside the leases, by key: two fireworks may want the same one."""
    return {
        one.order.key: {
            "campaign": one.order.campaign,
            "stage": one.order.stage,
            "candidate": one.order.candidate,
        }
        for one in reversed(lot)
    }


def _candidates(store: Store, lot: Sequence[Taken]) -> dict[str, CandidateRecord]:
    names = {ledger.candidate_key(one.order.campaign, one.order.candidate) for one in lot}
    found = store.candidates.find({"_id": {"$in": sorted(names)}})
    return {one["id"]: ledger.candidate_record(one) for one in found}


def _ended(
    order: StageOrder,
    candidate: CandidateRecord,
    results: Mapping[str, ResultRecord],
    *,
    spent: bool,
) -> AnyEnding | None:
    """Return how an order ends without being carried out, or None."""
    reads = {stage: results[key] for stage, key in order.reads.items() if key in results}
    if len(reads) == len(order.reads):
        verdict = decide(order.when, candidate.columns, reads)
        if not verdict.passes:
            return Skipped(reason=verdict.reason)
    if order.key in results:
        return Known(record=results[order.key])
    if len(reads) < len(order.reads):
        return _without_upstream(order, candidate, reads)
    if spent:
        return Waits(on=budget_wait(order.campaign), reason="the campaign's core-hours are spent")
    return None


def _without_upstream(
    order: StageOrder, candidate: CandidateRecord, reads: Mapping[str, ResultRecord]
) -> AnyEnding:
    """Say what becomes of a stage whose inputs are not all there."""
    missing = {stage: key for stage, key in order.reads.items() if stage not in reads}
    for stage, key in missing.items():
        entry = candidate.stages.get(stage)
        if entry is None or not entry.state.settled or entry.state is StageState.OK:
            return Waits(on=key, reason=f"{stage} has no result yet")
        if entry.state is StageState.SKIPPED:
            return Skipped(reason=f"{stage} was skipped")
        return Waits(on=key, state=StageState.BLOCKED, reason=f"{stage} is {entry.state.value}")
    raise AssertionError("called although every upstream result is there")


def _briefing(
    session: Session,
    one: Taken,
    candidate: CandidateRecord,
    results: Mapping[str, ResultRecord],
    token: int,
) -> Briefing:
    directories = session.artefacts.attempts(one.order.key)
    records = [artefacts.read_record(directory, artefacts.ORDER) for directory in directories]
    began = [record["launch_id"] for record in records if record and "launch_id" in record]
    return Briefing(
        fw_id=one.fw_id,
        launch_id=one.launch_id,
        taken_at=one.taken_at,
        order=one.order,
        candidate=candidate,
        reads={stage: results[key] for stage, key in one.order.reads.items()},
        token=token,
        attempts=ledger.attempts_at(session.store, one.order.key) if directories else (),
        silent=tuple(launches.silent(session.store, began)) if began else (),
    )
