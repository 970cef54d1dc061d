"""Fireworks that somebody took and does not work on any more."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import psutil

from fireworks_ext import leases, pages, states
from fireworks_ext.artefacts import Artefacts
from fireworks_ext.janitor.locks import is_locked
from fireworks_ext.janitor.repairs import Report
from fireworks_ext.janitor.sightings import STALE_S, Sightings
from fireworks_ext.processes import is_gone, parse, place_name
from fireworks_ext.store import Store
from schemas.work import StageOrder

LOST_S = 300.0
"""After this without a sign of life, a launch on another machine counts as lost."""
Document = Mapping[str, Any]


def free_reservations(store: Store, report: Report, *, deserted: bool) -> None:
    """Make fireworks READY again that were taken, but whose launch was never written."""
    query = {"spec.campaign": report.campaign, "state": "RESERVED", "launches": []}
    for one in list(store.fireworks.find(query, {"fw_id": 1, "updated_on": 1})):
        if not (deserted or silence_s(one["updated_on"]) > STALE_S):
            report.suspects += 1
        elif refresh(store, one["fw_id"]):
            report.add(f"firework {one['fw_id']}", "reserved without a launch")


def run_again(
    store: Store,
    artefacts: Artefacts,
    sightings: Sightings,
    report: Report,
    *,
    deserted: bool,
) -> None:
    """Run again what a worker held that is gone; end what has ended, and does not say so."""
    query = {"spec.campaign": report.campaign, "state": "RUNNING"}
    wanted = {"fw_id": 1, "launches": 1, "spec.key": 1}
    for page in pages.pages(store.fireworks, query, wanted, size=1000):
        launches = _launches_of(store, page)
        lost: list[tuple[Document, Document]] = []
        for firework in page:
            launch = launches.get(firework["fw_id"])
            if launch is None or launch["state"] != "RUNNING":
                _end(store, firework, launch, sightings, report, deserted=deserted)
            elif _is_lost(store, firework, launch, sightings, report, deserted=deserted):
                lost.append((firework, launch))
        directories = working_directories() if lost else set()
        for dropped, last in lost:
            if not is_computed(artefacts, dropped["spec"]["key"], directories):
                _give_back(store, dropped, last, report)


def _launches_of(store: Store, fireworks: Sequence[Document]) -> dict[int, Document]:
    """Return the launches that count, by firework."""
    wanted = {"launch_id": 1, "fw_id": 1, "state": 1, "state_history": 1, "fworker": 1}
    ids = [launch for one in fireworks for launch in one["launches"]]
    query = {"launch_id": {"$in": ids}}
    found: dict[int, Document] = {
        one["launch_id"]: one for one in store.launches.find(query, wanted)
    }
    by_firework: dict[int, Document] = {}
    for one in fireworks:
        mine = [found[launch] for launch in one["launches"] if launch in found]
        running = [launch for launch in mine if launch["state"] == "RUNNING"]
        if mine:
            by_firework[one["fw_id"]] = (running or mine)[-1]
    return by_firework


def _end(
    store: Store,
    firework: Document,
    launch: Document | None,
    sightings: Sightings,
    report: Report,
    *,
    deserted: bool,
) -> None:
    """End a firework whose launch has ended: whoever ended it may be about to do so."""
    fw_id = firework["fw_id"]
    look = (launch or {}).get("state")
    dead = launch is not None and _worker_is_gone(launch)
    if not (deserted or dead or sightings.is_stale(f"firework {fw_id}", look)):
        report.suspects += 1
    elif refresh(store, fw_id):
        report.add(f"firework {fw_id}", "its launch has ended" if launch else "it has no launch")


def _worker_is_gone(launch: Document) -> bool:
    process = parse(str((launch["fworker"] or {}).get("name", "")))
    return process is not None and is_gone(process)


def _is_lost(
    store: Store,
    firework: Document,
    launch: Document,
    sightings: Sightings,
    report: Report,
    *,
    deserted: bool,
) -> bool:
    """Tell whether the worker of a launch is gone: asked on its machine, else by its silence.

    Silent by the clocks of both, and looking the same for a while to us where there are workers
    that may live; sooner where the lease of the key is not the worker's any more.
    """
    process = parse(str((launch["fworker"] or {}).get("name", "")))
    if process is not None and process.host == place_name():
        return is_gone(process)
    beat = launch["state_history"][-1].get("updated_on")
    unchanged_s = sightings.unchanged_s(f"launch {launch['launch_id']}", beat)
    if unchanged_s > LOST_S:
        return True
    if beat is None or silence_s(beat) <= leases.LEASE_S:
        return False
    held = process is not None and _is_held(store, firework["spec"]["key"], process.name)
    if held and silence_s(beat) <= LOST_S:
        return False
    if unchanged_s > STALE_S or (deserted and silence_s(beat) > LOST_S):
        return True
    report.suspects += 1
    return False


def _is_held(store: Store, key: str, owner: str) -> bool:
    found = store.leases.find_one({"_id": key}, {"owner": 1})
    return found is not None and found.get("owner") == owner


def _give_back(store: Store, firework: Document, launch: Document, report: Report) -> None:
    """Make a firework READY that is lost."""
    fw_id = firework["fw_id"]
    if is_locked(store, fw_id):
        return  # the next round
    found = store.fireworks.find_one({"fw_id": fw_id}, {"spec.order": 1})
    if found is None:
        return
    order = StageOrder.model_validate(found["spec"]["order"])
    run = states.Running(fw_id, launch["launch_id"])
    with suppress(states.WorkflowBusy):
        if states.give_back(store, run, order, by=report.by):
            report.add(f"firework {fw_id}", f"its worker {launch['fworker']['name']} is gone")


def refresh(store: Store, fw_id: int) -> bool:
    """Have FireWorks derive a firework's state again; False where its workflow is locked."""
    if is_locked(store, fw_id):
        return False
    return states.refresh(store, fw_id)


def silence_s(moment: Any) -> float:
    """Return the seconds since a moment as FireWorks writes it: ISO text, or a date."""
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return float((datetime.now(UTC) - moment).total_seconds())


def working_directories() -> set[str]:
    """Return where the processes of this machine work: a program is found by its run directory."""
    found = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):  # it ended meanwhile, or belongs to somebody else
            found.add(process.cwd())
    return found


def is_computed(artefacts: Artefacts, key: str, directories: set[str]) -> bool:
    """Tell whether a program that outlived its worker still works on a key."""
    return any(os.path.realpath(one) in directories for one in artefacts.attempts(key)[:1])
