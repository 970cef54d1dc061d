"""Repairs for a campaign at rest: nothing of it runs, and still something is left undone.

What is held here against each other is large (all fireworks, all members), so it is looked at when
a run starts without workers, and when nothing is left to run.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fireworks_ext import leases, ledger, removal, states
from fireworks_ext.processes import is_gone, parse, running_in
from fireworks_ext.store import Store
from schemas.ledger import AttemptRecord, StageEntry, StageState


def tidy(store: Store, campaign: str, repairs: list[str], *, by: str) -> None:
    """Put right workflows, ledger, launches and attempts; say in `repairs` what was wrong."""
    _workflows(store, campaign, repairs, by)
    _stages(store, campaign, repairs)
    _launches(store, campaign, repairs)
    _attempts(store, campaign, repairs)


def missing_nodes(store: Store, workflow: Mapping[str, Any]) -> list[int]:
    """Return the nodes of a workflow whose fireworks do not exist."""
    nodes = workflow["nodes"]
    there = {one["fw_id"] for one in store.fireworks.find({"fw_id": {"$in": nodes}}, {"fw_id": 1})}
    return [node for node in nodes if node not in there]


def _workflows(store: Store, campaign: str, repairs: list[str], by: str) -> None:
    """Mend workflows that were half inserted, and those that are behind their fireworks."""
    wanted = {"fw_id": 1, "state": 1, "spec._waits_for": 1}
    fireworks = {
        one["fw_id"]: one for one in store.fireworks.find({"spec.campaign": campaign}, wanted)
    }
    unfinished = {"metadata.campaign": campaign, "state": {"$nin": ["COMPLETED", "ARCHIVED"]}}
    for workflow in list(store.workflows.find(unfinished)):
        missing = [node for node in workflow["nodes"] if node not in fireworks]
        if missing:
            removal.mend(store, workflow, missing)
            repairs.append(f"workflow {workflow['nodes']}: {missing} were never inserted")
        elif "locked" not in workflow and _is_behind(workflow, fireworks):
            states.repair(store, workflow, by=by)
            repairs.append(f"workflow {workflow['nodes']}: states were behind")


def _is_behind(workflow: Mapping[str, Any], fireworks: Mapping[int, Mapping[str, Any]]) -> bool:
    """Tell whether a kill came between the write of a firework and of what depends on it."""
    real = {str(node): fireworks[node]["state"] for node in workflow["nodes"]}
    derived = states.workflow_state(workflow["links"], real)
    if real != workflow["fw_states"] or derived != workflow["state"]:
        return True
    held_back = {
        str(child)
        for node, children in workflow["links"].items()
        for child in children
        if real[node] != "COMPLETED"
    }
    return any(
        state == "WAITING"
        and node not in held_back
        and "_waits_for" not in fireworks[int(node)]["spec"]
        for node, state in real.items()
    )


def _stages(store: Store, campaign: str, repairs: list[str]) -> None:
    """Run stages again that FireWorks calls completed and the ledger does not call settled."""
    completed = {
        one["fw_id"]
        for one in store.fireworks.find(
            {"spec.campaign": campaign, "state": "COMPLETED"}, {"fw_id": 1}
        )
    }
    for member in store.candidates.find({"campaign": campaign, "member": True}, {"stages": 1}):
        for stage, entry in member["stages"].items():
            if not StageState(entry["state"]).settled and entry["fw_id"] in completed:
                store.launchpad.rerun_fw(entry["fw_id"])
                repairs.append(f"firework {entry['fw_id']}: {stage} is {entry['state']}")


def _launches(store: Store, campaign: str, repairs: list[str]) -> None:
    """Archive launches that count as running and belong to no firework any more."""
    running = list(
        store.launches.find(
            {"state": {"$in": ["RUNNING", "RESERVED"]}}, {"launch_id": 1, "fw_id": 1, "fworker": 1}
        )
    )
    owners = {
        one["fw_id"]: one["launches"]
        for one in store.fireworks.find(
            {"fw_id": {"$in": [launch["fw_id"] for launch in running]}, "spec.campaign": campaign},
            {"fw_id": 1, "launches": 1},
        )
    }
    for launch in running:
        process = parse(str((launch["fworker"] or {}).get("name", "")))
        if process is not None and not is_gone(process):
            continue  # it may be about to write its firework
        if launch["launch_id"] not in owners.get(launch["fw_id"], [launch["launch_id"]]):
            store.launches.update_one(
                {"launch_id": launch["launch_id"]}, {"$set": {"state": "ARCHIVED"}}
            )
            repairs.append(f"launch {launch['launch_id']}: belongs to no firework")


def _attempts(store: Store, campaign: str, repairs: list[str]) -> None:
    """Close attempts whose worker is gone and whose key nobody will look at again."""
    for document in list(store.attempts.find({"campaign": campaign, "outcome": "running"})):
        attempt = AttemptRecord.model_validate({k: v for k, v in document.items() if k != "_id"})
        process = parse(attempt.worker)
        gone = process is not None and is_gone(process)
        directory = Path(attempt.directory)
        if not (gone or leases.is_free(store, attempt.key)) or running_in(directory):
            continue
        if _will_run(store, attempt):
            continue  # the next worker takes it in, or closes it
        result = store.results.find_one({"key": attempt.key, "attempt": attempt.attempt})
        finished = result["finished_at"] if result else _last_change(directory, attempt)
        seconds = max((finished - attempt.started_at).total_seconds(), 0.0)
        ledger.end_attempt(
            store,
            attempt.key,
            attempt.attempt,
            outcome="ok" if result else "lost",
            finished_at=finished,
            walltime_s=seconds,
            core_hours=ledger.core_hours(attempt.cores, seconds),
        )
        repairs.append(f"attempt {attempt.key[:12]}:{attempt.attempt}: its worker is gone")


def _will_run(store: Store, attempt: AttemptRecord) -> bool:
    """Tell whether the stage of an attempt is still to be worked on."""
    name = ledger.candidate_key(attempt.campaign, attempt.candidate)
    member = store.candidates.find_one({"_id": name, "member": True}, {"stages": 1})
    entry = member["stages"].get(attempt.stage) if member else None
    if entry is None or entry["key"] != attempt.key:
        return False
    return not StageEntry.model_validate(entry).state.settled


def _last_change(directory: Path, attempt: AttemptRecord) -> datetime:
    """Return when anything in a run directory was last written."""
    try:
        latest = max(entry.stat().st_mtime for entry in directory.iterdir())
    except (OSError, ValueError):
        return attempt.started_at  # the directory was removed, or is empty
    return datetime.fromtimestamp(latest, UTC).replace(tzinfo=None)
