"""Which atoms see each other: the bonds and angles of cells, built with numpy.

A bond is an undirected pair of an atom and a periodic image of an atom within a radius; an angle
is an ordered pair of two different short bonds that leave one atom. This is the graph of CHGNet
(Deng et al., Nature Machine Intelligence 5, 1031 (2023), doi:10.1038/s42256-023-00716-3). Bonds
are found cell by cell; angles, the larger part, are made for a whole batch at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import pi
from typing import TYPE_CHECKING

from runner.crystal.cells import CellArrays
from schemas.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COINCIDENT_ANG = 1e-8
"""An image of an atom that is nearer than this is the atom itself."""
MOST_ITEMS = 500_000
"""Bonds and angles of one cell at most: about 5,000 atoms of a dense solid, 4 GB in a model."""
LATTICE_VECTORS = 3


class UnsuitableCell(UserError):
    """A cell that a model cannot be asked about; the text says why."""


@dataclass(frozen=True)
class Radii:
    """How far atoms see each other, in angstrom; angles are between the short bonds."""

    bond_ang: float
    short_ang: float


@dataclass(frozen=True)
class Bonds:
    """The bonds of one cell; `index` is the place of the cell among its companions.

    `first` and `second` are sites, shape (bonds,); `images` (bonds, 3) are the lattice vectors to
    add to `second`; `lengths_ang` (bonds,). Each pair is there once. `n_angles` is how many angles
    will be made of them.
    """

    index: int
    lattice_ang: NDArray[np.float64]
    numbers: NDArray[np.uint8]
    frac_coords: NDArray[np.float64]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    images: NDArray[np.float64]
    lengths_ang: NDArray[np.float64]
    n_angles: int

    @property
    def items(self) -> int:
        """Bonds and angles: what memory and time of a model grow with."""
        return 2 * len(self.first) + self.n_angles


@dataclass(frozen=True)
class GraphBatch:
    """Cells as one graph, sites and bonds of all end to end.

    `owners` (sites,) says which cell a site is of; `bonds` (bonds, 2) are sites and `images`
    (bonds, 3) belong to the second; `short` (short bonds,) are places in `bonds`. Each short bond
    counts as two that leave an atom: number k from its first site, and number k + short bonds from
    its second.
    `angles` (angles, 2) holds pairs of those numbers.
    """

    lattices_ang: NDArray[np.float64]
    numbers: NDArray[np.int64]
    frac_coords: NDArray[np.float64]
    owners: NDArray[np.int64]
    bonds: NDArray[np.int64]
    images: NDArray[np.float64]
    short: NDArray[np.int64]
    angles: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.lattices_ang)

    @property
    def items(self) -> int:
        """Bonds, counted from both ends, and angles."""
        return 2 * len(self.bonds) + len(self.angles)


def bonds_of(cells: CellArrays, index: int, radii: Radii) -> Bonds:
    """Return the bonds of one cell.

    Raises
    ------
    UnsuitableCell
        For cells without volume, with more bonds than fit in memory, or with an atom that has
        no neighbour.
    """
    import numpy as np
    from pymatgen.optimization.neighbors import find_points_in_spheres

    lattice, numbers, frac = cells.one(index)
    _refuse(lattice, frac, radii)
    sites = np.ascontiguousarray(frac @ lattice)
    first, second, images, lengths = find_points_in_spheres(
        sites,
        sites,
        r=radii.bond_ang,
        pbc=np.ones(LATTICE_VECTORS, dtype=np.int64),
        lattice=np.ascontiguousarray(lattice),
        tol=COINCIDENT_ANG,
    )
    once = _once(first, second, images)
    lengths = lengths[once]
    bonds = Bonds(
        index=index,
        lattice_ang=lattice,
        numbers=numbers,
        frac_coords=frac,
        first=first[once],
        second=second[once],
        images=images[once],
        lengths_ang=lengths,
        n_angles=0,
    )
    return _counted(bonds, radii)


def _once(
    first: NDArray[np.int64], second: NDArray[np.int64], images: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Say which of the pairs are kept: of both directions of a bond one, of an atom itself none."""
    x, y, z = images.T
    upwards = (z > 0) | ((z == 0) & ((y > 0) | ((y == 0) & (x > 0))))
    kept: NDArray[np.bool_] = (first < second) | ((first == second) & upwards)
    return kept


