"""Leases on keys: of all workers and campaigns that want one key, one computes it.

A lease lasts `LEASE_S` and is renewed every `RENEW_S`. Its token counts up with every new holder;
what a holder writes carries the token, so that one who was taken for dead cannot overwrite.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

from fireworks_ext.database.inserts import DUPLICATE
from fireworks_ext.processes import Process, is_gone, parse, this_process
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
    return acquire_many(store, {name: note or {}}, owner.name).get(name)


def acquire_many(
    store: Store, notes: Mapping[str, Mapping[str, Any]], owner: str
) -> dict[str, Lease]:
    """Take the leases of some names, each with a note; return, by name, those that were free.

    Every call marks what it takes, so a repeat after a lost answer finds what the first try took.
    """
    if not notes:
        return {}
    now, grip = time.time(), uuid.uuid4().hex
    taken = {"owner": owner, "expires_at": now + LEASE_S, "grip": grip}
    wanted = [
        (
            {"_id": name, "expires_at": {"$lte": now}},
            {"$set": {**taken, **note}, "$inc": {"token": 1}},
        )
        for name, note in sorted(notes.items())
    ]
    try:
        store.leases.bulk_write([UpdateOne(*one, upsert=True) for one in wanted], ordered=False)
    except BulkWriteError as error:
        if any(one["code"] != DUPLICATE for one in error.details["writeErrors"]):
            raise
        # These exist and have not expired.
    except KeyError as error:
        # pymongo's own, of FerretDB 1.24's answer: that leaves out the number of those taken, and
        # those after the first that could not be.
        if error.args != ("nModified",):
            raise
        for query, update in wanted:
            with suppress(DuplicateKeyError):
                store.leases.update_one(query, update, upsert=True)
    mine = store.leases.find({"_id": {"$in": sorted(notes)}, "grip": grip}, {"token": 1})
    return {one["_id"]: Lease(one["_id"], owner, one["token"]) for one in mine}


def renew(store: Store, leases: Sequence[Lease]) -> list[Lease]:
    """Prolong leases of one owner and return those that are still his."""
    if not leases:
        return []
    mine = {"_id": {"$in": [one.name for one in leases]}, "owner": leases[0].owner}
    store.leases.update_many(mine, {"$set": {"expires_at": time.time() + LEASE_S}})
    held = {one["_id"]: one["token"] for one in store.leases.find(mine, {"token": 1})}
    return [one for one in leases if held.get(one.name) == one.token]


def release(store: Store, lease: Lease) -> None:
    """Give a lease back; one that was lost meanwhile is left alone."""
    store.leases.update_one(
        {"_id": lease.name, "owner": lease.owner, "token": lease.token},
        {"$set": {"expires_at": 0.0, "owner": ""}},
    )


def release_many(store: Store, names: Collection[str], owner: str) -> None:
    """Give back what an owner holds of some leases."""
    if not names:
        return
    store.leases.update_many(
        {"_id": {"$in": sorted(names)}, "owner": owner},
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


def of_others(store: Store) -> bool:
    """Tell whether anybody else holds a lease, of whom it is not known that he has ended."""
    me = this_process().name
    for document in store.leases.find({"expires_at": {"$gt": time.time()}}, {"owner": 1}):
        process = parse(document["owner"])
        if document["owner"] != me and (process is None or not is_gone(process)):
            return True
    return False
