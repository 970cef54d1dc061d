"""A hash of what a column holds: the same however its rows came in groups, and on every version.

Not of the bytes of a file: those name the library that wrote them.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from schemas.columns import Column

if TYPE_CHECKING:
    import pyarrow as pa


class ColumnHash:
    """Takes in a column array by array."""

    def __init__(self, column: Column) -> None:
        head = json.dumps([column.name, column.type]).encode()
        self._streams: dict[str, Any] = {"": hashlib.sha256(head)}

    def add(self, array: pa.Array) -> None:
        """Take in values that come after those that were taken in before."""
        self._add("", array)

    def digest(self) -> bytes:
        """Return the hash of all that was taken in."""
        whole = hashlib.sha256()
        for name in sorted(self._streams):
            whole.update(name.encode() + b":" + self._streams[name].digest())
        return whole.digest()

    def _add(self, stream: str, array: pa.Array) -> None:
        """Add lengths (-1 for null) and contents, or values and which of them are null.

        Each kind of byte has a stream of its own, so that groups leave no trace in it.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        kind = array.type
        if pa.types.is_list(kind):
            self._feed(f"{stream}#", pc.fill_null(pc.list_value_length(array), -1))
            self._add(f"{stream}[]", array.flatten())
            return
        if pa.types.is_string(kind):
            self._feed(f"{stream}#", pc.fill_null(pc.binary_length(array), -1))
            self._update(f"{stream}=", _text_bytes(array))
            return
        self._feed(f"{stream}?", array.is_valid().cast(pa.int8()))
        if pa.types.is_boolean(kind):
            array = array.cast(pa.int8())
        elif pa.types.is_timestamp(kind):
            array = array.cast(pa.int64())
        self._feed(f"{stream}=", pc.fill_null(array, 0))

    def _feed(self, stream: str, array: pa.Array) -> None:
        self._update(stream, array.to_numpy(zero_copy_only=False).tobytes())

    def _update(self, stream: str, data: bytes | pa.Buffer) -> None:
        if stream not in self._streams:
            self._streams[stream] = hashlib.sha256()
        self._streams[stream].update(data)


def _text_bytes(array: pa.Array) -> bytes | pa.Buffer:
    """Return the texts one after the other; nulls have none."""
    import numpy as np
    import pyarrow.compute as pc

    if array.null_count:
        array = pc.fill_null(array, "")
    _, offsets, data = array.buffers()
    if data is None or not len(array):
        return b""
    bounds = np.frombuffer(offsets, np.int32)
    first, last = bounds[array.offset], bounds[array.offset + len(array)]
    return data.slice(int(first), int(last - first))
