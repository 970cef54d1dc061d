"""Space-group operations of a cell and what they do to its sites, from spglib."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from schemas.structure import Structure

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SYMPREC_ANG = 0.01
"""How far atoms may be from where symmetry puts them: files give four digits of 1/3."""

_PLACES_TOGETHER = 2**16
"""Places that are looked up at once: a supercell has thousands of operations."""

T = TypeVar("T")


@dataclass(frozen=True)
class Cell:
    """A cell for symmetry: sites of one kind are alike.

    `lattice_ang` has the shape (3, 3), vectors as rows; `frac_coords` (n_sites, 3); `kinds`
    (n_sites,), whole numbers from 0.
    """

    lattice_ang: NDArray[np.float64]
    frac_coords: NDArray[np.float64]
    kinds: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.kinds)


@dataclass(frozen=True)
class Operations:
    """The space group of a cell, the identity first.

    Site i goes to site `images[op, i]` of the cell that lies `shifts[op, i]` lattice vectors away:
    rotations[op] @ x_i + translations[op] = x_image + shift. Shapes: rotations (n_ops, 3, 3),
    translations (n_ops, 3), images (n_ops, n_sites), shifts (n_ops, n_sites, 3).
    """

    rotations: NDArray[np.int64]
    translations: NDArray[np.float64]
    images: NDArray[np.int64]
    shifts: NDArray[np.int64]

    def orbits(self) -> list[tuple[int, ...]]:
        """Return the sites by orbit: each sorted, in the order of their first sites."""
        found: dict[int, tuple[int, ...]] = {}
        for site in range(self.images.shape[1]):
            orbit = tuple(sorted({int(image) for image in self.images[:, site]}))
            found.setdefault(orbit[0], orbit)
        return list(found.values())


def kinds_of(labels: Sequence[T]) -> list[int]:
    """Return a number for each label, equal for equal ones, in the order of appearance."""
    numbers: dict[T, int] = {}
    return [numbers.setdefault(label, len(numbers)) for label in labels]


def cell_of(structure: Structure) -> Cell:
    """Return a structure as a cell; sites are alike in element and moment."""
    import numpy as np

    moments = structure.moments_bohr or (0.0,) * structure.n_atoms
    kinds = kinds_of(list(zip(structure.species, moments, strict=True)))
    return Cell(
        np.array(structure.lattice_ang, dtype=np.float64),
        np.array(structure.frac_coords, dtype=np.float64),
        np.array(kinds, dtype=np.int64),
    )


def operations(cell: Cell) -> Operations:
    """Return the space group of a cell.

    Raises
    ------
    ValueError
        When none can be found: atoms lie on each other.
    """
    import numpy as np
    import spglib

    with _quiet():
        found = spglib.get_symmetry(_for_spglib(cell), symprec=SYMPREC_ANG)
    if found is None:
        raise ValueError("spglib finds no symmetry in this cell; do atoms lie on each other?")
    rotations = found["rotations"].astype(np.int64)
    translations = found["translations"].astype(np.float64)
    moves = np.abs(rotations - np.eye(3, dtype=np.int64)).sum(axis=(1, 2))
    far = np.abs(translations - np.rint(translations)).sum(axis=1)
    order = np.argsort(moves + far, kind="stable")
    rotations, translations = rotations[order], translations[order]
    images, shifts = _mapped(cell, rotations, translations)
    return Operations(rotations, translations, images, shifts)


def primitive_cell(cell: Cell) -> Cell:
    """Return a primitive cell in the same orientation, atoms where they were.

    Raises
    ------
    ValueError
        When no symmetry can be found.
    """
    import numpy as np
    import spglib

    with _quiet():
        found: Any = spglib.standardize_cell(
            _for_spglib(cell), to_primitive=True, no_idealize=True, symprec=SYMPREC_ANG
        )
    if found is None:
        raise ValueError("spglib finds no symmetry in this cell; do atoms lie on each other?")
    lattice, frac, kinds = found
    if len(kinds) == len(cell):
        return cell
    order = np.argsort(kinds, kind="stable")
    return Cell(lattice, frac[order], kinds[order].astype(np.int64) - 1)


def reduced_lattice(lattice_ang: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return short vectors of the same lattice, right-handed, shape (3, 3), as rows.

    The Niggli cell; a lattice that has none within the precision stays as it is.
    """
    import numpy as np
    import spglib

    with _quiet():
        reduced = spglib.niggli_reduce(lattice_ang)
    if reduced is None:
        return lattice_ang
    # The vectors are taken from the exact lattice again: the reduction works in floats.
    turned = np.rint(reduced @ np.linalg.inv(lattice_ang)) @ lattice_ang
    return np.asarray(-turned if np.linalg.det(turned) < 0 else turned)


def _for_spglib(cell: Cell) -> Any:
    return cell.lattice_ang, cell.frac_coords, cell.kinds + 1


def _mapped(
    cell: Cell, rotations: NDArray[np.int64], translations: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where each operation takes each site: `images` and `shifts` of `Operations`."""
    import numpy as np
    from scipy.spatial import cKDTree

    tree = cKDTree(_wrapped(cell.frac_coords), boxsize=1.0)
    images = np.empty((len(rotations), len(cell)), dtype=np.int64)
    shifts = np.empty((len(rotations), len(cell), 3), dtype=np.int64)
    together = max(1, _PLACES_TOGETHER // len(cell))
    for start in range(0, len(rotations), together):
        part = slice(start, start + together)
        moved = np.einsum("nij,sj->nsi", rotations[part], cell.frac_coords)
        moved += translations[part, None, :]
        images[part] = tree.query(_wrapped(moved))[1]
        shifts[part] = np.rint(moved - cell.frac_coords[images[part]])
    if (np.sort(images, axis=1) != np.arange(len(cell))).any():
        raise ValueError("symmetry maps two atoms of this cell onto one; are they too close?")
    return images, shifts


def _wrapped(frac_coords: NDArray[np.float64]) -> NDArray[np.float64]:
    wrapped: NDArray[np.float64] = frac_coords % 1.0
    wrapped[wrapped >= 1.0] = 0.0  # -1e-17 % 1.0 is 1.0
    return wrapped


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        # spglib warns about how it will report errors one day; None means the same until then.
        warnings.simplefilter("ignore")
        yield
