"""State changes that FireWorks has no call for, written under its lock and keeping its invariants.

Which are: a COMPLETED firework has a COMPLETED launch with an action; `fw_states` and the state of
the workflow follow the fireworks; `updated_on` of a firework is an ISO text, of a workflow a date;
a launch that no longer counts is moved to `archived_launches`. The firework is written before its
launch where a kill in between shall leave it runnable, so stock FireWorks can go on at any point.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fireworks import FWAction
from fireworks.core.firework import Launch
from pymongo import ReturnDocument

from fireworks_ext import ledger
from fireworks_ext.store import Store
from schemas.errors import UserError
from schemas.model import JsonValue

LOCK_WAIT_S = 60.0


class WorkflowBusy(UserError):
    """Another process held a workflow's lock for longer than it should."""


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
    while True:
        workflow = store.workflows.find_one_and_update(
            {"nodes": fw_id, "locked": {"$exists": False}},
            {"$set": {"locked": mark}},
            return_document=ReturnDocument.AFTER,
        )
        if workflow is not None:
            break
        if time.monotonic() > deadline:
            raise WorkflowBusy(
                f"the workflow of firework {fw_id} stays locked; `campaign run` unlocks it when "
                "no worker is left that could hold it"
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


def attach_no_ops(
    store: Store, outcomes: Mapping[int, Mapping[str, JsonValue]], *, by: str
) -> None:
    """Give waiting fireworks a COMPLETED launch each, so that they complete without running.

    They become COMPLETED in the completion of their parents, in the same refresh. One that is not
    waiting any more, or has a launch, is left alone.
    """
    for fw_id, stored in outcomes.items():
        launch_id = store.launchpad.get_new_launch_id()
        launch = Launch(
            "COMPLETED",
            launch_dir="",
            host=by,
            ip="",
            action=FWAction(stored_data=dict(stored)),
            launch_id=launch_id,
            fw_id=fw_id,
        )
        store.launches.insert_one(launch.to_db_dict())
        answer = store.fireworks.update_one(
            {"fw_id": fw_id, "state": "WAITING", "launches": []},
            {"$set": {"launches": [launch_id], "updated_on": iso_now()}},
        )
        if not answer.matched_count:
            store.launches.delete_one({"launch_id": launch_id})


def detach(
    store: Store, run: Running, state: str, *, by: str, waits_for: str | None = None
) -> None:
    """Take a running firework out of this process's hands: to READY, WAITING or PAUSED.

    Its launch is archived and completes without effect when the rocket ends. WAITING is for one
    that waits for a key (`waits_for`), and is freed by `wake`; PAUSED is for one that is held.
    """
    with locked(store, run.fw_id, by) as workflow:
        ours = {"fw_id": run.fw_id, "launches": run.launch_id}
        if not store.fireworks.find_one(ours, {"_id": 1}):
            return  # somebody ran it again, or took it away
        states = {**workflow["fw_states"], str(run.fw_id): state}
        store.workflows.update_one(
            {"nodes": run.fw_id},
            {
                "$set": {
                    f"fw_states.{run.fw_id}": state,
                    "state": workflow_state(workflow["links"], states),
                    "updated_on": datetime.now(UTC),
                }
            },
        )
        change: dict[str, Any] = {
            "$set": {"state": state, "launches": [], "updated_on": iso_now()},
            "$push": {"archived_launches": run.launch_id},
        }
        if waits_for is None:
            change["$unset"] = {"spec._waits_for": ""}
        else:
            change["$set"]["spec._waits_for"] = waits_for
        store.fireworks.update_one(ours, change)
        store.launches.update_one({"launch_id": run.launch_id}, {"$set": {"state": "ARCHIVED"}})


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
        store.launchpad._refresh_wf(fw_id)  # noqa: SLF001  (what `lpad admin refresh` calls)
        if store.fireworks.find_one({"fw_id": fw_id, "state": "WAITING"}, {"_id": 1}):
            continue
        candidate = ledger.candidate_key(spec["campaign"], spec["order"]["candidate"])
        ledger.mark_woken(store, candidate, spec["stage"], spec["key"])
        woken += 1
    return woken


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
        store.launchpad._refresh_wf(node)  # noqa: SLF001  (what `lpad admin refresh` calls)


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


def iso_now() -> str:
    """Return the present time as FireWorks wants it in its firework documents."""
    return datetime.now(UTC).isoformat()
