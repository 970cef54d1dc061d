"""Pausing a campaign as `lpad pause_fws` does: what waits is PAUSED, what runs is finished.

The campaign's document says it too, so that no further members get fireworks. A firework that is
held for a person is PAUSED as well; the ledger tells the two apart, and resuming leaves it alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fireworks_ext import launches, ledger, states
from fireworks_ext.pages import chunks, pages
from fireworks_ext.store import Store
from schemas.clock import utc_now
from schemas.ledger import StageState

IN_HANDS = ("RUNNING", "RESERVED")
"""Of a worker, or of a job: these are finished."""
_WANTED = {"fw_id": 1, "spec.stage": 1, "spec.campaign": 1, "spec.order.candidate": 1}


def paused_fireworks(store: Store, campaign: str) -> int:
    """Return how many fireworks of a campaign are PAUSED, those that are held with them."""
    paused = {"spec.campaign": campaign, "state": "PAUSED"}
    return int(store.fireworks.count_documents(paused))


def pause(store: Store, campaign: str, told: Callable[[int], None] = lambda _count: None) -> int:
    """Pause what is READY or will be when something that runs ends; return how many that is.

    What waits below those need not be touched: it waits on.
    """
    ledger.find_campaign(store, campaign)
    _mark(store, campaign, {"$set": {"paused": utc_now()}})
    count = 0
    while True:
        before = count
        for fw_id, state in _next(store, campaign):
            count += _moved(store, fw_id, state, "PAUSED")
            told(count)
        if count == before:  # nothing ended meanwhile, and made another READY
            return count


def _next(store: Store, campaign: str) -> Iterator[tuple[int, str]]:
    """Yield what could start by itself, with its state."""
    yield from [(one["fw_id"], "READY") for one in _in_state(store, campaign, "READY")]
    others = {"spec.campaign": campaign, "state": "WAITING", "spec._waits_for": {"$gt": ""}}
    yield from [(one["fw_id"], "WAITING") for one in store.fireworks.find(others, _WANTED)]
    busy = [one["fw_id"] for state in IN_HANDS for one in _in_state(store, campaign, state)]
    for some in chunks(busy):
        workflows = store.workflows.find({"nodes": {"$in": list(some)}}, {"links": 1})
        links = [one["links"] for one in workflows]
        below = {child for one in links for fw_id in some for child in one.get(str(fw_id), ())}
        yield from [(child, "WAITING") for child in sorted(below)]


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
