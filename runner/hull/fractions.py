"""Compositions as arrays of atomic fractions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Floats: TypeAlias = NDArray[np.float64]


def fractions(
    compositions: ArrayLike | Sequence[Mapping[str, float]], elements: Sequence[str]
) -> Floats:
    """Return atomic fractions, shape (n, elements), each row with the sum 1.

    Raises
    ------
    ValueError
        For an element beside `elements`, or amounts that are negative or all 0.
    """
    import numpy as np

    if isinstance(compositions, Sequence) and all(isinstance(c, Mapping) for c in compositions):
        amounts = _table(compositions, elements)  # type: ignore[arg-type]  # all are mappings
    else:
        amounts = np.asarray(compositions, float)
    if amounts.ndim != 2 or amounts.shape[1] != len(elements):  # noqa: PLR2004  (rows, elements)
        raise ValueError(f"found the shape {amounts.shape}, expected (n, {len(elements)})")
    total = weighted(amounts, np.ones(len(elements)))
    # Written so that NaN fails too.
    if not ((amounts >= 0).all() and (total > 0).all()):
        raise ValueError("amounts must be numbers of 0 and more, and one of them above 0")
    result: Floats = amounts / total[:, None]
    return result


def _table(compositions: Sequence[Mapping[str, float]], elements: Sequence[str]) -> Floats:
    import numpy as np

    position = {element: i for i, element in enumerate(elements)}
    table = np.zeros((len(compositions), len(elements)))
    for row, composition in enumerate(compositions):
        for element, amount in present(composition).items():
            if element not in position:
                known = ", ".join(elements)
                raise ValueError(f"the hull of {known} has no {element}")
            table[row, position[element]] = amount
    return table


def present(composition: Mapping[str, float]) -> dict[str, float]:
    """Return the amounts that are not 0."""
    return {element: amount for element, amount in composition.items() if amount != 0}


def weighted(x: Floats, weights: Floats) -> Floats:
    """Return the sum over columns, in their order, so that a row's does not depend on others."""
    import numpy as np

    return sum((x[:, i] * weights[i] for i in range(x.shape[1])), np.zeros(len(x)))
