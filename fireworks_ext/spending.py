"""What a campaign has spent: what its attempts took, added up so that nobody reads them all.

`campaigns.spent` holds the sum of all attempts that were recorded before `upto`; those recorded
since are read. There is no counter that is counted up: a write that is repeated would count twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
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


@dataclass(frozen=True)
class Spent:
    """What attempts took, and what it cost where there was a price."""

    core_hours: float = 0.0
    usd: float = 0.0

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.core_hours + other.core_hours, self.usd + other.usd)


def spent(store: Store, campaign: str) -> Spent:
    """Return what the attempts of a campaign took that have ended."""
    return Meter(store, campaign).spent()


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
        total += _between(store, campaign, begin, end)
    store.campaigns.update_one(
        {"_id": campaign, "spent.upto": old["upto"] if old else None},
        {"$set": {"spent": {**asdict(total), "upto": upto}}},
    )


@dataclass
class Meter:
    """What a campaign has spent, for one who asks again and again.

    It reads those slices of time again in which records may still appear, and no others; a record
    that comes later still is counted once the sum is folded.
    """

    store: Store
    campaign: str
    _known: dict[tuple[datetime | None, datetime], Spent] = field(default_factory=dict)

    def spent(self) -> Spent:
        """Return what is spent by now."""
        folded = _folded(self.store, self.campaign)
        now = utc_now()
        begin = folded["upto"] if folded else None
        total = _before(self.store, self.campaign, folded)
        known: dict[tuple[datetime | None, datetime], Spent] = {}
        for one in _slices(begin, now - MARGIN, now - OVERLAP):
            found = self._known.get(one)
            known[one] = _between(self.store, self.campaign, *one) if found is None else found
            begin = one[1]
        self._known = known
        recent = _between(self.store, self.campaign, begin, None)
        return sum(known.values(), total) + recent

    def is_spent(self) -> bool:
        """Tell whether the campaign has used up its core-hours, or its dollars."""
        limits = {"core_hours": 1, "usd": 1}
        document = self.store.campaigns.find_one({"_id": self.campaign}, limits) or {}
        given = {name: document[name] for name in limits if document.get(name) is not None}
        if not given:
            return False
        now = asdict(self.spent())
        return any(now[name] >= limit for name, limit in given.items())


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


def _before(store: Store, campaign: str, folded: Mapping[str, Any] | None) -> Spent:
    """Return what is in the sum; without one, what carries no time of its record."""
    if folded:
        return Spent(folded["core_hours"], folded.get("usd", 0.0))
    return _total(store, {"campaign": campaign, "recorded_at": None})


def _between(store: Store, campaign: str, begin: datetime | None, end: datetime | None) -> Spent:
    bounds = {"$gte": begin, "$lt": end}
    given = {sign: bound for sign, bound in bounds.items() if bound is not None}
    return _total(store, {"campaign": campaign, "recorded_at": given})


def _total(store: Store, query: Mapping[str, Any]) -> Spent:
    wanted = {"core_hours": 1, "usd_per_core_hour": 1}
    core_hours = usd = 0.0
    for one in store.attempts.find(query, wanted):
        core_hours += one["core_hours"]
        usd += one["core_hours"] * (one.get("usd_per_core_hour") or 0.0)
    return Spent(core_hours, usd)
