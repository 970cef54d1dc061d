"""Numbers and times as pages show them."""

from __future__ import annotations

from datetime import datetime, timedelta

from schemas.clock import SECONDS_PER_HOUR, SECONDS_PER_MINUTE
from schemas.reports import Interval

SMALL = 10
HOURS_PER_DAY = 24
HOURS_SHOWN = 48


def number(value: float) -> str:
    """Return a number with three digits that count, thousands apart."""
    if value == int(value) or abs(value) >= SMALL * SMALL:
        return f"{value:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    return f"{value:.3g}"


def duration(hours: float) -> str:
    """Return a time span in two units at most."""
    seconds = max(hours, 0.0) * SECONDS_PER_HOUR
    if seconds < SECONDS_PER_MINUTE:
        return f"{seconds:.0f} s"
    minutes = round(seconds / SECONDS_PER_MINUTE)
    if minutes < SECONDS_PER_MINUTE:
        return f"{minutes} min"
    whole, rest = divmod(minutes, 60)
    if whole < HOURS_SHOWN:
        return f"{whole} h {rest:02d} min" if whole < SMALL else f"{round(minutes / 60)} h"
    return f"{hours / HOURS_PER_DAY:.1f} days"


def span(interval: Interval) -> str:
    """Return the bounds of an interval of hours."""
    low, high = duration(interval.low), duration(interval.high)
    return f"{low} to {high}" if low != high else low


def moment(at: datetime | None) -> str:
    """Return a moment of UTC, to the minute."""
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else "unknown"


def later(at: datetime, hours: float) -> str:
    """Return the moment so many hours after another."""
    return moment(at + timedelta(hours=hours))
