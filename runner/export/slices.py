"""Pieces of one run of bytes as an Arrow array, without an object for each."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_MOST_BYTES = 2**31 - 1
"""That the places of Arrow's `binary` reach."""


def with_gaps(
    data: bytes, at: NDArray[np.int64], sizes: NDArray[np.int64], *, text: bool = False
) -> pa.Array:
    """Return pieces that follow each other as every second item; the others are the gaps between.

    So the bytes stay where they are, and `take` copies what is wanted. Whether the pieces are
    UTF-8 is not looked at; gaps may not be.
    """
    if not len(at):
        return pa.array([], pa.string() if text else pa.binary())
    large = len(data) > _MOST_BYTES
    bounds = np.empty(2 * len(at), np.int64 if large else np.int32)
    bounds[::2], bounds[1::2] = at, at + sizes
    if text:
        kind = pa.large_string() if large else pa.string()
    else:
        kind = pa.large_binary() if large else pa.binary()
    buffers = [None, pa.py_buffer(bounds), pa.py_buffer(data)]
    return pa.Array.from_buffers(kind, len(bounds) - 1, buffers)


def slices(
    data: bytes,
    at: NDArray[np.int64],
    sizes: NDArray[np.int64],
    present: NDArray[np.bool_] | None = None,
) -> pa.Array:
    """Return pieces that follow each other as binaries; null where not present."""
    if present is not None and not present.all():
        ends = np.maximum.accumulate(np.where(present, at + sizes, 0))
        at = np.where(present, at, ends)
        sizes = ends - at
        mask = ~present
    else:
        mask = None
    chosen = pa.array(np.arange(0, 2 * len(at), 2), mask=mask)
    return with_gaps(data, at, sizes).take(chosen)
