"""BSON values as bytes that compare, byte by byte, in the order in which MongoDB sorts values.

The first byte is the class of the value in BSON's comparison order
(https://www.mongodb.com/docs/manual/reference/bson-type-comparison-order/). Values whose order is
not needed (documents, binaries, ...) are encoded exactly but in no useful order: they are opaque.
"""

import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import bson
from bson import Int64, ObjectId

EMPTY = b"\x04"  # an empty array sorts before null
NULL = b"\x05"  # null and missing are one key, as in MongoDB's own indexes
NUMBER, NAN, TEXT, OBJECT, ARRAY, BINARY, OBJECT_ID, BOOLEAN, DATE, OTHER = (
    bytes([code]) for code in (0x0A, 0x0B, 0x0F, 0x14, 0x19, 0x1E, 0x23, 0x28, 0x2D, 0x32)
)
OPAQUE = frozenset(b"".join((NAN, OBJECT, ARRAY, BINARY, OTHER)))

_SIGN = 1 << 63
_EXACT = 2.0**53  # from here on, neighbouring doubles are more than 1 apart
_INT64 = 1 << 63
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - BSON dates are naive UTC once decoded
_MILLISECOND = timedelta(milliseconds=1)
_pack_number = struct.Struct(">cd").pack


def _number(value: float) -> bytes:
    double = float(value) + 0.0  # minus zero becomes zero
    if 0.0 < double < _EXACT:
        return _pack_number(NUMBER, -double)  # flips the bit of the sign: above all negative ones
    if double != double:  # noqa: PLR0124 - only NaN differs from itself
        return NAN
    bits: int = struct.unpack(">Q", struct.pack(">d", double))[0]
    code = NUMBER + (bits ^ _SIGN if bits < _SIGN else bits ^ (2 * _SIGN - 1)).to_bytes(8, "big")
    if -_EXACT < double < _EXACT:
        return code
    remainder = int(value) - int(double) if isinstance(value, int) else 0
    return code + (remainder + 0x8000).to_bytes(2, "big")  # |remainder| <= 512 within int64


def _date(value: datetime) -> bytes:
    if value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return DATE + ((value - _EPOCH) // _MILLISECOND + _INT64).to_bytes(8, "big")


def _opaque(value: Any) -> bytes:
    kind = OTHER
    if isinstance(value, dict):
        kind = OBJECT
    elif isinstance(value, (list, tuple)):
        kind = ARRAY
    elif isinstance(value, bytes):
        kind = BINARY
    return kind + bson.encode({"": value})


_ENCODERS: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda _: NULL,
    int: _number,
    Int64: _number,
    float: _number,
    str: lambda value: TEXT + value.encode(),
    ObjectId: lambda value: OBJECT_ID + value.binary,
    bool: lambda value: BOOLEAN + bytes([value]),
    datetime: _date,
}


def encode(value: Any) -> bytes:
    """Return the key of one value (an array counts as one opaque value)."""
    return _ENCODERS.get(type(value), _opaque)(value)


def searchable(value: Any) -> bool:
    """Tell whether equality with this value can be left to the keys."""
    kind = type(value)
    if kind is int or kind is Int64:
        return bool(-_INT64 <= value < _INT64)
    if kind is str:
        return value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value)
    return kind in _ENCODERS and value == value  # noqa: PLR0124 - not NaN


def decode(code: bytes) -> Any:
    """Return the value that has this key.

    Raises
    ------
    ValueError
        If there are several: null and missing, 1 and 1.0, and all that is opaque.
    """
    kind, content = code[:1], code[1:]
    if kind == TEXT:
        return content.decode()
    if kind == OBJECT_ID:
        return ObjectId(content)
    if kind == BOOLEAN:
        return content != b"\0"
    if kind == DATE:
        return _EPOCH + (int.from_bytes(content, "big") - _INT64) * _MILLISECOND
    raise ValueError(code)
