"""Whether our answer to a query is that of Trino: names, types and rows.

Times have milliseconds in Athena whatever their precision in Trino, and texts no length.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from runner.sql.answer import Answer
from trino_server.recording import Recorded

RELATIVE = 1e-9
"""Of doubles: sums and functions may differ in their last digits."""
NEARLY_ZERO = 1e-12
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,2})?")
_MILLISECONDS = 3


def difference(trino: Recorded, ours: Answer, *, ordered: bool) -> str | None:
    """Return what differs between two answers; None where they are equal.

    Rows are compared in their order where that is said, else as a bag.
    """
    theirs = [(name, plain_type(kind)) for name, kind in trino.columns]
    mine = [(name, plain_type(kind)) for name, kind in ours.columns]
    if theirs != mine:
        return f"columns: Trino has {theirs}, we have {mine}"
    times = ["timestamp" in kind for _, kind in trino.columns]
    expected = [_timed(row, times) for row in trino.rows]
    # Ours may be Trino's, too, when it is asked again.
    found = [_timed([plain(value) for value in row], times) for row in ours.rows]
    if len(expected) != len(found):
        return f"rows: Trino has {len(expected)}, we have {len(found)}"
    if ordered:
        pairs = zip(expected, found, strict=True)
        odd = [(one, other) for one, other in pairs if not _alike(one, other)]
        return f"row: Trino has {odd[0][0]}, we have {odd[0][1]}" if odd else None
    for row in expected:
        place = next((n for n, other in enumerate(found) if _alike(row, other)), None)
        if place is None:
            return f"Trino has {row}, and we have not; left are {found[:5]}"
        del found[place]
    return None


def plain_type(kind: str) -> str:
    """Return a type of Trino as Athena knows it."""
    kind = re.sub(r"INTERVAL [A-Z ]+", lambda found: found[0].lower(), kind)
    kind = re.sub(r"(decimal\(\d+), (\d+\))", r"\1,\2", kind)
    return re.sub(r"timestamp\([0-3]\)", "timestamp(3)", re.sub(r"varchar\(\d+\)", "varchar", kind))


def plain(value: Any) -> Any:  # noqa: PLR0911  (one per type)
    """Return a value of ours as Trino's JSON has it."""
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="milliseconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {_key(key): plain(item) for key, item in value.items()}
    return value


def _key(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(plain(key))


def _timed(row: Sequence[Any], times: Sequence[bool]) -> list[Any]:
    """Return a row with milliseconds in the columns of times."""
    return [_padded(value) if time else value for value, time in zip(row, times, strict=True)]


def _padded(value: Any) -> Any:
    """Return a time with its milliseconds."""
    if isinstance(value, str) and (found := _TIME.fullmatch(value)):
        fraction = (found[1] or ".").removeprefix(".")
        return f"{value.partition('.')[0]}.{fraction.ljust(_MILLISECONDS, '0')}"
    if isinstance(value, list):
        return [_padded(item) for item in value]
    if isinstance(value, dict):
        return {key: _padded(item) for key, item in value.items()}
    return value


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, list) and isinstance(other, dict):  # a row of rows: ours has names
        other = list(other.values())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[key], other[key]) for key in one)
    if isinstance(one, float) or isinstance(other, float):
        return _near(one, other)
    return type(one) is type(other) and bool(one == other)


def _near(one: Any, other: Any) -> bool:
    numbers = all(isinstance(value, int | float) for value in (one, other))
    if not numbers or any(isinstance(value, bool) for value in (one, other)):
        return False
    return math.isclose(one, other, rel_tol=RELATIVE, abs_tol=NEARLY_ZERO)
