"""Python values to typed Arrow columns, in the one form that Athena and DuckDB read alike.

For tables of a few rows, for the irregular among the values of documents (`runner.export.arrays`
reads the others as bytes), and to say what does not fit a column. A column of values of the
expected types is handed to Arrow as a whole; any other goes value by value, which converts what
can be and names what cannot.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

from schemas.columns import Column, ColumnType, arrow_schema, arrow_type
from schemas.errors import UserError

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


def json_text(value: object) -> str:
    """Return the canonical text of a value; a text is taken for JSON, as candidates hold it.

    NaN becomes null. Raises ValueError for a text that is not JSON.
    """
    import orjson

    if isinstance(value, dict | list):
        try:
            return orjson.dumps(value, None, orjson.OPT_SORT_KEYS).decode()
        except TypeError:
            pass  # an integer of more than 64 bits
    return _json(value)


def _json(value: object) -> str:
    import json

    import orjson
    from pydantic_core import to_jsonable_python

    if isinstance(value, str):
        plain = _without_nan(json.loads(value))
    else:
        plain = _without_nan(to_jsonable_python(value, inf_nan_mode="constants"))
    try:
        return orjson.dumps(plain, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:  # an integer of more than 64 bits
        return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


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
NameOf: TypeAlias = Callable[[int], str]
"""Whose the n-th value is, for messages."""

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

_NONE = type(None)
_PLAIN: Mapping[ColumnType, frozenset[type]] = {
    "float": frozenset({float, int, _NONE}),
    "int": frozenset({int, _NONE}),
    "bool": frozenset({bool, _NONE}),
    "text": frozenset({str, _NONE}),
    "timestamp": frozenset({datetime, _NONE}),
    "texts": frozenset({str, _NONE}),
    "floats": frozenset({float, int, _NONE}),
    "json": frozenset({dict, list, _NONE}),
}
"""Exact types of values, or of the items of lists, that Arrow takes as our converters would."""


def arrow_table(rows: Iterable[Mapping[str, object]], columns: tuple[Column, ...]) -> pa.Table:
    """Return rows as an Arrow table, sorted by candidate (then by attempt and stage).

    Absent values and NaN are null; JSON values become canonical text; times are cut to whole
    milliseconds of naive UTC.

    Raises
    ------
    UserError
        When a value has another type than its column, or a row has a column that is not declared;
        the message names row and column.
    """
    import pyarrow as pa

    ordered = _ordered(list(rows))
    known = {column.name for column in columns}
    if not set().union(*ordered) <= known:
        for row in ordered:
            unknown = sorted(set(row) - known)
            if unknown:
                raise UserError(f"{_row_name(row)}: no column '{unknown[0]}' in the table")
    arrays = [
        array_of(
            [row.get(column.name) for row in ordered], column, lambda at: _row_name(ordered[at])
        )
        for column in columns
    ]
    return pa.Table.from_arrays(arrays, schema=arrow_schema(columns))


def _ordered(rows: list[Mapping[str, object]]) -> list[Mapping[str, object]]:
    """Return the rows sorted; pages of the ledger come so, by candidates that differ."""
    names = [row.get("candidate_id") for row in rows]
    texts = [name for name in names if isinstance(name, str)]
    if (
        len(texts) == len(rows)
        and all(a < b for a, b in pairwise(texts))
        and "row" not in set().union(*rows)
    ):
        return rows
    return sorted(rows, key=_order)


def array_of(values: list[Any], column: Column, name_of: NameOf) -> pa.Array:
    """Return values as a column.

    Raises
    ------
    UserError
        For one of another type than the column; `name_of` says whose the n-th value is.
    """
    found = set(map(type, values))
    if found == {_NONE}:
        import pyarrow as pa

        return pa.nulls(len(values), arrow_type(column.type))
    quick = _quick_array(values, found, column.type)
    return _converted(values, column, name_of) if quick is None else quick


def _quick_array(values: list[Any], found: set[type], kind: ColumnType) -> pa.Array | None:
    """Return plain values as an array; None where they must be looked at one by one."""
    import pyarrow as pa

    try:
        if kind in {"texts", "floats"}:
            if not found <= {list, _NONE}:
                return None
            found = set(map(type, chain.from_iterable(filter(None, values))))
        if not found <= _PLAIN[kind]:
            return None
        if kind == "json":
            return pa.array(_json_texts(values), pa.string())
        if kind == "timestamp":
            return _milliseconds(values)
        array = pa.array(values, arrow_type(kind))
    except (TypeError, ValueError, OverflowError, pa.ArrowException):
        return None
    return _finite(array, kind)


def _json_texts(values: list[Any]) -> list[bytes | None]:
    """Return canonical texts; NaN becomes null on the way, as orjson has it."""
    import orjson

    dumps, sort = orjson.dumps, orjson.OPT_SORT_KEYS
    return [None if one is None else dumps(one, None, sort) for one in values]


def _milliseconds(values: list[datetime | None]) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    exact = pa.array(values, pa.timestamp("us"))
    return pc.floor_temporal(exact, unit="millisecond").cast(pa.timestamp("ms"))


def _finite(array: pa.Array, kind: ColumnType) -> pa.Array | None:
    """Return numbers with NaN and infinities as null; None for lists that hold such."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if kind not in {"float", "floats"}:
        return array
    finite = pc.is_finite(array if kind == "float" else array.flatten())
    if pc.all(finite, min_count=0).as_py():
        return array
    if kind == "floats":
        return None
    return pc.if_else(pc.fill_null(finite, fill_value=False), array, pa.scalar(None, array.type))


def _converted(values: list[Any], column: Column, name_of: NameOf) -> pa.Array:
    """Return a column converted value by value."""
    import pyarrow as pa

    convert = _CONVERT[column.type]
    converted: list[object] = []
    for at, value in enumerate(values):
        try:
            converted.append(None if value is None else convert(value))
        except (TypeError, ValueError, OverflowError) as error:
            shown = repr(value)
            if len(shown) > _LONGEST_SHOWN:
                shown = shown[: _LONGEST_SHOWN - 3] + "..."
            raise UserError(
                f"{name_of(at)}: column '{column.name}' takes {column.type}, found "
                f"{type(value).__name__} {shown}"
            ) from error
    return pa.array(converted, arrow_type(column.type))


def _order(row: Mapping[str, object]) -> tuple[str, ...]:
    numbered = row.get("row")
    return (
        f"{numbered:020d}" if isinstance(numbered, int) else "",
        *(str(row.get(name) or "") for name in ("candidate_id", "stage", "key", "attempt")),
    )


def _row_name(row: Mapping[str, object]) -> str:
    return f"candidate {row['candidate_id']}" if row.get("candidate_id") else "a row"
