"""Minkowski-reduced cells of many lattices at once.

The greedy algorithm of Semaev and of Nguyen and Stehle, ACM Trans. Algorithms 5, 46 (2009),
doi:10.1145/1597036.1597050: the longest vector is made as short as the two others allow, until
nothing gets shorter. In the result, points whose fractional coordinates differ by at most one half
have their nearest images among the cells around, -1 to 1 in each direction.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LARGEST_NUMBER_OF_ROUNDS = 200
"""Usual cells take one or two; a very flat one a few dozen."""
LEAST_GAIN = 1e-9
"""A vector is replaced by one whose square is shorter by that part: rounding makes no rounds."""


def reduced(lattices_ang: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return bases of the same lattices (n, 3, 3), vectors as rows, sorted by length."""
    import numpy as np

    bases = lattices_ang.copy()
    active = np.arange(len(bases))
    for _ in range(LARGEST_NUMBER_OF_ROUNDS):
        if not len(active):
            break
        shorter, gained = _round(bases[active])
        bases[active] = shorter
        active = active[gained]
    return bases


def _round(bases: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return sorted bases with the longer vectors shortened once, and which became shorter."""
    import numpy as np

    lengths = np.einsum("nij,nij->ni", bases, bases)
    order = np.argsort(lengths, axis=1, kind="stable")
    a, b, c = np.moveaxis(np.take_along_axis(bases, order[:, :, None], axis=1), 1, 0)
    b2, c2 = np.take_along_axis(lengths, order[:, 1:], axis=1).T
    b = b - np.rint(_dot(a, b) / _dot(a, a))[:, None] * a
    # In the plane of a and b: the point nearest to c, from the four corners around and one beyond.
    aa, bb, ab, ac, bc = _dot(a, a), _dot(b, b), _dot(a, b), _dot(a, c), _dot(b, c)
    determinant = aa * bb - ab * ab
    x = np.rint((ac * bb - bc * ab) / determinant)
    y = np.rint((bc * aa - ac * ab) / determinant)
    around = np.array(list(product((0, -1, 1), repeat=2)), np.float64)
    steps = np.stack((x, y), axis=1)[:, None, :] + around
    trial = c[:, None, :] - steps[:, :, :1] * a[:, None, :] - steps[:, :, 1:] * b[:, None, :]
    c = np.take_along_axis(
        trial, np.einsum("nij,nij->ni", trial, trial).argmin(axis=1)[:, None, None], axis=1
    )[:, 0]
    gained = (_dot(b, b) < b2 * (1 - LEAST_GAIN)) | (_dot(c, c) < c2 * (1 - LEAST_GAIN))
    return np.stack((a, b, c), axis=1), gained


def _dot(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    product_: NDArray[np.float64] = np.einsum("ni,ni->n", a, b)
    return product_
