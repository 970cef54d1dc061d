"""Stages that were handed to a job which waits in a queue: RESERVED, as FireWorks has it.

FireWorks finds the job by `reservation_id` in the launch's history (`lpad get_qids`, `cancel_qid`).
There is one entry of that history for both states: signs of life are written into it by its place.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from fireworks_ext.launches import iso_now
from fireworks_ext.store import Store
from schemas.handover import Taken

State = Literal["RESERVED", "RUNNING"]


def reserve(store: Store, one: Taken, job: str) -> None:
    """Let FireWorks know that a stage in our hands waits for a job."""
    _turn(store, one, "RUNNING", "RESERVED", {"state_history.0.reservation_id": job})


def number(store: Store, one: Taken, job: str) -> None:
    """Let FireWorks know the number of a job that was not known when it was asked for."""
    store.launches.update_one(
        {"launch_id": one.launch_id, "state": "RESERVED"},
        {"$set": {"state_history.0.reservation_id": job}},
    )


def begin(store: Store, one: Taken) -> None:
    """Let FireWorks know that the job has begun; again without harm."""
    _turn(store, one, "RESERVED", "RUNNING", {})


def _turn(store: Store, one: Taken, before: State, after: State, more: dict[str, str]) -> None:
    """Turn a launch, its workflow's view of it, and last the firework from one state to another.

    What was run again meanwhile, or taken away, is left alone.
    """
    now = iso_now()
    turned = {
        "state": after,
        "state_history.0.state": after,
        "state_history.0.updated_on": now,
        **more,
    }
    store.launches.update_one({"launch_id": one.launch_id, "state": before}, {"$set": turned})
    node = f"fw_states.{one.fw_id}"
    shown = {node: after, "updated_on": datetime.now(UTC)}
    store.workflows.update_one({"nodes": one.fw_id, node: before}, {"$set": shown})
    store.workflows.update_one(
        {"nodes": one.fw_id, "state": before, node: after}, {"$set": {"state": after}}
    )
    store.fireworks.update_one(
        {"fw_id": one.fw_id, "state": before, "launches": one.launch_id},
        {"$set": {"state": after, "updated_on": now}},
    )
