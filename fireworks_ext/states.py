"""State changes that FireWorks has no call for, written under its lock and keeping its invariants.

Which are: a COMPLETED firework has a COMPLETED launch with an action; `fw_states` and the state of
the workflow follow the fireworks; `updated_on` of a firework is an ISO text, of a workflow a date;
a launch that no longer counts is moved to `archived_launches`. The firework is written before its
launch where a kill in between shall leave it runnable, so stock FireWorks can go on at any point.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fireworks.core import launchpad as fireworks_launchpad
from pymongo import ReturnDocument

from fireworks_ext import ledger
from fireworks_ext.launches import iso_now
from fireworks_ext.store import Store
from schemas.errors import UserError
from schemas.ledger import StageState
from schemas.work import StageOrder

logger = logging.getLogger(__name__)

LOCK_WAIT_S = 60.0
REFRESH_WAIT_S = 10.0
"""For a lock, where somebody comes back to what was not refreshed."""
NOT_RUN_AGAIN = frozenset({"ARCHIVED", "DEFUSED", "WAITING"})


class WorkflowBusy(UserError):
    """Another process held a workflow's lock for longer than it should.

    `fw_ids` are the fireworks of which nothing could be written.
    """

    def __init__(self, message: str, fw_ids: Collection[int] = ()) -> None:
        super().__init__(message)
        self.fw_ids = frozenset(fw_ids)


@dataclass(frozen=True)
class Running:
    """The firework that this process runs, and its launch."""

    fw_id: int
    launch_id: int


def running(store: Store, fw_id: int) -> Running:
    """Return the firework's present launch."""
    document = store.fireworks.find_one({"fw_id": fw_id}, {"launches": 1})
    return Running(fw_id, document["launches"][-1])


@contextmanager
def locked(store: Store, fw_id: int, by: str) -> Iterator[dict[str, Any]]:
    """Hold the lock of a firework's workflow and yield the workflow's document."""
    deadline = time.monotonic() + LOCK_WAIT_S
    mark = {"by": by, "at": time.time()}
    # One that is ours was taken by a try whose answer was lost.
    free = [{"locked": {"$exists": False}}, {"locked.by": by, "locked.at": mark["at"]}]
    while True:
        workflow = store.workflows.find_one_and_update(
            {"nodes": fw_id, "$or": free},
            {"$set": {"locked": mark}},
            return_document=ReturnDocument.AFTER,
        )
        if workflow is not None:
            break
        if time.monotonic() > deadline:
            raise WorkflowBusy(
                f"the workflow of firework {fw_id} stays locked; `campaign repair NAME --wait` "
                "unlocks those that nobody works on"
            )
        time.sleep(0.02)
    try:
        yield workflow
    finally:
        # By its own id: the firework may have been taken out of it meanwhile.
        mine = {"_id": workflow["_id"], "locked.by": by, "locked.at": mark["at"]}
        store.workflows.update_one(mine, {"$unset": {"locked": ""}})


def workflow_state(links: Mapping[str, Sequence[int]], states: Mapping[str, str]) -> str:
    """Return the state of a workflow as FireWorks derives it from those of its fireworks."""
    values = set(states.values())
    leaves = {states[node] for node, children in links.items() if not children}
    if leaves == {"COMPLETED"}:
        return "COMPLETED"
    if values == {"ARCHIVED"}:
        return "ARCHIVED"
    for state in ("DEFUSED", "PAUSED", "FIZZLED"):
        if state in values:
            return state
    if values & {"COMPLETED", "RUNNING"}:
        return "RUNNING"
    return "RESERVED" if "RESERVED" in values else "READY"


def descendants(links: Mapping[str, Sequence[int]], fw_id: int) -> list[int]:
    """Return the fireworks below one, nearest first, each once."""
    found: list[int] = []
    frontier = list(links.get(str(fw_id), ()))
    while frontier:
        node = frontier.pop(0)
        if node not in found:
            found.append(node)
            frontier.extend(links.get(str(node), ()))
    return found


def give_back(store: Store, run: Running, order: StageOrder, *, by: str) -> bool:
    """Make a firework READY whose worker is gone, in the ledger first; tell whether it was running.

    Its launch is archived, and its worker, should it live, writes the firework no more.
    """
    with locked(store, run.fw_id, by) as workflow:
        ours = {"fw_id": run.fw_id, "launches": run.launch_id, "state": "RUNNING"}
        if not store.fireworks.find_one(ours, {"_id": 1}):
            return False  # it has ended, or somebody ran it again or took it away
        ledger.set_stage(store, order, StageState.READY)
        states = {**workflow["fw_states"], str(run.fw_id): "READY"}
        store.workflows.update_one(
            {"nodes": run.fw_id},
            {
                "$set": {
                    f"fw_states.{run.fw_id}": "READY",
                    "state": workflow_state(workflow["links"], states),
                    "updated_on": datetime.now(UTC),
                }
            },
        )
        store.fireworks.update_one(
            ours,
            {
                "$set": {"state": "READY", "launches": [], "updated_on": iso_now()},
                "$unset": {"spec._waits_for": ""},
                "$push": {"archived_launches": run.launch_id},
            },
        )
        store.launches.update_one({"launch_id": run.launch_id}, {"$set": {"state": "ARCHIVED"}})
    return True


