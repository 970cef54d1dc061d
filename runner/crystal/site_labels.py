"""The element on each labelled site of many rows, from the JSON of the column `sites`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from runner.crystal.elements import ATOMIC_NUMBERS

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

ABSENT = 0


def labelled_numbers(sites: pa.StringArray, labels: Sequence[str]) -> NDArray[np.int64]:
    """Return atomic numbers (rows, labels), `ABSENT` where a row has no element on a label."""
    import numpy as np

    encoded = sites.dictionary_encode()
    held = _read(encoded.dictionary.to_pylist())
    numbers = np.full((len(held) + 1, len(labels)), ABSENT, np.int64)
    for place, label in enumerate(labels):
        numbers[:-1, place] = _numbers(held, label)
    # Rows without any JSON take the last entry.
    where = encoded.indices.fill_null(len(held)).to_numpy()
    chosen: NDArray[np.int64] = numbers[where]
    return chosen


def _numbers(held: list[dict[str, Any]], label: str) -> list[int]:
    known = ATOMIC_NUMBERS.get
    try:
        return [known(one.get(label, ""), ABSENT) for one in held]
    except TypeError:  # a list or a mapping, in place of a symbol
        return [known(str(one.get(label, "")), ABSENT) for one in held]


def _read(texts: list[str]) -> list[dict[str, Any]]:
    """Return what each text holds by label; nothing where it is no object of JSON."""
    try:
        found: list[Any] = json.loads(f"[{','.join(texts)}]")
    except json.JSONDecodeError:
        found = []
    if len(found) != len(texts) or not all(type(one) is dict for one in found):
        found = [_read_one(text) for text in texts]
    return found


def _read_one(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
