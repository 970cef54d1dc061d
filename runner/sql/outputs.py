"""The columns of an answer: what DuckDB holds, as Athena shows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from runner.sql.kinds import INSTANT, JSON, MONTHS, Kind, identifier
from runner.sql.refusal import refuse
from runner.sql.scope import Relation

_MONTHS_PER_YEAR = 12
_MS_PER_SECOND = 1_000
_MS_PER_DAY = 86_400_000


def printable(relation: Relation) -> Relation:
    """Return the query of an answer.

    Raises
    ------
    Refused
        For a column of JSON whose letters may be others than Athena's.
    """
    for name, kind in relation.columns:
        if _has_odd_json(kind):
            raise refuse(
                f"the column {identifier(name)} of JSON",
                "only columns that hold JSON, and JSON '...', are written alike; write "
                "json_extract_scalar(x, path), or CAST(x AS varchar), double, array(...)",
            )
    return relation


def _has_odd_json(kind: Kind) -> bool:
    return (kind == JSON and not kind.json) or any(_has_odd_json(part) for part in kind.parts)


def as_athena(rows: list[tuple[object, ...]], kinds: Sequence[Kind]) -> list[tuple[object, ...]]:
    """Return rows with instants and intervals as text, and rows in them without names."""
    shown = [_shown(kind) for kind in kinds]
    if not any(shown):
        return rows
    return [
        tuple(
            value if show is None or value is None else show(value)
            for value, show in zip(row, shown, strict=True)
        )
        for row in rows
    ]


def _shown(kind: Kind) -> Callable[[Any], object] | None:
    """Return how a value is shown, or None where it is shown as it is."""
    if kind.name == INSTANT.name:
        return lambda value: _instant(value, kind.precision)
    if kind.interval:
        return _months if kind == MONTHS else _days
    inner = [_shown(part) for part in kind.parts]
    if kind.name == "row":
        return lambda row: tuple(map(_each, row.values(), inner))
    if not any(inner):
        return None
    if kind.name == "array":
        return lambda items: [_each(item, inner[0]) for item in items]
    return lambda items: {_each(k, inner[0]): _each(v, inner[1]) for k, v in items.items()}


def _each(value: Any, show: Callable[[Any], object] | None) -> Any:
    return value if show is None or value is None else show(value)


def _instant(value: datetime, digits: int) -> str:
    text = value.isoformat(sep=" ", timespec="milliseconds")
    return f"{text[: len(text) - 3 + digits] if digits else text[:-4]} UTC"


def _months(value: int) -> str:
    years, months = divmod(abs(value), _MONTHS_PER_YEAR)
    return f"{'-' if value < 0 else ''}{years}-{months}"


def _days(value: int) -> str:
    days, rest = divmod(abs(value), _MS_PER_DAY)
    seconds, milliseconds = divmod(rest, _MS_PER_SECOND)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    sign = "-" if value < 0 else ""
    return f"{sign}{days} {hour:02d}:{minute:02d}:{second:02d}.{milliseconds:03d}"
