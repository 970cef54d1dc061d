"""Notes of many rows at once: few different texts, known by a number."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray


def coded_texts(codes: NDArray[np.int64], text: Callable[[int], str]) -> pa.StringArray:
    """Return the text of each code, null where it is negative; `text` is asked once per code."""
    import numpy as np
    import pyarrow as pa

    if not len(codes) or codes.max() < 0:
        return pa.nulls(len(codes), pa.string())
    unique, places = np.unique(codes, return_inverse=True)
    texts = pa.array([text(int(code)) if code >= 0 else None for code in unique], pa.string())
    return texts.take(pa.array(places))


def first_of(*texts: pa.StringArray) -> pa.StringArray:
    """Return by row the first text that is not null."""
    import pyarrow.compute as pc

    return pc.coalesce(*texts)


def together(*texts: pa.StringArray) -> pa.StringArray:
    """Return by row all texts that are not null, with semicolons between them."""
    import pyarrow.compute as pc

    joined = texts[0]
    for text in texts[1:]:
        both = pc.binary_join_element_wise(joined, text, "; ")  # null where one of them is
        joined = pc.coalesce(both, joined, text)
    return joined


def texts_where(mask: NDArray[np.bool_], text: str | pa.StringArray) -> pa.StringArray:
    """Return the text, or each row's text, where the mask is true, and null elsewhere."""
    import pyarrow as pa
    import pyarrow.compute as pc

    nothing = pa.scalar(None, pa.string())
    chosen = pa.scalar(text) if isinstance(text, str) else text
    return pc.if_else(pa.array(mask), chosen, nothing)
