"""What equivalent crystals have in common, from one cell alone: composition and mean distances.

The distances are the average minimum distances of Widdowson et al., MATCH 87, 529 (2022),
doi:10.46793/match.87-3.529W, taken for each pair of species: the mean, over the atoms of one, of
the distances to the nearest atoms of the other. They do not depend on the choice of cell, on
rotation or reflection, and they change by at most twice the largest displacement of an atom.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import reduce
from hashlib import blake2b
from math import gcd
from typing import TYPE_CHECKING

from schemas.structure import Structure

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NEIGHBOURS = 8
"""Of each species, around an atom, that are looked at."""
REACH = 3.0
"""How far, in units of the cube root of the volume per atom: about a hundred neighbours. Distances
beyond count as this one."""
STEP_ANG = 0.01
OFFSET_ANG = STEP_ANG / 3**0.5
"""Bins of the short text begin where no round number lies."""
MOMENT_STEP_BOHR = 0.1


@dataclass(frozen=True)
class Fingerprint:
    """`group` is equal for all that can be equivalent: formula, charge, moments by element.

    `distances_ang` has the shape (species, species, NEIGHBOURS), species in sorted order.
    """

    group: str
    distances_ang: NDArray[np.float64]

    def apart_ang(self, other: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the largest differences to other distances (n, species, species, NEIGHBOURS)."""
        import numpy as np

        apart: NDArray[np.float64] = np.abs(other - self.distances_ang).max(axis=(1, 2, 3))
        return apart

    def text(self) -> str:
        """Return a short text, equal for equal crystals in whatever cell, but for rounding."""
        import numpy as np

        bins = np.floor((self.distances_ang + OFFSET_ANG) / STEP_ANG).astype("<i4")
        return f"{self.group}:{blake2b(bins.tobytes(), digest_size=8).hexdigest()}"


def group_of(structure: Structure) -> str:
    """Return what all equivalent structures have in common, cheaply: `O3 Sr Ti`."""
    counts = Counter(_species(structure))
    units = reduce(gcd, counts.values())
    names = [f"{name}{n // units if n != units else ''}" for name, n in sorted(counts.items())]
    charge = round(structure.charge / units, 6)
    return " ".join([*names, *([f"({charge:+g})"] if charge else [])])


def fingerprint(structure: Structure) -> Fingerprint:
    """Return the fingerprint of a structure.

    Raises
    ------
    ValueError
        When the cell spans no volume or has numbers that are not finite.
    """
    import numpy as np

    lattice = np.array(structure.lattice_ang, np.float64)
    frac = np.array(structure.frac_coords, np.float64)
    names = _species(structure)
    kinds = {name: at for at, name in enumerate(sorted(set(names)))}
    of = np.array([kinds[name] for name in names])
    nearest = _nearest(lattice, frac, of, len(kinds))
    means = np.stack([nearest[of == kind].mean(axis=0) for kind in range(len(kinds))])
    return Fingerprint(group_of(structure), means)


def _species(structure: Structure) -> list[str]:
    """Return the species of each site: the element, and its moment where it has one."""
    if not structure.moments_bohr or not any(structure.moments_bohr):
        return list(structure.species)
    return [
        f"{symbol}[{steps * MOMENT_STEP_BOHR:+.1f}]"
        if (steps := round(moment / MOMENT_STEP_BOHR))
        else symbol
        for symbol, moment in zip(structure.species, structure.moments_bohr, strict=True)
    ]


def _nearest(
    lattice: NDArray[np.float64], frac: NDArray[np.float64], of: NDArray[np.int64], kinds: int
) -> NDArray[np.float64]:
    """Return sorted distances to the nearest atoms of each kind (sites, kinds, NEIGHBOURS)."""
    import numpy as np
    from pymatgen.optimization.neighbors import find_points_in_spheres

    from runner.crystal.reduction import reduced

    volume = abs(np.linalg.det(lattice))
    if not (np.isfinite(volume) and volume > 0 and np.isfinite(frac).all()):
        raise ValueError("the cell spans no volume, or has numbers that are not finite")
    reach = REACH * float(volume / len(of)) ** (1 / 3)
    basis = reduced(lattice[None])[0]
    inside = np.linalg.solve(basis.T, (frac @ lattice).T).T % 1.0
    sites = np.ascontiguousarray(inside @ basis)
    centres, points, _, distances = find_points_in_spheres(
        sites, sites, r=reach, pbc=np.ones(3, np.int64), lattice=np.ascontiguousarray(basis)
    )
    others = distances > SAME_SITE_ANG
    centres, kind, distances = centres[others], of[points[others]], distances[others]
    order = np.lexsort((distances, kind, centres))
    pairs = (centres * kinds + kind)[order]
    first = np.searchsorted(pairs, pairs)
    rank = np.arange(len(pairs)) - first
    near = rank < NEIGHBOURS
    nearest = np.full((len(of) * kinds, NEIGHBOURS), reach)
    nearest[pairs[near], rank[near]] = distances[order][near]
    return nearest.reshape(len(of), kinds, NEIGHBOURS)


SAME_SITE_ANG = 1e-8
"""An atom is not its own neighbour."""
