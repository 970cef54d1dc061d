"""Where the fields of many BSON documents stand, found in all of them at once.

Documents of one collection have mostly the same names in the same order. So they are walked in
step: what the first one has next is looked for in all of them by one NumPy operation; those that
have something else there wait, and are walked together later. Nothing becomes a Python object.
https://bsonspec.org/spec.html
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import bson
import numpy as np
from numpy.typing import NDArray

from schemas.errors import UserError

Numbers: TypeAlias = NDArray[np.int64]

ABSENT, DOUBLE, TEXT, DOCUMENT, ARRAY, BOOLEAN, DATE, NULL, INT32, INT64 = (
    0x00, 0x01, 0x02, 0x03, 0x04, 0x08, 0x09, 0x0A, 0x10, 0x12,
)  # fmt: skip
_UNKNOWN = -1
_SIZES = {
    ABSENT: 0, DOUBLE: 8, TEXT: 4, DOCUMENT: 0, ARRAY: 0, 0x05: 5, 0x06: 0, 0x07: 12, BOOLEAN: 1,
    DATE: 8, NULL: 0, 0x0D: 4, 0x0E: 4, 0x0F: 0, INT32: 4, 0x11: 8, INT64: 8, 0x13: 16, 0x7F: 0,
    0xFF: 0,
}  # fmt: skip
"""Bytes of a value by its type, beside those that its first four bytes say."""
_SIZE = np.array([_SIZES.get(kind, _UNKNOWN) for kind in range(256)])
_SAYS_LENGTH = np.isin(np.arange(256), (TEXT, DOCUMENT, ARRAY, 0x05, 0x0D, 0x0E, 0x0F))
_WORD = 8
_LENGTH_BYTES = 4
_FEW = 8
"""Documents that are walked one by one sooner than in step."""


class Buffer:
    """Bytes, and the numbers that begin at any of them."""

    def __init__(self, data: bytes) -> None:
        self.bytes = data
        self.octets = np.frombuffer(data, np.uint8)
        self.doubles = _anywhere(data, "<f8")
        self.ints = _anywhere(data, "<i4")
        self.longs = _anywhere(data, "<i8")

    def rows(self, at: Numbers, size: int) -> NDArray[np.uint8]:
        """Return the bytes from some places on; shape (n, size)."""
        windows: Any = _anywhere(self.octets, f"V{size}")
        return np.asarray(windows[at]).view(np.uint8).reshape(len(at), size)

    def begins(self, head: bytes, at: Numbers) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Return the type of the element at each place, and whether it has a name.

        `head` is a byte for the type, which may be any but the end, and the name with its zero.
        """
        count = -(-len(head) // _WORD)
        wanted = np.frombuffer(head.ljust(count * _WORD, b"\0"), "<u8")
        names = bytes(1).ljust(len(head), b"\xff").ljust(count * _WORD, b"\0")
        # A value and a word of zeros follow every name. Where so many words reach beyond the end,
        # the name does not stand, nor does it where their place is moved to.
        at = np.minimum(at, len(self.octets) - count * _WORD)
        words = self.rows(at, count * _WORD).view("<u8")
        kinds = words[:, 0].astype(np.uint8)
        same: NDArray[np.bool_] = kinds != 0
        for number, mask in enumerate(np.frombuffer(names, "<u8")):
            same &= (words[:, number] ^ wanted[number]) & mask == 0
        return kinds, same

    def sizes(self, kinds: NDArray[np.uint8], at: Numbers) -> Numbers:
        """Return the number of bytes of values of some types."""
        kind = int(kinds[0]) if len(kinds) else _UNKNOWN
        if kind in _SIZES and (kinds == kind).all():
            alike = np.full(len(kinds), _SIZES[kind])
            return alike + self.ints[at] if _SAYS_LENGTH[kind] else alike
        sizes: Numbers = _SIZE[kinds]
        says = _SAYS_LENGTH[kinds]
        if says.any():
            sizes[says] += self.ints[at[says]]
        if (sizes == _UNKNOWN).any():
            kind = kinds[sizes == _UNKNOWN][0]
            raise UserError(
                f"a document of the ledger holds a value of BSON type {kind}, which no result has; "
                "remove what was written there by hand"
            )
        return sizes

    def head(self, at: int) -> bytes:
        """Return the type and the name of the element at a place, with the zero at its end."""
        return self.bytes[at : self.bytes.index(0, at + 1) + 1]


def _anywhere(data: bytes | NDArray[np.uint8], kind: str) -> NDArray[Any]:
    """Return what of a type begins at each byte."""
    size = np.dtype(kind).itemsize
    return np.ndarray((len(data) - size + 1,), kind, data, strides=(1,))


@dataclass(frozen=True)
class Values:
    """One field of many documents: its BSON type in each (`ABSENT` for none), and where it is.

    `kinds` and `at` have shape (n,); `at` means nothing where there is no value.
    """

    buffer: Buffer
    kinds: NDArray[np.uint8]
    at: Numbers

    def __len__(self) -> int:
        return len(self.kinds)

    @cached_property
    def is_null(self) -> NDArray[np.bool_]:
        """Whether there is no value, or null."""
        nothing: NDArray[np.bool_] = (self.kinds == ABSENT) | (self.kinds == NULL)
        return nothing

    @cached_property
    def found(self) -> frozenset[int]:
        """The types that there are."""
        if len(self) and (self.kinds == self.kinds[0]).all():
            return frozenset({int(self.kinds[0])})
        return frozenset(np.flatnonzero(np.bincount(self.kinds, minlength=1)).tolist())

    def sizes(self) -> Numbers:
        """Return how many bytes each value has."""
        return self.buffer.sizes(self.kinds, self.at)

    def take(self, rows: Numbers | NDArray[np.bool_]) -> Values:
        """Return the field of some of the documents."""
        return Values(self.buffer, self.kinds[rows], self.at[rows])

    def spread(self, rows: Numbers, length: int) -> Values:
        """Return the field as that of some rows of so many; the other rows have none."""
        if len(rows) == length:
            return self
        kinds, at = np.zeros(length, np.uint8), np.zeros(length, np.int64)
        kinds[rows], at[rows] = self.kinds, self.at
        return Values(self.buffer, kinds, at)

    def python(self, row: int) -> Any:
        """Return a value as pymongo decodes it."""
        kind, at = int(self.kinds[row]), int(self.at[row])
        size = int(self.buffer.sizes(self.kinds[row : row + 1], self.at[row : row + 1])[0])
        return decoded(kind, self.buffer.bytes[at : at + size])

    def inner(self, names: Collection[str], *, others: bool = False) -> Fields:
        """Return fields of the documents that the values are; `others`: and what else there is."""
        (rows,) = np.nonzero(self.kinds == DOCUMENT)
        walk = _Walk(self.buffer, len(self), names, others=others)
        return walk.walked(rows, self.at[rows])


def decoded(kind: int, value: bytes) -> Any:
    """Return the Python object of a value in BSON."""
    if kind == ABSENT:
        return None
    element = bytes((kind, 0)) + value
    document = (len(element) + 5).to_bytes(4, "little") + element + b"\0"
    return bson.decode(document)[""]


@dataclass(frozen=True)
class Fields:
    """Fields of many documents by name, and where others were seen: name -> first document."""

    values: dict[str, Values]
    others: dict[str, int] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Values:
        return self.values[name]

    def take(self, rows: Numbers) -> Fields:
        """Return the fields of some of the documents."""
        return Fields({name: one.take(rows) for name, one in self.values.items()})

    def spread(self, rows: Numbers, length: int) -> Fields:
        """Return the fields as those of some rows of so many; the other rows have none."""
        return Fields({name: one.spread(rows, length) for name, one in self.values.items()})


def fields(data: bytes, starts: Sequence[int], names: Collection[str]) -> Fields:
    """Return some fields of documents that begin at some places; a word follows the last one.

    Raises
    ------
    UserError
        For a value of a type that no ledger holds (a regular expression).
    """
    at = np.asarray(starts, np.int64)
    return _Walk(Buffer(data), len(at), names).walked(np.arange(len(at)), at)


class _Walk:
    """What has been found so far; it ends with the last name unless `others` are looked for."""

    def __init__(
        self, buffer: Buffer, length: int, names: Collection[str], *, others: bool = False
    ) -> None:
        self.buffer = buffer
        self.length = length
        self.values = {
            name: Values(buffer, np.zeros(length, np.uint8), np.zeros(length, np.int64))
            for name in names
        }
        self.most = sys.maxsize if others else len(self.values)
        self.others: dict[str, int] = {}

    def walked(self, rows: Numbers, starts: Numbers) -> Fields:
        """Return the fields of some rows, whose documents begin at some places."""
        waiting = [(rows, starts + _LENGTH_BYTES, 0)]
        while waiting:
            rows, at, seen = waiting.pop()
            if len(rows) <= _FEW:
                for row, place in zip(rows.tolist(), at.tolist(), strict=True):
                    self.alone(row, place)
            else:
                waiting += self.together(rows, at, seen)
        return Fields(self.values, self.others)

    def together(self, rows: Numbers, at: Numbers, seen: int) -> list[tuple[Numbers, Numbers, int]]:
        """Walk documents in step; return those that went other ways: which, where, fields seen."""
        strayed = []
        while seen < self.most:
            head = self.buffer.head(int(at[0]))
            ends = head[0] == 0
            if ends:
                kinds = self.buffer.octets[at]
                same = kinds == 0
            else:
                kinds, same = self.buffer.begins(head, at)
            if not same.all():
                strayed.append((rows[~same], at[~same], seen))
                rows, at, kinds = rows[same], at[same], kinds[same]
            if ends:
                break
            at = at + len(head)
            seen += self._note(head[1:-1].decode(), rows, kinds, at)
            at = at + self.buffer.sizes(kinds, at)
        return strayed

    def alone(self, row: int, at: int) -> None:
        """Walk one document."""
        data, one = self.buffer, np.array([row])
        while kind := int(data.octets[at]):
            head = data.head(at)
            place = np.array([at + len(head)])
            kinds = np.array([kind], np.uint8)
            self._note(head[1:-1].decode(), one, kinds, place)
            at = int((place + data.sizes(kinds, place))[0])

    def _note(self, name: str, rows: Numbers, kinds: NDArray[np.uint8], at: Numbers) -> bool:
        """Write down where a name stands; tell whether it is one of those wanted."""
        wanted = self.values.get(name)
        if wanted is None:
            first = int(rows[0])
            self.others[name] = min(first, self.others.get(name, first))
            return False
        if len(rows) == self.length:
            wanted.kinds[:], wanted.at[:] = kinds, at
        else:
            wanted.kinds[rows], wanted.at[rows] = kinds, at
        return True
