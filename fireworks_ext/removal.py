"""Taking fireworks out of their workflows: those not wanted any more, and those never inserted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from fireworks.core.firework import Workflow

from fireworks_ext.launches import iso_now
from fireworks_ext.states import locked, workflow_state
from fireworks_ext.store import Store

UNSTARTED = ("READY", "WAITING", "PAUSED", "DEFUSED")


def retire(store: Store, fw_ids: Sequence[int], *, by: str) -> list[int]:
    """Move unstarted fireworks out of their workflows into `archived_fireworks`.

    Those that have started stay and finish. Claimed first (ARCHIVED), so none starts meanwhile;
    every step can be done again after a kill. Returns the ids that were moved.
    """
    if not fw_ids:
        return []
    store.fireworks.update_many(
        {"fw_id": {"$in": list(fw_ids)}, "state": {"$in": list(UNSTARTED)}},
        {"$set": {"state": "ARCHIVED", "updated_on": iso_now()}},
    )
    claimed = {
        document["fw_id"]: document
        for document in store.fireworks.find({"fw_id": {"$in": list(fw_ids)}, "state": "ARCHIVED"})
    }
    for workflow in store.workflows.find(
        {"nodes": {"$in": sorted(claimed)}, "state": "ARCHIVED"}, {"nodes": 1}
    ):
        for node in workflow["nodes"]:
            claimed.pop(node, None)  # taken away by an earlier run
    remaining, moved = set(claimed), set(claimed)
    while remaining:
        gone, whole = _take_out(store, remaining, by=by)
        remaining -= gone
        if whole:
            moved -= gone
    for fw_id in moved:
        copy = {**claimed[fw_id], "_id": fw_id}
        store.archived_fireworks.replace_one({"_id": fw_id}, copy, upsert=True)
    store.fireworks.delete_many({"fw_id": {"$in": sorted(moved)}, "state": "ARCHIVED"})
    return sorted(claimed)


def _take_out(store: Store, fw_ids: set[int], *, by: str) -> tuple[set[int], bool]:
    """Remove fireworks from the workflow of one of them.

    Returns the ids that are dealt with, and whether they are a whole workflow, which stays where
    it is, archived.
    """
    one = min(fw_ids)
    if store.workflows.find_one({"nodes": one}, {"_id": 1}) is None:
        return {one}, False
    with locked(store, one, by) as workflow:
        gone = fw_ids & set(workflow["nodes"])
        kept = [node for node in workflow["nodes"] if node not in gone]
        if not kept:
            archived = dict.fromkeys(workflow["fw_states"], "ARCHIVED")
            change = {"fw_states": archived, "state": "ARCHIVED", "updated_on": datetime.now(UTC)}
            store.workflows.update_one({"_id": workflow["_id"]}, {"$set": change})
            return gone, True
        store.workflows.update_one({"_id": workflow["_id"]}, {"$set": _without(workflow, gone)})
    return gone, False


def _without(workflow: Mapping[str, Any], gone: set[int]) -> dict[str, Any]:
    """Return what changes in a workflow's document when fireworks are taken out of it."""
    links = {
        node: [child for child in children if child not in gone]
        for node, children in workflow["links"].items()
        if int(node) not in gone
    }
    states = {node: state for node, state in workflow["fw_states"].items() if int(node) not in gone}
    return {
        "nodes": [node for node in workflow["nodes"] if node not in gone],
        "links": links,
        "parent_links": Workflow.Links(links).to_db_dict()["parent_links"],
        "fw_states": states,
        "state": workflow_state(links, states),
        "updated_on": datetime.now(UTC),
    }


def mend(store: Store, workflow: Mapping[str, Any], missing: Iterable[int]) -> None:
    """Take fireworks that were never inserted out of a workflow, or remove it when it has none.

    Left by a submission that was killed between its writes. FireWorks cannot load such a workflow,
    so it may be locked by whoever tried.
    """
    gone = set(missing)
    if gone >= set(workflow["nodes"]):
        store.workflows.delete_one({"_id": workflow["_id"]})
        return
    store.workflows.update_one(
        {"_id": workflow["_id"]}, {"$set": _without(workflow, gone), "$unset": {"locked": ""}}
    )
