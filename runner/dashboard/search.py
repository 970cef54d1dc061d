"""Candidates found by formula or by the beginning of an id, and how their calculations went."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from fireworks_ext import ledger
from fireworks_ext.store import Store
from runner.logs import Wanted, logs_of
from runner.members import Member, member_in
from schemas.errors import UserError
from schemas.failure_reports import Logs

MOST_FOUND = 25
LONGEST = 100
ID = re.compile(r"[0-9a-f]{4,64}")
LAST = "\U0010ffff"
_WANTED = {"id": 1, "formula": 1, "row": 1, "stages": 1}


@dataclass(frozen=True)
class Found:
    """Members that a text names, and whether there are more."""

    text: str
    members: tuple[Member, ...]
    more: bool


def search(store: Store, campaign: str, text: str) -> Found:
    """Return the members of a formula, else those whose formula or id begins so."""
    ledger.find_campaign(store, campaign)
    wanted = "".join(text.split())[:LONGEST]
    mine = {"campaign": campaign}
    found: list[dict[str, Any]] = []
    if wanted:
        found = _some(store, {**mine, "formula": wanted})
        if not found and ID.fullmatch(wanted):
            first = f"{campaign}/{wanted}"
            found = _some(store, {"_id": {"$gte": first, "$lt": f"{first}g"}})  # hexadecimal
        if not found:
            found = _some(store, {**mine, "formula": {"$gte": wanted, "$lt": wanted + LAST}})
    members = tuple(member_in(one) for one in found[:MOST_FOUND])
    return Found(wanted, members, len(found) > MOST_FOUND)


def _some(store: Store, query: dict[str, Any]) -> list[dict[str, Any]]:
    # In the order of the index: without one, all that match are looked at first.
    order = "_id" if "_id" in query else "formula"
    found = store.candidates.find(query, {**_WANTED, "member": 1}).sort(order, 1)
    return [one for one in found.limit(MOST_FOUND + 1) if one["member"]]


def candidate_logs(store: Store, campaign: str, candidate: str) -> Logs:
    """Return how the calculations of a candidate went, by its whole id.

    Raises
    ------
    UserError
        When there is no such campaign or candidate.
    """
    document = ledger.find_campaign(store, campaign)
    key = ledger.candidate_key(campaign, candidate)
    found = store.candidates.find_one({"_id": key, "member": True}, _WANTED)
    if found is None:
        raise UserError(f"campaign '{campaign}' has no candidate {candidate}")
    return logs_of(store, document, member_in(found), Wanted())
