"""FireWorks' launch documents, made and ended as FireWorks does, many at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from fireworks import FWAction
from pymongo import ReturnDocument, UpdateOne

from fireworks_ext.store import Store
from schemas.model import JsonValue


def new_ids(store: Store, count: int) -> range:
    """Return so many launch ids that nobody else gets."""
    counters = store.fw_id_assigner.find_one_and_update(
        {}, {"$inc": {"next_launch_id": count}}, return_document=ReturnDocument.BEFORE
    )
    first = counters["next_launch_id"]
    return range(first, first + count)


def running(
    fw_ids: Mapping[int, int],
    *,
    worker: str,
    query: str,
    launch_dir: str,
    host: str,
    state: str = "RUNNING",
) -> list[dict[str, Any]]:
    """Return the documents of launches that begin now, by launch -> firework.

    `_id` is the launch's number, so that an insertion can be repeated after a lost answer.
    """
    now = iso_now()
    return [
        {
            "_id": launch_id,
            "fworker": {"name": worker, "category": "", "query": query, "env": {}},
            "fw_id": fw_id,
            "launch_dir": launch_dir,
            "host": host,
            "ip": "",
            "trackers": [],
            "action": None,
            "state": state,
            "state_history": [{"state": state, "created_on": now, "updated_on": now}],
            "launch_id": launch_id,
            "time_start": now,
            "time_end": None,
            "runtime_secs": None,
        }
        for launch_id, fw_id in fw_ids.items()
    ]


def no_op(launch_id: int, fw_id: int, stored: Mapping[str, JsonValue], by: str) -> dict[str, Any]:
    """Return the document of a launch that completed without anything being run."""
    (document,) = running(
        {launch_id: fw_id}, worker=by, query="{}", launch_dir="", host="", state="COMPLETED"
    )
    return {
        **document,
        "action": FWAction(stored_data=dict(stored)).to_dict(),
        "time_end": document["time_start"],
        "runtime_secs": 0.0,
    }


def ended(
    launch: Mapping[str, Any],
    state: str,
    begun: datetime,
    stored: Mapping[str, JsonValue],
    *,
    exits: bool,
) -> UpdateOne:
    """Return the write that ends a running launch; repeated, it does nothing.

    `launch`: by what it is found, `_id` where we made it ourselves.
    """
    now = datetime.now(UTC)
    action = FWAction(stored_data=dict(stored), exit=exits).to_dict()
    return UpdateOne(
        {**launch, "state": {"$in": ["RESERVED", "RUNNING"]}},
        {
            "$set": {
                "state": state,
                "action": action,
                "time_end": now.isoformat(),
                "runtime_secs": (now.replace(tzinfo=None) - begun).total_seconds(),
            },
            "$push": {"state_history": {"state": state, "created_on": now.isoformat()}},
        },
    )


def silent(store: Store, launch_ids: Iterable[int]) -> list[int]:
    """Return the launches that never said how they ended."""
    wanted: Sequence[int] = sorted(set(launch_ids))
    if not wanted:
        return []
    found = store.launches.find(
        {"launch_id": {"$in": wanted}, "action": None}, {"launch_id": 1, "_id": 0}
    )
    return [one["launch_id"] for one in found]


def iso_now() -> str:
    """Return the present time as FireWorks wants it in fireworks and launches."""
    return datetime.now(UTC).isoformat()
