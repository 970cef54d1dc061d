"""What others see of a worker process: that it is there, for whom it works, and why it pauses."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from pymongo.errors import PyMongoError

from fireworks_ext.database.patience import impatient
from fireworks_ext.store import Store
from schemas.clock import utc_now

SEEN_S = 300.0
"""Between two signs of life."""
FRESH_S = 3 * SEEN_S
"""Of a worker that has given none for longer, nothing is told any more."""
DEAD_S = 24 * 3600.0
"""Of one that has given none for longer, nothing is kept: its machine is gone."""


@dataclass
class Presence:
    """One worker's entry in the store."""

    store: Store
    name: str
    campaigns: Sequence[str]
    _paused: dict[str, str] | None = None
    _shown_at: float = 0.0

    def show(self, paused: Mapping[str, str]) -> None:
        """Say why it pauses, by campaign; nothing is written where that was said lately.

        Raises
        ------
        PyMongoError
            While the database is away.
        """
        if paused == self._paused and time.monotonic() - self._shown_at < SEEN_S:
            return
        now = utc_now()
        seen = {"campaigns": list(self.campaigns), "seen": now, "paused": dict(paused)}
        self.store.workers.update_one(
            {"_id": self.name}, {"$set": seen, "$setOnInsert": {"since": now}}, upsert=True
        )
        self._paused, self._shown_at = dict(paused), time.monotonic()

    def sign_off(self) -> None:
        """Take the entry away."""
        with suppress(PyMongoError), impatient():  # the janitor sees that we are gone
            self.store.workers.delete_one({"_id": self.name})


def paused(store: Store, campaign: str) -> dict[str, str]:
    """Return which workers pause in a campaign, and why."""
    lately = {"$gt": utc_now() - timedelta(seconds=FRESH_S)}
    why = f"paused.{campaign}"
    found = store.workers.find({why: {"$gt": ""}, "seen": lately}, {why: 1})
    return {one["_id"]: one["paused"][campaign] for one in found}


def forget_dead(store: Store) -> int:
    """Remove the entries of workers that gave no sign of life for a day; return how many."""
    long_ago = {"$lt": utc_now() - timedelta(seconds=DEAD_S)}
    silent = [{"seen": long_ago}, {"seen": None, "since": long_ago}]
    return int(store.workers.delete_many({"$or": silent}).deleted_count)
