"""Locks of workflows whose holder is gone.

Ours say who took them, so on their own machine the dead are known at once. FireWorks' say nothing,
and hold everybody up for ever: they count as left behind once they have stood for a minute.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fireworks_ext import removal, states
from fireworks_ext.janitor.repairs import Report
from fireworks_ext.janitor.sightings import Sightings
from fireworks_ext.processes import is_gone, parse
from fireworks_ext.store import Store


def unlock(store: Store, sightings: Sightings, report: Report, *, deserted: bool) -> None:
    """Repair and unlock workflows of a campaign whose lock has no holder any more."""
    for workflow in locked_workflows(store, report.campaign):
        lock = workflow["locked"]
        name = f"lock {workflow['_id']}"
        stale = sightings.is_stale(name, lock)
        if not (deserted or stale or _holder_is_gone(lock)):
            report.suspects += 1
            continue
        if not _take_over(store, workflow, report.by):
            continue  # its holder lives, or somebody else repairs it
        missing = missing_nodes(store, workflow["nodes"])
        if missing:
            removal.mend(store, workflow, missing)
        else:
            states.repair(store, workflow, by=report.by)
        report.add(f"workflow {workflow['nodes']}", _why(lock))


def locked_workflows(store: Store, campaign: str) -> Iterator[dict[str, Any]]:
    """Yield the workflows of a campaign that are locked now.

    They are found by the lock: there are as many as workers, and not as many as workflows.
    """
    for query in ({"locked": True}, {"locked.at": {"$gt": 0}}):
        for workflow in list(store.workflows.find(query)):
            if workflow["metadata"].get("campaign") == campaign:
                yield workflow


def is_locked(store: Store, fw_id: int) -> bool:
    """Tell whether somebody works on the workflow of a firework: FireWorks would wait for him."""
    locked = {"nodes": fw_id, "locked": {"$exists": True}}
    return store.workflows.find_one(locked, {"_id": 1}) is not None


def missing_nodes(store: Store, nodes: Iterable[int]) -> list[int]:
    """Return those nodes of a workflow whose fireworks do not exist."""
    wanted = list(nodes)
    found = store.fireworks.find({"fw_id": {"$in": wanted}}, {"fw_id": 1})
    there = {one["fw_id"] for one in found}
    return [node for node in wanted if node not in there]


def _take_over(store: Store, workflow: Mapping[str, Any], by: str) -> bool:
    """Make a lock ours that nobody has touched since it was looked at."""
    lock = workflow["locked"]
    same = (
        {"locked.by": lock.get("by"), "locked.at": lock.get("at")}
        if isinstance(lock, Mapping)
        else {"locked": lock}
    )
    mine = {"locked": {"by": by, "at": time.time()}}
    answer = store.workflows.update_one({"_id": workflow["_id"], **same}, {"$set": mine})
    return bool(answer.matched_count)


def _holder_is_gone(lock: Any) -> bool:
    if not isinstance(lock, Mapping):
        return False  # FireWorks' own lock does not say whose it is
    process = parse(str(lock.get("by", "")))
    return process is not None and is_gone(process)


def _why(lock: Any) -> str:
    if isinstance(lock, Mapping) and lock.get("by"):
        return f"its lock was left behind by {lock['by']}"
    return "its lock was left behind"
