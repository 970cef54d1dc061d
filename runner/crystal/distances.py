"""Shortest distances in many periodic cells at once, whatever the cells' shape."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from runner.crystal.reduction import reduced

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from runner.crystal.cells import CellArrays

PAIRS_AT_ONCE = 2**17
"""Held in memory: about 30 MB with their vectors."""


@dataclass(frozen=True)
class Shortest:
    """By cell: the smallest value, and the atomic numbers of the two sites that have it."""

    values: NDArray[np.float64]
    first: NDArray[np.int64]
    second: NDArray[np.int64]


def shortest_distances(
    cells: CellArrays, radii_ang: NDArray[np.float64] | None = None
) -> tuple[Shortest, NDArray[np.float64]]:
    """Return the shortest distance in each cell, and the smallest distance over a sum of radii.

    Pairs of a site with its own images count too. `radii_ang` (sites,) may hold NaN: the ratio of
    such a cell is NaN, as are all ratios where no radii are given.

    Raises nothing for odd cells: a lattice without volume, or numbers that are not finite, give
    NaN.
    """
    import numpy as np

    values = np.full(len(cells), np.nan)
    ratios = np.full(len(cells), np.nan)
    pairs = np.zeros((len(cells), 2), np.int64)
    for rows, numbers, frac, sums in _alike(cells, radii_ang):
        bases = reduced(cells.lattices_ang[rows])
        fits = np.linalg.solve(
            bases.transpose(0, 2, 1), cells.lattices_ang[rows].transpose(0, 2, 1)
        ).transpose(0, 2, 1)
        lengths, ratio, at = _of_part(bases, frac @ np.rint(fits), sums)
        values[rows], ratios[rows] = lengths, ratio
        first, second = _pairs(numbers.shape[1])
        pairs[rows] = np.stack(
            (
                np.take_along_axis(numbers, first[at][:, None], axis=1)[:, 0],
                np.take_along_axis(numbers, second[at][:, None], axis=1)[:, 0],
            ),
            axis=1,
        )
    return Shortest(values, pairs[:, 0], pairs[:, 1]), ratios


_Part = tuple[
    "NDArray[np.int64]", "NDArray[np.int64]", "NDArray[np.float64]", "NDArray[np.float64]"
]


def _alike(cells: CellArrays, radii_ang: NDArray[np.float64] | None) -> Iterator[_Part]:
    """Yield sound cells with the same number of sites: rows, numbers, positions, sums of radii."""
    import numpy as np

    counts = np.diff(cells.starts)
    sound = _sound(cells)
    radii = np.full(len(cells.numbers), np.nan) if radii_ang is None else radii_ang
    for count in np.unique(counts[sound]):
        first, second = _pairs(int(count))
        some = max(1, PAIRS_AT_ONCE // len(first))
        rows = np.flatnonzero(sound & (counts == count))
        for part in np.split(rows, range(some, len(rows), some)):
            sites = cells.starts[part][:, None] + np.arange(count)
            held = radii[sites]
            sums = held[:, first] + held[:, second]
            yield part, cells.numbers[sites].astype(np.int64), cells.frac_coords[sites], sums


def _sound(cells: CellArrays) -> NDArray[np.bool_]:
    import numpy as np

    with np.errstate(invalid="ignore", over="ignore"):
        volumes = np.abs(np.linalg.det(cells.lattices_ang))
        edges = np.linalg.norm(cells.lattices_ang, axis=2).prod(axis=1)
    flat = ~(volumes > FLAT * edges)
    odd = ~np.isfinite(cells.frac_coords).all(axis=1)
    counts = np.diff(cells.starts)
    spoiled = np.zeros(len(cells), np.bool_)
    spoiled[np.repeat(np.arange(len(cells)), counts)[odd]] = True
    sound: NDArray[np.bool_] = ~flat & ~spoiled & (counts > 0)
    return sound


FLAT = 1e-9
"""Volume over the product of the edges, below which a cell spans no volume."""


def _pairs(count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return all pairs of sites, a site with itself among them (they stand for its images)."""
    import numpy as np

    first, second = np.triu_indices(count)
    return first.astype(np.int64), second.astype(np.int64)


def _of_part(
    bases: NDArray[np.float64], frac: NDArray[np.float64], sums: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Return shortest distances, smallest ratios, and the pairs with the shortest distance.

    An image other than the nearest by fractional coordinates is at least half a height of the
    cell away. So cells in which something closer was found need no look at the cells around.
    """
    import numpy as np

    first, second = _pairs(frac.shape[1])
    apart = frac[:, second] - frac[:, first]
    apart -= np.rint(apart)
    own = first == second
    lengths = np.linalg.norm(apart @ bases, axis=2)
    lengths[:, own] = np.linalg.norm(bases[:, 0], axis=1)[:, None]  # reduced: the shortest of all
    heights = 1.0 / np.linalg.norm(np.linalg.inv(bases), axis=1)
    beyond = heights.min(axis=1) / 2
    near = lengths.min(axis=1)
    ratio = (lengths / sums).min(axis=1)
    widest = np.where(np.isnan(sums), 0.0, sums).max(axis=1)
    with np.errstate(invalid="ignore"):  # ratios that are NaN leave nothing to look for
        doubtful = np.flatnonzero((near > beyond) | (ratio * widest > beyond))
    if len(doubtful):
        lengths[np.ix_(doubtful, ~own)] = _around(bases[doubtful], apart[doubtful][:, ~own])
    near, at = lengths.min(axis=1), lengths.argmin(axis=1)
    return near, (lengths / sums).min(axis=1), at


def _around(bases: NDArray[np.float64], apart: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the shortest distance of each pair (n, pairs) over the cells around."""
    import numpy as np

    vectors = apart @ bases
    shortest = np.full(vectors.shape[:2], np.inf)
    for step in product((-1.0, 0.0, 1.0), repeat=3):
        shifted = vectors + (np.array(step) @ bases)[:, None, :]
        np.minimum(shortest, np.einsum("npi,npi->np", shifted, shifted), out=shortest)
    lengths: NDArray[np.float64] = np.sqrt(shortest)
    return lengths