def wake(store: Store, *waited_for: str) -> int:
    """Free the fireworks that wait for one of some keys; return how many became READY.

    What they waited for stays in their spec, so a kill leaves nothing that cannot be woken again.
    """
    waiting = store.fireworks.find(
        {"spec._waits_for": {"$in": list(waited_for)}, "state": "WAITING"},
        {"fw_id": 1, "spec.campaign": 1, "spec.stage": 1, "spec.key": 1, "spec.order.candidate": 1},
    )
    woken = 0
    for document in list(waiting):
        fw_id, spec = document["fw_id"], document["spec"]
        refresh(store, fw_id)
        if store.fireworks.find_one({"fw_id": fw_id, "state": "WAITING"}, {"_id": 1}):
            continue
        candidate = ledger.candidate_key(spec["campaign"], spec["order"]["candidate"])
        ledger.mark_woken(store, candidate, spec["stage"], spec["key"])
        woken += 1
    return woken


def refresh(store: Store, fw_id: int) -> bool:
    """Have FireWorks derive the state of a firework, and of those below it, again.

    As `lpad admin refresh` does, which waits five minutes for a lock, and calls the firework
    FIZZLED whatever goes wrong: also when the database goes away.

    Returns
    -------
    bool
        False where its workflow stays locked, or cannot be read.
    """
    launchpad = store.launchpad
    try:
        with fireworks_launchpad.WFLock(launchpad, fw_id, REFRESH_WAIT_S):
            workflow = launchpad.get_wf_by_fw_id_lzyfw(fw_id)
            launchpad._update_wf(workflow, workflow.refresh(fw_id))  # noqa: SLF001  (its only name)
    except fireworks_launchpad.LockedWorkflowError:
        return False
    except (ValueError, KeyError, TypeError, AttributeError) as error:  # no such workflow any more
        logger.warning("firework %s: %s", fw_id, error)
        return False
    return True


def rerun(store: Store, fw_id: int, *, wait_s: float = REFRESH_WAIT_S) -> None:
    """Have FireWorks run a firework again, and take those below it back.

    As `lpad rerun_fws` does, which waits five minutes for a lock. What FireWorks would not run
    again (archived, defused, waiting already) stays as it is, and so does what is there no more.

    Raises
    ------
    WorkflowBusy
        When its workflow stays locked for `wait_s`; nothing is written.
    """
    launchpad = store.launchpad
    firework = store.fireworks.find_one({"fw_id": fw_id}, {"state": 1})
    if firework is None or firework["state"] in NOT_RUN_AGAIN:
        return
    try:
        with fireworks_launchpad.WFLock(launchpad, fw_id, wait_s):
            workflow = launchpad.get_wf_by_fw_id_lzyfw(fw_id)
            launchpad._update_wf(workflow, workflow.rerun_fw(fw_id))  # noqa: SLF001  (its only name)
    except fireworks_launchpad.LockedWorkflowError:
        raise WorkflowBusy(
            f"firework {fw_id} cannot run again: its workflow stays locked; `campaign repair NAME "
            "--wait` unlocks those that nobody works on, then do this again",
            [fw_id],
        ) from None
    except ValueError as error:  # it was taken away meanwhile
        logger.warning("firework %s: %s", fw_id, error)


def repair(store: Store, workflow: Mapping[str, Any], *, by: str) -> None:
    """Make a workflow consistent that a kill left halfway: states, lock, then refresh in order.

    `fw_states` is set to what the fireworks themselves say, the lock of a dead holder is removed,
    and every node is refreshed parents first, as a refresh only looks at the recorded states of
    its parents.
    """
    if "locked" in workflow:
        _record_states(store, workflow)
        store.workflows.update_one({"_id": workflow["_id"]}, {"$unset": {"locked": ""}})
    else:
        with locked(store, workflow["nodes"][0], by):
            _record_states(store, workflow)
    for node in parents_first(workflow["links"]):
        refresh(store, node)


def _record_states(store: Store, workflow: Mapping[str, Any]) -> None:
    """Set the recorded states of a workflow to those of its fireworks."""
    documents = store.fireworks.find(
        {"fw_id": {"$in": workflow["nodes"]}}, {"fw_id": 1, "state": 1}
    )
    states = {str(document["fw_id"]): document["state"] for document in documents}
    store.workflows.update_one(
        {"_id": workflow["_id"]},
        {
            "$set": {
                "fw_states": states,
                "state": workflow_state(workflow["links"], states),
                "updated_on": datetime.now(UTC),
            }
        },
    )


def parents_first(links: Mapping[str, Sequence[int]]) -> list[int]:
    """Return the nodes of a workflow so that parents stand before their children."""
    waiting = {int(node): 0 for node in links}
    for children in links.values():
        for child in children:
            waiting[child] += 1
    order: list[int] = []
    free = sorted(node for node, parents in waiting.items() if not parents)
    while free:
        node = free.pop(0)
        order.append(node)
        for child in links[str(node)]:
            waiting[child] -= 1
            if not waiting[child]:
                free.append(child)
    return order
