"""What a campaign has spent: what its attempts took, added up so that nobody reads them all.

`campaigns.spent` holds the sum of all attempts that were recorded before `upto`; those recorded
since are read. There is no counter that is counted up: a write that is repeated would count twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from fireworks_ext.store import Store
from schemas.clock import utc_now

MARGIN = timedelta(minutes=10)
"""No record appears with a time of longer ago: clocks differ, and a write is repeated, for less."""
OVERLAP = timedelta(minutes=1)
"""What one process read once, and ended longer ago, that process does not read again."""
SHORT_SLICE = timedelta(minutes=1)
LONG_SLICE = timedelta(hours=1)
LONG_AGO = timedelta(days=1)
"""What is older is one slice: nobody has folded it, and it is read as a whole once an hour."""


def spent_core_hours(store: Store, campaign: str) -> float:
    """Return what the attempts of a campaign took that have ended, in core-hours."""
    return Meter(store, campaign).core_hours()


def fold_spent(store: Store, campaign: str) -> None:
    """Add what can no longer change to the sum in the campaign's document.

    To be called about once a minute by whoever controls the campaign; of two that do, one writes.
    """
    old = _folded(store, campaign)
    upto = _rounded(utc_now() - MARGIN, SHORT_SLICE)
    if old and upto <= old["upto"]:
        return
    total = _before(store, campaign, old)
    for begin, end in _slices(old["upto"] if old else None, upto, upto):
        total += _sum(store, campaign, begin, end)
    store.campaigns.update_one(
        {"_id": campaign, "spent.upto": old["upto"] if old else None},
        {"$set": {"spent": {"core_hours": total, "upto": upto}}},
    )


@dataclass
class Meter:
    """What a campaign has spent, for one who asks again and again.

    It reads those slices of time again in which records may still appear, and no others; a record
    that comes later still is counted once the sum is folded.
    """

    store: Store
    campaign: str
    _known: dict[tuple[datetime | None, datetime], float] = field(default_factory=dict)

    def core_hours(self) -> float:
        """Return what is spent by now."""
        folded = _folded(self.store, self.campaign)
        now = utc_now()
        begin = folded["upto"] if folded else None
        total = _before(self.store, self.campaign, folded)
        known: dict[tuple[datetime | None, datetime], float] = {}
        for one in _slices(begin, now - MARGIN, now - OVERLAP):
            found = self._known.get(one)
            known[one] = _sum(self.store, self.campaign, *one) if found is None else found
            begin = one[1]
        self._known = known
        return total + sum(known.values()) + _sum(self.store, self.campaign, begin, None)

    def is_spent(self) -> bool:
        """Tell whether the campaign has used up its core-hours."""
        document = self.store.campaigns.find_one({"_id": self.campaign}, {"core_hours": 1})
        limit = document.get("core_hours") if document else None
        return limit is not None and self.core_hours() >= limit


def _slices(
    begin: datetime | None, quiet: datetime, end: datetime
) -> Iterator[tuple[datetime | None, datetime]]:
    """Yield slices of time from `begin` on that end before `end`, the same ones at every call.

    They are long before `quiet` and short after it; None is the beginning of all time.
    """
    first = _rounded(quiet - LONG_AGO, LONG_SLICE)
    if begin is None or begin < first:
        yield begin, first
        begin = first
    while True:
        step = LONG_SLICE if begin + LONG_SLICE <= quiet else SHORT_SLICE
        after = _rounded(begin + step, step)
        if after > end:
            return
        yield begin, after
        begin = after


def _rounded(moment: datetime, step: timedelta) -> datetime:
    """Return the last whole hour or minute."""
    whole = moment.replace(second=0, microsecond=0)
    return whole.replace(minute=0) if step == LONG_SLICE else whole


def _folded(store: Store, campaign: str) -> Mapping[str, Any] | None:
    document = store.campaigns.find_one({"_id": campaign}, {"spent": 1})
    found: Mapping[str, Any] | None = (document or {}).get("spent")
    return found


def _before(store: Store, campaign: str, folded: Mapping[str, Any] | None) -> float:
    """Return what is in the sum; without one, what carries no time of its record."""
    if folded:
        return float(folded["core_hours"])
    return _total(store, {"campaign": campaign, "recorded_at": None})


def _sum(store: Store, campaign: str, begin: datetime | None, end: datetime | None) -> float:
    bounds = {"$gte": begin, "$lt": end}
    given = {sign: bound for sign, bound in bounds.items() if bound is not None}
    return _total(store, {"campaign": campaign, "recorded_at": given})


def _total(store: Store, query: Mapping[str, Any]) -> float:
    return float(sum(one["core_hours"] for one in store.attempts.find(query, {"core_hours": 1})))
