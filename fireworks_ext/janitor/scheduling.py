"""Reservations of a scheduler that vanished: their fireworks are given back in bulk.

FireWorks would leave them RESERVED for two weeks.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from pymongo import UpdateMany, UpdateOne

from fireworks_ext import pages
from fireworks_ext.launches import iso_now
from fireworks_ext.store import Store


class Jobs(Protocol):
    """What is asked of who knows of the jobs."""

    def lost(self, reservations: Collection[str]) -> set[str]:
        """Return those reservations whose job is gone."""


def return_vanished(store: Store, campaign: str, jobs: Jobs) -> dict[int, str]:
    """Make fireworks READY again whose job is gone; return their reservations by `fw_id`."""
    returned: dict[int, str] = {}
    mine = {"spec.campaign": campaign, "state": "RESERVED"}
    wanted = {"fw_id": 1, "launches": 1}
    for page in pages.pages(store.fireworks, mine, wanted):
        held = {one["launches"][-1]: one["fw_id"] for one in page if one["launches"]}
        reservations = _reservations(store, list(held))
        lost = jobs.lost(sorted(set(reservations.values()))) if reservations else set()
        gone = {launch: name for launch, name in reservations.items() if name in lost}
        if gone:
            ready = _give_back(store, {held[launch]: launch for launch in gone})
            returned |= {fw_id: gone[launch] for fw_id, launch in ready.items()}
    return returned


def _reservations(store: Store, launch_ids: Sequence[int]) -> dict[int, str]:
    """Return the reservations of launches that have one and have not begun."""
    if not launch_ids:
        return {}
    query = {"launch_id": {"$in": list(launch_ids)}, "state": "RESERVED"}
    found = store.launches.find(query, {"launch_id": 1, "state_history": 1})
    named = {one["launch_id"]: _reservation(one) for one in found}
    return {launch: name for launch, name in named.items() if name is not None}


def _reservation(launch: Mapping[str, Any]) -> str | None:
    for state in launch["state_history"]:
        if state["state"] == "RESERVED" and "reservation_id" in state:
            return str(state["reservation_id"])
    return None


def _give_back(store: Store, launches: Mapping[int, int]) -> dict[int, int]:
    """Return fireworks to READY, those that have not begun meanwhile; return which.

    The firework is written first, so that a kill leaves it runnable.
    """
    now, date = iso_now(), datetime.now(UTC)
    store.fireworks.bulk_write(
        [
            UpdateOne(
                {"fw_id": fw_id, "state": "RESERVED", "launches": launch},
                {
                    "$set": {"state": "READY", "launches": [], "updated_on": now},
                    "$push": {"archived_launches": launch},
                },
            )
            for fw_id, launch in launches.items()
        ],
        ordered=False,
    )
    query = {
        "fw_id": {"$in": sorted(launches)},
        "archived_launches": {"$in": sorted(launches.values())},
    }
    nodes = sorted(one["fw_id"] for one in store.fireworks.find(query, {"fw_id": 1}))
    if not nodes:
        return {}
    store.workflows.bulk_write(
        [
            *(
                UpdateOne(
                    {"nodes": fw_id, f"fw_states.{fw_id}": "RESERVED"},
                    {"$set": {f"fw_states.{fw_id}": "READY", "updated_on": date}},
                )
                for fw_id in nodes
            ),
            UpdateMany(
                {"nodes": {"$in": nodes}, "state": "RESERVED"}, {"$set": {"state": "READY"}}
            ),
        ],
        ordered=False,
    )
    store.launches.update_many(
        {"launch_id": {"$in": [launches[fw_id] for fw_id in nodes]}, "state": "RESERVED"},
        {"$set": {"state": "READY"}},
    )
    return {fw_id: launches[fw_id] for fw_id in nodes}
