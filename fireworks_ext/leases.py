"""Leases on keys: of all workers and campaigns that want one key, one computes it.

A lease lasts `LEASE_S` and is renewed every `RENEW_S`. Its token counts up with every new holder;
what a holder writes carries the token, so that one who was taken for dead cannot overwrite.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from fireworks_ext.processes import Process, is_gone, parse
from fireworks_ext.store import Store

LEASE_S = 120.0
RENEW_S = 30.0


@dataclass(frozen=True)
class Lease:
    """The right to compute a key, or to control a campaign."""

    name: str
    owner: str
    token: int


def acquire(
    store: Store, name: str, owner: Process, note: dict[str, Any] | None = None
) -> Lease | None:
    """Take the lease, or return None while somebody else holds it.

    `note` is stored beside it for whoever looks (campaign, stage, fw_id).
    """
    now = time.time()
    taken = {"owner": owner.name, "expires_at": now + LEASE_S, **(note or {})}
    try:
        document = store.leases.find_one_and_update(
            {"_id": name, "expires_at": {"$lte": now}},
            {"$set": taken, "$inc": {"token": 1}},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
    except DuplicateKeyError:
        return None  # it exists and has not expired
    return Lease(name, owner.name, document["token"])


def renew(store: Store, leases: list[Lease]) -> list[Lease]:
    """Prolong leases and return those that are still ours."""
    kept = []
    for lease in leases:
        answer = store.leases.update_one(
            {"_id": lease.name, "owner": lease.owner, "token": lease.token},
            {"$set": {"expires_at": time.time() + LEASE_S}},
        )
        if answer.matched_count:
            kept.append(lease)
    return kept


def release(store: Store, lease: Lease) -> None:
    """Give a lease back; one that was lost meanwhile is left alone."""
    store.leases.update_one(
        {"_id": lease.name, "owner": lease.owner, "token": lease.token},
        {"$set": {"expires_at": 0.0, "owner": ""}},
    )


def is_held(store: Store, lease: Lease) -> bool:
    """Tell whether the lease is still this holder's."""
    query = {"_id": lease.name, "owner": lease.owner, "token": lease.token}
    return store.leases.find_one(query, {"_id": 1}) is not None


def is_free(store: Store, name: str) -> bool:
    """Tell whether nobody holds the lease."""
    held = {"_id": name, "expires_at": {"$gt": time.time()}}
    return store.leases.find_one(held, {"_id": 1}) is None


def orphaned(store: Store) -> list[Lease]:
    """Return held leases whose owner is known to have ended on this machine."""
    found = []
    for document in store.leases.find({"expires_at": {"$gt": time.time()}}):
        process = parse(document["owner"])
        if process is not None and is_gone(process):
            found.append(Lease(document["_id"], document["owner"], document["token"]))
    return found
