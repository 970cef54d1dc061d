"""Whether files that pw.x wrote are whole: unformatted records, HDF5, tables of numbers.

A program that is killed leaves a file cut off; a machine that fails also leaves blocks of zeros.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Sequence
from math import isfinite
from pathlib import Path

_MARKER = struct.Struct("<i")
"""Length of a record in bytes, before and after it: what gfortran and ifort write."""
_HDF5 = b"\x89HDF\r\n\x1a\n"
_HDF5_END_OF_FILE = {0: 40, 1: 44, 2: 28, 3: 28}
"""HDF5 file format, 2.1: where the address of the end of the file stands, by the version of the
superblock; for addresses of 8 bytes."""
_HDF5_HEAD_BYTES = 64
_BLOCK_CHARACTERS = 1024**2


def record_lengths(path: Path) -> tuple[int, ...] | None:
    """Return the lengths of the records of an unformatted file in bytes, or None for a broken one.

    Only the markers are read. Raises OSError for a file that cannot be opened.
    """
    lengths = []
    size = path.stat().st_size
    with path.open("rb") as file:
        at = 0
        while at < size:
            length = _marker(file.read(_MARKER.size))
            end = at + _MARKER.size + length
            if length < 0 or end + _MARKER.size > size:
                return None
            file.seek(end)
            if _marker(file.read(_MARKER.size)) != length:
                return None
            lengths.append(length)
            at = end + _MARKER.size
    return tuple(lengths)


def _marker(data: bytes) -> int:
    return int(_MARKER.unpack(data)[0]) if len(data) == _MARKER.size else -1


def first_integers(path: Path, count: int) -> tuple[int, ...]:
    """Return the first integers (4 bytes each) of the first record. Raises OSError."""
    with path.open("rb") as file:
        data = file.read(_MARKER.size * (count + 1))
    if len(data) < _MARKER.size * (count + 1):
        return ()
    return struct.unpack(f"<{count}i", data[_MARKER.size :])


def hdf5_is_whole(path: Path) -> bool:
    """Tell whether an HDF5 file is as long as its own head says. Raises OSError."""
    with path.open("rb") as file:
        head = file.read(_HDF5_HEAD_BYTES)
    if len(head) < _HDF5_HEAD_BYTES or not head.startswith(_HDF5):
        return False
    at = _HDF5_END_OF_FILE.get(head[len(_HDF5)])
    if at is None:
        return False
    (end,) = struct.unpack_from("<q", head, at)
    return bool(0 < end <= path.stat().st_size)


def numbers(path: Path) -> Sequence[float] | None:
    """Return the numbers of a file of nothing else, or None for one that is cut off or has none.

    Read in blocks: the history of a thousand atoms has ten million numbers in one line.
    """
    found, rest, block = array("d"), "", ""
    try:
        with path.open(encoding="ascii") as file:
            while read := file.read(_BLOCK_CHARACTERS):
                block = rest + read
                words = block.split()
                rest = "" if block[-1].isspace() else words.pop()
                found.extend(float(word.replace("D", "E")) for word in words)
    except (OSError, ValueError):
        return None
    return found if found and block.endswith("\n") and all(map(isfinite, found)) else None