def _refuse(lattice: NDArray[np.float64], frac: NDArray[np.float64], radii: Radii) -> None:
    import numpy as np

    if not (np.isfinite(lattice).all() and np.isfinite(frac).all()):
        raise UnsuitableCell("the cell holds numbers that are not finite")
    volume_ang3 = abs(np.linalg.det(lattice))
    sphere_ang3 = 4.0 / 3.0 * pi * radii.bond_ang**3
    if volume_ang3 <= 0 or len(frac) ** 2 * sphere_ang3 > MOST_ITEMS * volume_ang3:
        found = f"{len(frac)} atoms in {volume_ang3:.3g} cubic angstrom"
        raise UnsuitableCell(f"{found} have more than {MOST_ITEMS} neighbours; is the cell right?")


def _counted(bonds: Bonds, radii: Radii) -> Bonds:
    """Return the bonds with the number of their angles; refuse lonely atoms and crowds."""
    import numpy as np

    n_atoms = len(bonds.numbers)
    seen = np.zeros(n_atoms, dtype=bool)
    seen[bonds.first] = True
    seen[bonds.second] = True
    if not seen.all():
        lonely = int(n_atoms - seen.sum())
        raise UnsuitableCell(
            f"{lonely} of {n_atoms} atoms have no neighbour within {radii.bond_ang:g} angstrom"
        )
    short = bonds.lengths_ang <= radii.short_ang
    ends = np.concatenate([bonds.first[short], bonds.second[short]])
    degrees = np.bincount(ends, minlength=n_atoms)
    counted = replace(bonds, n_angles=int((degrees * (degrees - 1)).sum()))
    if counted.items > MOST_ITEMS:
        raise UnsuitableCell(
            f"{counted.items} bonds and angles, more than {MOST_ITEMS}; is the cell right?"
        )
    return counted


def joined(cells: Sequence[Bonds], radii: Radii) -> GraphBatch:
    """Return the cells as one graph, with its angles."""
    import numpy as np

    sizes = np.array([len(one.numbers) for one in cells])
    offsets = np.cumsum(sizes) - sizes
    shift = np.repeat(offsets, [len(one.first) for one in cells])
    first = np.concatenate([one.first for one in cells]) + shift
    second = np.concatenate([one.second for one in cells]) + shift
    lengths = np.concatenate([one.lengths_ang for one in cells])
    short = np.flatnonzero(lengths <= radii.short_ang)
    return GraphBatch(
        lattices_ang=np.stack([one.lattice_ang for one in cells]),
        numbers=np.concatenate([one.numbers for one in cells]).astype(np.int64),
        frac_coords=np.concatenate([one.frac_coords for one in cells]),
        owners=np.repeat(np.arange(len(cells)), sizes),
        bonds=np.stack([first, second], axis=1),
        images=np.concatenate([one.images for one in cells]),
        short=short,
        angles=_angles(
            np.concatenate([first[short], second[short]]),
            strictly=np.tile(lengths[short] < radii.short_ang, 2),
            n_atoms=int(sizes.sum()),
        ),
    )


def _angles(
    centres: NDArray[np.int64], *, strictly: NDArray[np.bool_], n_atoms: int
) -> NDArray[np.int64]:
    """Return all ordered pairs of different bonds that leave one atom, sorted by atom and bond.

    `strictly` says which bonds are shorter than the radius: only these are taken as the second
    of a pair, as CHGNet does (a bond as long as the radius has no weight).
    """
    import numpy as np

    order = np.argsort(centres, kind="stable")
    degrees = np.bincount(centres, minlength=n_atoms)
    starts = np.cumsum(degrees) - degrees
    sorted_centres = centres[order]
    partners = degrees[sorted_centres]
    n_pairs = int(partners.sum())
    first = np.repeat(np.arange(len(order)), partners)
    begins = np.cumsum(partners) - partners
    second = np.arange(n_pairs) + np.repeat(starts[sorted_centres] - begins, partners)
    pairs = np.stack([order[first], order[second]], axis=1)
    kept = first != second
    if not strictly.all():
        kept &= strictly[pairs[:, 1]]
    angles: NDArray[np.int64] = pairs[kept]
    return angles
