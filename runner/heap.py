"""What the C library does with memory that is freed: mallopt(3) and malloc_trim(3) of glibc."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""From malloc.h."""
_KEPT_BYTES = 64 << 20
_PIECE_BYTES = 32 << 20
"""The largest that glibc takes from what was freed."""


@contextmanager
def kept_heap() -> Iterator[None]:
    """Have memory that is freed meanwhile serve again, and give it back at the end.

    Who goes through data by the page frees and takes the same few MB each time. glibc gives them
    back to the kernel, which clears them anew: an eighth of the time of a publication. Where there
    is another C library nothing is done.
    """
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt") or not hasattr(library, "malloc_trim"):
        yield
        return
    library.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
    library.mallopt(_M_MMAP_THRESHOLD, _PIECE_BYTES)
    try:
        yield
    finally:
        library.malloc_trim(0)
