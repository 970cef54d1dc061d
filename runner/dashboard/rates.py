"""How fast a campaign goes: what ended in slices of time, by an index, closed slices read once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from fireworks_ext.store import Store
from schemas.clock import SECONDS_PER_HOUR, utc_now

SLICES = 24
LENGTHS_S = (10.0, 60.0, 300.0, 1800.0, 3600.0)
"""Of a slice: the first with which so many of them reach back to the campaign's beginning."""
CLOSED = timedelta(minutes=2)
"""Nothing is recorded with a time of longer ago, but for what is too little to be seen here."""
MOST_READ = 1000
"""Of a slice; where more ended, what they took in all is estimated from so many."""
ENOUGH = 20
"""Calculations from which a rate is told: the newest slices that have so many."""
EPOCH = datetime(2000, 1, 1)  # noqa: DTZ001  (naive UTC, as all times that are stored)


@dataclass(frozen=True)
class Slice:
    """What ended between two moments."""

    begin: datetime
    end: datetime
    ended: int
    core_hours: float

    @property
    def hours(self) -> float:
        """How long it is."""
        return (self.end - self.begin).total_seconds() / SECONDS_PER_HOUR

    def hours_ago(self, now: datetime) -> float:
        """How long before a moment it began."""
        return (now - self.begin).total_seconds() / SECONDS_PER_HOUR


@dataclass(frozen=True)
class Rate:
    """What ends per hour, and of how many that is known."""

    ended: int
    hours: float
    core_hours: float

    @property
    def stages_per_hour(self) -> float:
        """Calculations that end in an hour."""
        return self.ended / self.hours

    @property
    def core_hours_per_hour(self) -> float:
        """Cores that compute, on the average."""
        return self.core_hours / self.hours


def rate_of(slices: Sequence[Slice]) -> Rate | None:
    """Return the rate at the end of some slices, the oldest first; None where nothing ended."""
    ended, hours, core_hours = 0, 0.0, 0.0
    for one in reversed(slices):
        ended, hours = ended + one.ended, hours + one.hours
        core_hours += one.core_hours
        if ended >= ENOUGH:
            break
    return Rate(ended, hours, core_hours) if ended and hours > 0 else None


@dataclass
class History:
    """The last slices of a campaign, for one who asks again and again."""

    store: Store
    campaign: str
    _closed: dict[tuple[datetime, datetime], Slice] = field(default_factory=dict)

    def slices(self, began: datetime, now: datetime | None = None) -> tuple[Slice, ...]:
        """Return what ended lately, the oldest first; the last slice ends now."""
        now = now or utc_now()
        bounds = slice_bounds(began, now)
        found = tuple(self._closed.get(one) or self._read(*one) for one in bounds)
        self._closed = {(one.begin, one.end): one for one in found if one.end < now - CLOSED}
        return found

    def _read(self, begin: datetime, end: datetime) -> Slice:
        within = {"campaign": self.campaign, "recorded_at": {"$gte": begin, "$lt": end}}
        found = self.store.attempts.find(within, {"core_hours": 1}).limit(MOST_READ)
        took = [float(one["core_hours"]) for one in found]
        ended = len(took)
        if ended == MOST_READ:
            ended = int(self.store.attempts.count_documents(within))
        return Slice(begin, end, ended, sum(took) * ended / max(len(took), 1))


def slice_bounds(began: datetime, now: datetime) -> list[tuple[datetime, datetime]]:
    """Return the slices' bounds: whole multiples of their length, but for the last end."""
    age_s = max((now - began).total_seconds(), 0.0)
    length_s = next((one for one in LENGTHS_S if one * SLICES >= age_s), LENGTHS_S[-1])
    length = timedelta(seconds=length_s)
    last = EPOCH + (now - EPOCH) // length * length
    begins = (last - number * length for number in reversed(range(SLICES)))
    bounds = [(one, min(one + length, now)) for one in begins if one + length > began]
    # What is left of the slice in which it began.
    return [(max(begin, began), end) for begin, end in bounds if max(begin, began) < end]
