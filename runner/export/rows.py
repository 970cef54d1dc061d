"""Rows to typed Arrow columns, in the one form that Athena and DuckDB read alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from schemas.columns import Column, ColumnType, arrow_schema
from schemas.errors import UserError
from schemas.identity import canonical_json

if TYPE_CHECKING:
    import pyarrow as pa


def _float(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    number = float(value)
    return number if math.isfinite(number) else None


def _int(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError
    if not -(2**63) <= value < 2**63:
        raise TypeError
    return value


def _bool(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return str(value)


def _timestamp(value: object) -> datetime:
    """Whole milliseconds, cut: Athena rounds finer ones when it reads, DuckDB keeps them."""
    if not isinstance(value, datetime):
        raise TypeError
    naive = value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
    return naive.replace(microsecond=naive.microsecond // 1000 * 1000)


def _json(value: object) -> str:
    """Canonical text of a JSON value; a text is taken for JSON text, as candidates hold it."""
    import json

    from pydantic_core import to_jsonable_python

    if isinstance(value, str):
        return canonical_json(_without_nan(json.loads(value)))
    return canonical_json(_without_nan(to_jsonable_python(value, inf_nan_mode="constants")))


def _without_nan(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    return [_without_nan(item) for item in value] if isinstance(value, list) else value


def _list_of(item: Callable[[object], object]) -> Callable[[object], object]:
    def convert(value: object) -> list[object]:
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise TypeError
        return [None if part is None else item(part) for part in value]

    return convert


_LONGEST_SHOWN = 60

_CONVERT: Mapping[ColumnType, Callable[[object], object]] = {
    "float": _float,
    "int": _int,
    "bool": _bool,
    "text": _text,
    "timestamp": _timestamp,
    "json": _json,
    "texts": _list_of(_text),
    "floats": _list_of(_float),
}


def typed_columns(
    rows: Iterable[Mapping[str, object]], columns: tuple[Column, ...]
) -> list[list[object]]:
    """Return the values column by column, rows sorted by candidate (then by attempt and stage).

    Absent values and NaN are None; JSON values become canonical text; times are cut to whole
    milliseconds of naive UTC.

    Raises
    ------
    UserError
        When a value has another type than its column, or a row has a column that is not declared;
        the message names row and column.
    """
    ordered = sorted(rows, key=_order)
    known = {column.name for column in columns}
    for row in ordered:
        unknown = sorted(set(row) - known)
        if unknown:
            raise UserError(f"{_row_name(row)}: no column '{unknown[0]}' in the table")
    return [_converted(ordered, column) for column in columns]


def _converted(rows: list[Mapping[str, object]], column: Column) -> list[object]:
    convert = _CONVERT[column.type]
    name = column.name
    values: list[object] = []
    for row in rows:
        value = row.get(name)
        try:
            values.append(None if value is None else convert(value))
        except (TypeError, ValueError) as error:
            shown = repr(value)
            if len(shown) > _LONGEST_SHOWN:
                shown = shown[: _LONGEST_SHOWN - 3] + "..."
            raise UserError(
                f"{_row_name(row)}: column '{name}' takes {column.type}, found "
                f"{type(value).__name__} {shown}"
            ) from error
    return values


def _order(row: Mapping[str, object]) -> tuple[str, ...]:
    numbered = row.get("row")
    return (
        f"{numbered:020d}" if isinstance(numbered, int) else "",
        *(str(row.get(name) or "") for name in ("candidate_id", "stage", "key", "attempt")),
    )


def _row_name(row: Mapping[str, object]) -> str:
    return f"candidate {row['candidate_id']}" if row.get("candidate_id") else "a row"


def arrow_table(values: list[list[object]], columns: tuple[Column, ...]) -> pa.Table:
    """Return typed values (see `typed_columns`) as an Arrow table."""
    import pyarrow as pa

    schema = arrow_schema(columns)
    arrays = [
        pa.array(column, type=field.type) for column, field in zip(values, schema, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)
