"""Carrying out an order under its lease: take in what there is, else compute; no database needed.

What was computed is on the disk (`outcome.json` in the run directory) before anybody hears of it. A
worker killed anywhere leaves something that the next one continues: a lease that runs out or whose
owner is seen to be gone, a run directory whose finished program is taken in.
"""

from __future__ import annotations

import traceback

from pymongo.errors import PyMongoError

from fireworks_ext.attempts.attempt import compute, make_attempt
from fireworks_ext.endings import NotYet
from fireworks_ext.worker.disk import is_away
from fireworks_ext.worker.leased import Leased
from fireworks_ext.worker.session import Session
from fireworks_ext.worker.takeover import close, outlast, take_in
from fireworks_ext.worker.upstream import folders
from schemas.endings import AnyEnding, Broken, Failed, Interrupted, Known
from schemas.handover import Briefing, Delivery, Taken


def carry_out(session: Session, briefing: Briefing) -> Delivery:
    """Bring an order to an end, and return what the database is to know of it."""
    if session.stopping or not session.disk.is_there(session.artefacts.root):
        return delivery_of(briefing, Interrupted(reason=session.disk.why))
    try:
        work = Leased(session, briefing)
    except Exception:  # noqa: BLE001  (whatever a plug-in does, the worker goes on)
        return delivery_of(briefing, Broken(trace=traceback.format_exc()))
    ending = _end(work)
    if isinstance(ending, Known | Failed):
        session.disk.served(session.artefacts.root)
    made = {"attempts": work.attempts, "results": tuple(work.results)}
    return delivery_of(briefing, ending).model_copy(update=made)


def delivery_of(taken: Taken, ending: AnyEnding) -> Delivery:
    """Return what is to be said of an order that ended without anything being done."""
    return Delivery(
        fw_id=taken.fw_id,
        launch_id=taken.launch_id,
        taken_at=taken.taken_at,
        order=taken.order,
        ending=ending,
    )


def _end(work: Leased) -> AnyEnding:
    """Take in what an earlier attempt finished, or compute."""
    try:
        if hasattr(work.engine, "compute"):
            return compute(work)
        return _taken_in(work) or make_attempt(work, folders(work))
    except NotYet as missing:
        return missing.ending
    except PyMongoError:  # it was needed after all, for files that were deleted
        return Interrupted()
    except Exception as error:  # noqa: BLE001  (a mistake of ours: the worker goes on)
        root = work.session.artefacts.root
        if is_away(error, root):
            work.session.disk.lost(error, root)
            return Interrupted(reason=work.session.disk.why)
        return Broken(trace=traceback.format_exc())


def _taken_in(work: Leased) -> AnyEnding | None:
    """Return how an earlier attempt ended that nobody recorded, if there is one."""
    directories = work.session.artefacts.attempts(work.order.key)
    for number, directory in enumerate(directories):
        outlast(work, directory)
        if work.session.stopping:
            return Interrupted()
        taken = take_in(work, directory)
        if taken is not None:
            close(work, directories[number + 1 :])
            return taken
    return None
