"""What a stage uses of others: their run directories, made anew where files were deleted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fireworks_ext import leases, ledger, states
from fireworks_ext.attempts.attempt import make_attempt
from fireworks_ext.endings import NotYet, files_wait
from fireworks_ext.worker.leased import Leased
from fireworks_ext.worker.takeover import finished, outlast
from schemas.endings import Failed, Interrupted, Known, Waits
from schemas.failure import Failure, FailureName
from schemas.handover import Briefing
from schemas.ledger import ResultRecord
from schemas.work import Input, StageOrder

REMAKES = "a worker with the database (`campaign run`, `campaign worker`) makes it anew"


def lost(briefing: Briefing) -> str | None:
    """Return which files that a stage uses were deleted, or None where all are there."""
    for role, source in _used(briefing.order):
        if source.stage in briefing.reads and not _has_product(briefing.reads[source.stage], role):
            return _gone(role, source)
    return None


def _used(order: StageOrder) -> Iterator[tuple[str, Input]]:
    """Yield the roles for which a stage uses files of another one."""
    for role, source in order.inputs.items():
        if role != "structure" and source.stage is not None:
            yield role, source


def folders(work: Leased) -> dict[str, Path]:
    """Return role -> run directory of the stage whose product is used.

    Files that were deleted are made anew first, in this launch: the stage that made them may be of
    another campaign, and have no firework in this one.

    Raises
    ------
    NotYet
        When they cannot be made anew, or not now.
    """
    found = {}
    for role, source in _used(work.order):
        record = work.reads[str(source.stage)]
        if not _has_product(record, role):
            record = _made_anew(work, role, source, record)
        found[role] = Path(record.artefacts)
    return found


def _made_anew(work: Leased, role: str, source: Input, lost: ResultRecord) -> ResultRecord:
    """Compute an upstream stage once more for its files; its values stay as they were."""
    session, order = work.session, source.order
    if session.database is None:
        raise NotYet(Interrupted(reason=f"{_gone(role, source)}; {REMAKES}"))
    if order is None:
        raise NotYet(Failed(failure=_lost_upstream(role, source, "its order is not known")))
    store = session.database
    lease = leases.acquire(store, order.key, session.process, {"restores": role})
    if lease is None:
        busy = f"the files of {source.stage} are being made anew"
        raise NotYet(Waits(on=files_wait(order.key), reason=busy))
    session.hold({work.briefing.launch_id: lease})
    try:
        again = Leased(session, _briefing_for(work, order, lease.token))
        record = _again(again, role, lost.deviation)
        ledger.record_attempts(store, again.attempts)
        if isinstance(record, Failure):
            raise NotYet(Failed(failure=_lost_upstream(role, source, record.message)))
        place = {"artefacts": record.artefacts, "products": record.products}
        found = lost.model_copy(update=place)
        ledger.relocate_result(store, found)
    finally:
        session.release([order.key])
        states.wake(store, files_wait(order.key))
    return found


def _briefing_for(work: Leased, order: StageOrder, token: int) -> Briefing:
    """Return what is to be known for carrying out an upstream order in this one's launch."""
    store = work.session.store
    reads = ledger.find_results(store, order.reads.values(), work.order.campaign)
    return work.briefing.model_copy(
        update={
            "order": order,
            "token": token,
            "reads": {stage: reads[key] for stage, key in order.reads.items() if key in reads},
            "attempts": ledger.attempts_at(store, order.key),
        }
    )


def _again(work: Leased, role: str, deviation: str) -> ResultRecord | Failure:
    """Return a record of a stage whose files are there, and are those of that deviation."""
    for directory in work.session.artefacts.attempts(work.order.key):
        outlast(work, directory)
        if work.session.stopping:
            raise NotYet(Interrupted())
        there = finished(work, directory)
        if there is not None and there.deviation == deviation and _has_product(there, role):
            return there
    try:
        ending = make_attempt(work, folders(work))
    except KeyError as missing:
        return Failure(name=FailureName.UPSTREAM_LOST, message=f"no result of {missing}")
    if isinstance(ending, Failed):
        return ending.failure
    if not isinstance(ending, Known):
        raise NotYet(ending)
    if ending.record.deviation != deviation:
        changed = "recovery changed its physics this time"
        return Failure(name=FailureName.UPSTREAM_LOST, message=changed)
    return ending.record


def _has_product(record: ResultRecord, role: str) -> bool:
    product = record.products.get(role)
    return product is not None and (Path(record.artefacts) / product).exists()


def _lost_upstream(role: str, source: Input, why: str) -> Failure:
    return Failure(
        name=FailureName.UPSTREAM_LOST,
        message=f"{_gone(role, source)} and could not be made anew: {why}",
    )


def _gone(role: str, source: Input) -> str:
    return f"the {role.replace('_', ' ')} of stage '{source.stage}' is gone"
