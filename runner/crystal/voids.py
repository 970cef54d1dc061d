"""Where there is room between atoms: interstitial sites, up to symmetry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.crystal.symmetry import Cell, Operations, reduced_lattice
from schemas.structure import Vector

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MERGED_ANG = 0.5
"""Places nearer to each other than this are one: an atom that relaxes finds either."""


@dataclass(frozen=True)
class Void:
    """A place between atoms.

    `frac_coords` is its place in the cell, `radius_ang` the distance to the nearest atom and
    `multiplicity` the number of equivalent places in the cell.
    """

    frac_coords: Vector
    radius_ang: float
    multiplicity: int


def voids(cell: Cell, group: Operations, *, least_ang: float) -> Iterator[Void]:
    """Yield the places at least `least_ang` from all atoms, one of each orbit, widest first.

    They are vertices of the Voronoi diagram: as far from four atoms or more. A vertex closer than
    `MERGED_ANG` to its own images is moved onto the symmetry element among them.

    Raises
    ------
    ValueError
        When the atoms give no Voronoi diagram.
    """
    import numpy as np

    taken = np.empty((0, 3))
    for vertex in _vertices(cell, least_ang):
        if len(taken) and _distances_ang(cell, vertex, taken).min() < MERGED_ANG:
            continue
        place = _on_symmetry(cell, group, vertex)
        radius = float(_distances_ang(cell, place, cell.frac_coords).min())
        images = group.rotations @ place + group.translations
        if len(taken) and _distances_ang(cell, place, taken).min() < MERGED_ANG:
            continue
        taken = np.concatenate([taken, images % 1.0])
        if radius >= least_ang:
            x, y, z = (float(value) for value in place % 1.0)
            yield Void((x, y, z), radius, _different(cell, images))


def _vertices(cell: Cell, least_ang: float) -> NDArray[np.float64]:
    """Return the vertices in the cell, fractional, widest first; of equal ones the least."""
    import numpy as np
    from scipy.spatial import QhullError, Voronoi

    try:
        found = Voronoi(_surroundings(cell)).vertices @ np.linalg.inv(cell.lattice_ang)
    except QhullError as error:
        raise ValueError("the atoms give no Voronoi diagram") from error
    edge = 1e-6  # rounding must not put a vertex at 0 and at 1, so both are kept and merged
    found = found[((found > -edge) & (found < 1.0 + edge)).all(axis=1)]
    radii = np.array([_distances_ang(cell, one, cell.frac_coords).min() for one in found])
    wide = radii >= least_ang
    found, radii = found[wide] % 1.0, radii[wide]
    keys = (np.round(found, 4) % 1.0).T
    order = np.lexsort((keys[2], keys[1], keys[0], -np.round(radii, 4)))
    vertices: NDArray[np.float64] = found[order]
    return vertices


def _surroundings(cell: Cell) -> NDArray[np.float64]:
    """Return the Cartesian places of all atoms that can touch a void of the cell, in angstrom."""
    import numpy as np

    lattice = reduced_lattice(cell.lattice_ang)
    # No point is farther from a lattice point than half the diagonal of a box of these lengths.
    reach_ang = 0.5 * float(np.sqrt((lattice**2).sum()))
    widths = 1.0 / np.linalg.norm(np.linalg.inv(cell.lattice_ang), axis=0)
    margin = reach_ang / widths + 1e-6
    repeats = [np.arange(-int(np.ceil(m)) - 1, int(np.ceil(m)) + 2) for m in margin]
    shifts = np.stack(np.meshgrid(*repeats, indexing="ij"), axis=-1).reshape(-1, 3)
    frac = ((cell.frac_coords % 1.0)[None, :, :] + shifts[:, None, :]).reshape(-1, 3)
    near = ((frac > -margin) & (frac < 1.0 + margin)).all(axis=1)
    # One more shell closes the diagram around those.
    wider = ((frac > -margin - 1.0) & (frac < 2.0 + margin)).all(axis=1)
    places: NDArray[np.float64] = frac[near | wider] @ cell.lattice_ang
    return places


def _on_symmetry(cell: Cell, group: Operations, place: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of the images of a place that are as good as the place itself."""
    import numpy as np

    apart = group.rotations @ place + group.translations - place
    apart -= np.rint(apart)
    near = ((apart @ cell.lattice_ang) ** 2).sum(axis=1) < MERGED_ANG**2
    mean: NDArray[np.float64] = place + apart[near].mean(axis=0)
    return mean


def _different(cell: Cell, images: NDArray[np.float64]) -> int:
    """Return how many different places there are among some."""
    left = images
    number = 0
    while len(left):
        left = left[_distances_ang(cell, left[0], left) >= MERGED_ANG]
        number += 1
    return number


def _distances_ang(
    cell: Cell, place: NDArray[np.float64], others: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the distances to the nearest images of other places, in angstrom."""
    import numpy as np

    near = np.stack(np.meshgrid(*[(-1, 0, 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    apart = others - place
    apart = (apart - np.rint(apart))[:, None, :] + near[None, :, :]
    distances: NDArray[np.float64] = np.sqrt(((apart @ cell.lattice_ang) ** 2).sum(axis=-1))
    nearest: NDArray[np.float64] = distances.min(axis=1)
    return nearest
