"""Fields of BSON documents as Arrow arrays, by the types of columns.

What a column usually holds is copied as numbers and texts, all at once. Where anything else is
among it, the whole column goes value by value through Python, which converts what can be and
refuses what cannot.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import bson
import numpy as np
import pyarrow as pa

from runner.export.fields import (
    ABSENT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INT32,
    INT64,
    NULL,
    TEXT,
    Fields,
    Numbers,
    Values,
)
from runner.export.json_arrays import json_texts
from runner.export.rows import NameOf, array_of
from runner.export.slices import slices
from schemas.columns import Column, ColumnType, arrow_type

_LENGTH_BYTES = 4
_NULLS = {ABSENT, NULL}


def array(values: Values, column: Column, name_of: NameOf) -> pa.Array:
    """Return a field of documents as a column; NaN and what is absent are null.

    Raises
    ------
    UserError
        For a value that the column does not take; `name_of` says whose the n-th value is.
    """
    found = values.found - _NULLS
    if not found:
        return pa.nulls(len(values), arrow_type(column.type))
    usual, convert = _USUAL.get(column.type, (frozenset(), None))
    if convert is not None and found <= usual:
        try:
            return convert(values)
        except (ValueError, bson.errors.BSONError):
            pass  # what it is, and whose, comes out below
    return array_of([values.python(row) for row in range(len(values))], column, name_of)


def read_fields(
    found: Fields, kinds: Mapping[str, ColumnType], name_of: NameOf
) -> dict[str, pa.Array]:
    """Return fields of documents by name, each as a column of its type. Raises like `array`."""
    return {
        name: array(found[name], Column(name, kind, ""), name_of) for name, kind in kinds.items()
    }


def whole_numbers(values: Values) -> Numbers:
    """Return integers of 32 and of 64 bits; those of other types mean nothing."""
    numbers: Numbers = values.buffer.ints[values.at].astype(np.int64)
    (long,) = np.nonzero(values.kinds == INT64)
    numbers[long] = values.buffer.longs[values.at[long]]
    return numbers


def _floats(values: Values) -> pa.Array:
    numbers = values.buffer.doubles[values.at]
    if values.found & {INT32, INT64}:
        (whole,) = np.nonzero(np.isin(values.kinds, (INT32, INT64)))
        numbers[whole] = whole_numbers(values.take(whole))
    return pa.array(numbers, mask=values.is_null | ~np.isfinite(numbers))


def _ints(values: Values) -> pa.Array:
    return pa.array(whole_numbers(values), mask=values.is_null)


def _truths(values: Values) -> pa.Array:
    return pa.array(values.buffer.octets[values.at] != 0, mask=values.is_null)


def _times(values: Values) -> pa.Array:
    """Return times; BSON holds them in milliseconds."""
    stamps = pa.array(values.buffer.longs[values.at], mask=values.is_null)
    return stamps.cast(pa.timestamp("ms"))


def texts(values: Values) -> pa.Array:
    """Return texts; null where there is none. Each has its length before and a zero after it."""
    at = values.at + _LENGTH_BYTES
    sizes = values.buffer.ints[values.at].astype(np.int64) - 1
    return slices(values.buffer.bytes, at, sizes, ~values.is_null).cast(pa.string())


_USUAL: Mapping[ColumnType, tuple[frozenset[int], Callable[[Values], pa.Array]]] = {
    "float": (frozenset({DOUBLE, INT32, INT64}), _floats),
    "int": (frozenset({INT32, INT64}), _ints),
    "bool": (frozenset({BOOLEAN}), _truths),
    "text": (frozenset({TEXT}), texts),
    "timestamp": (frozenset({DATE}), _times),
    "json": (frozenset(range(256)), json_texts),
}
"""The types in BSON that a column usually holds, and what makes an array of such values."""
