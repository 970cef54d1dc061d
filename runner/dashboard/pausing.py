"""Pausing a campaign as `lpad pause_fws` does: what waits is PAUSED, what runs is finished.

The campaign's document says it too, so that no further members get fireworks. A firework that is
held for a person is PAUSED as well; the ledger tells the two apart, and resuming leaves it alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fireworks_ext import launches, ledger, states
from fireworks_ext.pages import pages
from fireworks_ext.store import Store
from schemas.clock import utc_now
from schemas.ledger import StageState

PAUSABLE = ("READY", "WAITING")
"""A RESERVED one is in the hands of a worker, or of a job."""
_WANTED = {"fw_id": 1, "spec.stage": 1, "spec.campaign": 1, "spec.order.candidate": 1}


def paused_fireworks(store: Store, campaign: str) -> int:
    """Return how many fireworks of a campaign are PAUSED, those that are held with them."""
    paused = {"spec.campaign": campaign, "state": "PAUSED"}
    return int(store.fireworks.count_documents(paused))


def pause(store: Store, campaign: str, told: Callable[[int], None] = lambda _count: None) -> int:
    """Pause what is READY, then what waits for something; return how many fireworks that is."""
    ledger.find_campaign(store, campaign)
    _mark(store, campaign, {"$set": {"paused": utc_now()}})
    count = 0
    for state in PAUSABLE:
        for firework in list(_in_state(store, campaign, state)):
            count += _moved(store, firework["fw_id"], state, "PAUSED")
            told(count)
    return count


def resume(store: Store, campaign: str, told: Callable[[int], None] = lambda _count: None) -> int:
    """Have everything wait again that is paused and not held; return how many fireworks it is."""
    ledger.find_campaign(store, campaign)
    _mark(store, campaign, {"$unset": {"paused": ""}})
    count = 0
    for firework in list(_in_state(store, campaign, "PAUSED")):
        if not _is_held(store, firework["spec"]):
            count += _moved(store, firework["fw_id"], "PAUSED", "WAITING")
            told(count)
    return count


def _mark(store: Store, campaign: str, change: Mapping[str, Any]) -> None:
    store.campaigns.update_one({"_id": campaign}, change)


def _in_state(store: Store, campaign: str, state: str) -> Iterator[Mapping[str, Any]]:
    mine = {"spec.campaign": campaign, "state": state}
    for page in pages(store.fireworks, mine, _WANTED):
        yield from page


def _moved(store: Store, fw_id: int, old: str, new: str) -> int:
    change = {"$set": {"state": new, "updated_on": launches.iso_now()}}
    changed = store.fireworks.update_one({"fw_id": fw_id, "state": old}, change).modified_count
    if changed:
        states.refresh(store, fw_id)
    return int(changed)


def _is_held(store: Store, spec: Mapping[str, Any]) -> bool:
    """Tell whether the ledger holds a calculation for a person to look at."""
    where = f"stages.{spec['stage']}.state"
    name = ledger.candidate_key(spec["campaign"], spec["order"]["candidate"])
    return store.candidates.find_one({"_id": name, where: StageState.HELD.value}) is not None
