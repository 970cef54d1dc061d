"""Fireworks that wait for somebody who may never call: for a key, for files, for the budget."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

from fireworks_ext import leases, ledger, states
from fireworks_ext.endings import FILES, budget_wait
from fireworks_ext.janitor.repairs import Report
from fireworks_ext.spending import Meter
from fireworks_ext.store import Store
from schemas.ledger import StageState
from schemas.work import StageOrder

MOST_NAMES = 100
"""Looked at in one round while others work."""
MOST_OF_ONE = 50
"""Of those that wait for the same, so many say whether they have to wait on."""


def awaited(store: Store, campaign: str) -> Iterator[str]:
    """Yield what fireworks wait for, each once: a look-up in the index for each."""
    last = ""
    while True:
        query = {**_waiting(campaign), "spec._waits_for": {"$gt": last}}
        found = store.fireworks.find(query, {"spec._waits_for": 1})
        first = next(iter(found.sort("spec._waits_for", 1).limit(1)), None)
        if first is None:
            return
        last = first["spec"]["_waits_for"]
        yield last


def _waiting(campaign: str) -> dict[str, Any]:
    return {"spec.campaign": campaign, "state": "WAITING"}


def nobody_computes(store: Store, campaign: str) -> bool:
    """Tell whether nothing that fireworks wait for is worked on by anybody."""
    names = awaited(store, campaign)
    while some := list(islice(names, MOST_NAMES)):
        keys = [name.removeprefix(FILES) for name in some]
        held = {"_id": {"$in": keys}, "expires_at": {"$gt": time.time()}}
        if store.leases.find_one(held, {"_id": 1}) is not None:
            return False
    return True


def wake_due(store: Store, report: Report, names: Iterator[str]) -> None:
    """Wake those whose key nobody computes any more, or whose budget was raised."""
    while some := list(islice(names, MOST_NAMES)):
        known = ledger.find_results(store, some, report.campaign)
        for name in some:
            if (name in known or _is_due(store, report.campaign, name)) and states.wake(
                store, name
            ):
                report.add(f"what waited for {name[:24]}", "nobody would have woken it")


def _is_due(store: Store, campaign: str, name: str) -> bool:
    """Tell whether what waits for something without a result should look again."""
    if name == budget_wait(campaign):
        return not Meter(store, campaign).is_spent()
    if name.startswith(FILES):
        return leases.is_free(store, name.removeprefix(FILES))
    query = {**_waiting(campaign), "spec._waits_for": name}
    for one in list(store.fireworks.find(query, {"spec.order": 1}).limit(MOST_OF_ONE)):
        order = StageOrder.model_validate(one["spec"]["order"])
        if order.key == name:
            return leases.is_free(store, name)
        if _has_ended(store, name, order):
            return True
    return False


def _has_ended(store: Store, name: str, order: StageOrder) -> bool:
    """Tell whether the stage whose key an order waits for has ended without a result."""
    record = ledger.find_candidate(store, order.campaign, order.candidate)
    mine = record.stages.get(order.stage)
    above = [record.stages.get(stage) for stage, key in order.reads.items() if key == name]
    ended = any(one and one.state.settled and one.state is not StageState.OK for one in above)
    return ended and mine is not None and not mine.state.settled
