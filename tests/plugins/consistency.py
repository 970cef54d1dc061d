"""What holds in a store in which nothing runs: the invariants of FireWorks and of the ledger."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from fireworks_ext.states import workflow_state
from fireworks_ext.store import Store
from schemas.ledger import StageState


def assert_consistent(store: Store) -> None:
    """Raise AssertionError, with all that is wrong, unless the store is at rest and consistent."""
    wrong = [
        *_workflows(store),
        *_fireworks(store),
        *_launches(store),
        *_candidates(store),
        *_attempts(store),
        *_leases(store),
    ]
    assert not wrong, "\n".join(wrong)


def _workflows(store: Store) -> list[str]:
    wrong = []
    states = {one["fw_id"]: one["state"] for one in store.fireworks.find({})}
    owners: dict[int, int] = dict.fromkeys(states, 0)
    for workflow in store.workflows.find({}):
        missing = [node for node in workflow["nodes"] if node not in states]
        if missing:
            wrong.append(f"workflow {workflow['nodes']}: fireworks {missing} do not exist")
            continue
        for node in workflow["nodes"]:
            owners[node] += 1
        wrong += [f"workflow {workflow['nodes']}: {one}" for one in _workflow(workflow, states)]
    strays = {one: number for one, number in owners.items() if number != 1}
    return wrong + [f"firework {one}: in {number} workflows" for one, number in strays.items()]


def _workflow(workflow: dict[str, Any], states: dict[int, str]) -> list[str]:
    wrong = []
    links = workflow["links"]
    real = {str(node): states[node] for node in workflow["nodes"]}
    if workflow["fw_states"] != real:
        wrong.append(f"fw_states {workflow['fw_states']}, fireworks {real}")
    if workflow["state"] != workflow_state(links, real):
        wrong.append(f"{workflow['state']}, its fireworks say {real}")
    if "locked" in workflow:
        wrong.append(f"locked by {workflow['locked']}")
    if not isinstance(workflow["updated_on"], datetime):
        wrong.append("updated_on is no date")
    parents: dict[str, set[int]] = {}
    for node, children in links.items():
        for child in children:
            parents.setdefault(str(child), set()).add(int(node))
    recorded = {child: set(above) for child, above in workflow["parent_links"].items()}
    if recorded != parents or set(links) != set(real):
        wrong.append(f"links {links}, parent_links {workflow['parent_links']}")
    return wrong


def _fireworks(store: Store) -> list[str]:
    wrong = []
    launches = {one["launch_id"]: one for one in store.launches.find({})}
    for firework in store.fireworks.find({}):
        name = f"firework {firework['fw_id']} ({firework['name']}, {firework['state']})"
        mine = [launches.get(one) for one in firework["launches"]]
        if None in mine or any(one not in launches for one in firework["archived_launches"]):
            wrong.append(f"{name}: a launch of it does not exist")
        if firework["state"] in {"RUNNING", "RESERVED"}:
            wrong.append(f"{name}: nobody runs it")
        if firework["state"] == "COMPLETED" and not any(_is_good(one) for one in mine if one):
            wrong.append(f"{name}: no COMPLETED launch with an action")
        if not isinstance(firework["updated_on"], str | datetime):
            wrong.append(f"{name}: updated_on is {firework['updated_on']!r}")
    return wrong


def _is_good(launch: dict[str, Any]) -> bool:
    states = [one["state"] for one in launch["state_history"]]
    return launch["state"] == "COMPLETED" and bool(launch["action"]) and "COMPLETED" in states


def _launches(store: Store) -> list[str]:
    running = store.launches.find({"state": {"$in": ["RUNNING", "RESERVED"]}})
    return [f"launch {one['launch_id']}: {one['state']}, nobody runs it" for one in running]


def _candidates(store: Store) -> list[str]:
    wrong = []
    fireworks = {one["fw_id"]: one for one in store.fireworks.find({})}
    members = {(one["campaign"], one["id"]): one for one in store.candidates.find({})}
    keys = {one["key"] for one in store.results.find({}, {"key": 1})}
    for member in members.values():
        for stage, entry in member["stages"].items():
            firework = fireworks.get(entry["fw_id"])
            found = _entry(entry, has_result=entry["key"] in keys)
            if member["member"]:
                found += _firework_of(entry, firework)
            name = f"{member['campaign']} {member['formula']} {stage}: {entry['state']}"
            wrong += [f"{name}, {one}" for one in found]
    for firework in fireworks.values():
        spec = firework["spec"]
        owner = (spec["campaign"], spec["order"]["candidate"])
        if owner not in members:
            wrong.append(f"firework {firework['fw_id']}: no candidate {owner}")
    return wrong


def _entry(entry: dict[str, Any], *, has_result: bool) -> list[str]:
    wrong = []
    state = StageState(entry["state"])
    if state is StageState.OK and not has_result:
        wrong.append("without a result")
    if state is StageState.RUNNING:
        wrong.append("nobody runs it")
    if not state.settled and has_result:
        wrong.append("though there is a result")
    return wrong


def _firework_of(entry: dict[str, Any], firework: dict[str, Any] | None) -> list[str]:
    state = StageState(entry["state"])
    name = f"firework {entry['fw_id']}"
    if firework is None:
        return [] if entry["fw_id"] is None else [f"{name} does not exist"]
    wrong = []
    if firework["spec"]["key"] != entry["key"]:
        wrong.append(f"{name} has another key")
    if firework["state"] == "COMPLETED" and not state.settled:
        wrong.append(f"{name} is COMPLETED")
    if firework["state"] == "FIZZLED" and state is not StageState.FAILED:
        wrong.append(f"{name} is FIZZLED")
    return wrong


def _attempts(store: Store) -> list[str]:
    wrong = []
    for attempt in store.attempts.find({}):
        if attempt["outcome"] == "running":
            wrong.append(f"attempt {attempt['_id']}: running, nobody runs it")
        elif attempt["finished_at"] is None or attempt["core_hours"] < 0:
            wrong.append(f"attempt {attempt['_id']}: {attempt['outcome']} without its cost")
    return wrong


def _leases(store: Store) -> list[str]:
    held = store.leases.find({"expires_at": {"$gt": time.time()}})
    return [f"lease {one['_id']}: held by {one['owner']}" for one in held]
