"""Time as it is stored and published: naive UTC in whole milliseconds."""

from datetime import UTC, datetime

SECONDS_PER_MINUTE = 60.0
SECONDS_PER_HOUR = 3600.0


def utc_now() -> datetime:
    """Return the present time, UTC without a zone, cut to milliseconds as BSON keeps it."""
    now = datetime.now(UTC).replace(tzinfo=None)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
