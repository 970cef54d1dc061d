"""Nested values of BSON documents as canonical JSON texts.

Lists of floats, of one length or nested alike, are one NumPy array, of which orjson writes all
texts in one go. Other values become Python objects, each different one once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from struct import Struct
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from runner.export.fields import ARRAY, DOUBLE, Numbers, Values, decoded
from runner.export.rows import json_text
from runner.export.slices import slices, with_gaps

_length = Struct("<i").unpack_from
_CLOSING = ord("]")


def json_texts(values: Values, width: int = 1) -> pa.Array:
    """Return the JSON text of each value; null where there is none.

    A list of numbers is written as rows of `width`, where it is as long as some of them.

    Raises
    ------
    ValueError
        For a text that is not JSON.
    """
    (rows,) = np.nonzero(~values.is_null)
    there = values.take(rows)
    pieces, rest, length = [], [rows[there.kinds != ARRAY]], 0
    place = np.zeros(len(values), np.int64)
    for group, size in _alike(there):
        texts, same = _number_texts(there.take(group), size, width)
        if texts is not None:
            place[rows[group[same]]] = np.arange(length, length + len(texts), 2)
            length += len(texts)
            pieces.append(texts)
        rest.append(rows[group[~same]])
    others = np.sort(np.concatenate(rest))
    if len(others) or not pieces:
        place[others] = np.arange(length, length + len(others))
        texts = distinct(values.take(others), lambda value: _text(value, width), pa.string())
        pieces.append(texts)
    every = pieces[0] if len(pieces) == 1 else pa.concat_arrays(pieces)
    return every.take(pa.array(place, mask=values.is_null))


def distinct(values: Values, convert: Callable[[Any], Any], kind: pa.DataType) -> pa.Array:
    """Return what becomes of each value, all of which are there; equal ones are converted once."""
    found: list[Any] = []
    places = np.zeros(len(values), np.int64)
    for bson_type in values.found:
        (rows,) = np.nonzero(values.kinds == bson_type)
        some = values.take(rows)
        coded = slices(some.buffer.bytes, some.at, some.sizes()).dictionary_encode()
        places[rows] = len(found) + coded.indices.to_numpy()
        found += [convert(decoded(bson_type, one)) for one in coded.dictionary.to_pylist()]
    return pa.array(found, kind).take(pa.array(places))


def _alike(values: Values) -> Iterator[tuple[Numbers, int]]:
    """Yield the lists of each size: which they are, in their order, and the size."""
    (lists,) = np.nonzero(values.kinds == ARRAY)
    sizes = values.take(lists).sizes()
    order = np.argsort(sizes, kind="stable")
    changes = np.flatnonzero(np.diff(sizes[order])) + 1
    for group in np.split(order, changes):
        if len(group):
            yield lists[group], int(sizes[group[0]])


def _number_texts(
    values: Values, size: int, width: int
) -> tuple[pa.Array | None, NDArray[np.bool_]]:
    """Return the texts, with gaps, of lists that are built as the first is, and which they are.

    Lists of one size mostly differ in their numbers alone.
    """
    first = values.buffer.bytes[int(values.at[0]) : int(values.at[0]) + size]
    found = _doubles(first)
    if found is None or not found[0]:
        return None, np.zeros(len(values), np.bool_)
    places, shape = found
    if len(shape) == 1 and width > 1 and shape[0] % width == 0:
        shape = (shape[0] // width, width)
    fixed = np.full(size, 0xFF, np.uint8)
    for place in places:
        fixed[place : place + 8] = 0
    rows = values.buffer.rows(values.at, size)
    same: NDArray[np.bool_] = ~((rows ^ rows[0]) & fixed).any(axis=1)
    numbers = values.buffer.doubles[values.at[same][:, None] + np.array(places)]
    return _texts_of(numbers.reshape(-1, *shape)), same


def _texts_of(numbers: NDArray[np.float64]) -> pa.Array:
    """Return an array's rows as JSON, with gaps; shape (n, ...)."""
    text = orjson.dumps(np.ascontiguousarray(numbers), option=orjson.OPT_SERIALIZE_NUMPY)
    closing = np.flatnonzero(np.frombuffer(text, np.uint8) == _CLOSING)
    each = (len(closing) - 1) // len(numbers)
    ends = closing[each - 1 : -1 : each] + 1
    starts = np.concatenate([[1], ends[:-1] + 1])
    return with_gaps(text, starts, ends - starts, text=True)


def _doubles(array: bytes) -> tuple[list[int], tuple[int, ...]] | None:
    """Return where the numbers of a list stand, and its shape; None if there are others in it."""
    places: list[int] = []

    def shape(start: int) -> tuple[int, ...] | None:
        inner: list[tuple[int, ...] | None] = []
        at = start + 4
        while kind := array[at]:
            at = array.index(0, at + 1) + 1
            if kind == DOUBLE:
                places.append(at)
                inner.append(())
                at += 8
            elif kind == ARRAY:
                inner.append(shape(at))
                at += _length(array, at)[0]
            else:
                return None
        if not inner or None in inner or len(set(inner)) > 1:
            return None
        return (len(inner), *(inner[0] or ()))

    found = shape(0)
    return None if found is None else (places, found)


def _text(value: Any, width: int) -> str:
    return json_text(value if width == 1 else _rows(value, width))


def _rows(value: Any, width: int) -> Any:
    """Return a list of numbers as rows of floats; what is nested has rows already."""
    flat = [
        float(one) for one in (chain(*value) if value and isinstance(value[0], list) else value)
    ]
    return [flat[at : at + width] for at in range(0, len(flat), width)]
