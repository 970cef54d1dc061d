"""A disordered cell and its superlattices: sites with a choice, and how symmetry permutes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING

from runner.crystal.colouring import Colourings
from runner.crystal.disorder import VACANCY, DisorderedCell, Occupants
from runner.crystal.superlattices import Hermite, coset_numbers, coset_points, keeps
from runner.crystal.symmetry import (
    Cell,
    Operations,
    kinds_of,
    operations,
    primitive_cell,
    reduced_lattice,
)
from schemas.structure import Structure, Vector

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ITSELF: Hermite = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
Counts = tuple[tuple[int, ...], ...]
"""How many sites hold each occupant, by class of sites."""


@dataclass(frozen=True)
class Parent:
    """A disordered cell prepared: its symmetry, and its sites with a choice, class by class.

    Sites that may hold the same are one class and share their atoms. The cell is reduced where
    `primitive` says so.
    """

    source: DisorderedCell
    primitive: bool

    @cached_property
    def kinds(self) -> tuple[tuple[Occupants, float], ...]:
        """What tells sites apart, by kind."""
        return tuple(dict.fromkeys(self._labels))

    @cached_property
    def cell(self) -> Cell:
        """The cell that superlattices are made of."""
        import numpy as np

        whole = Cell(
            np.array(self.source.lattice_ang, dtype=np.float64),
            np.array(self.source.frac_coords, dtype=np.float64),
            np.array(kinds_of(self._labels), dtype=np.int64),
        )
        return primitive_cell(whole) if self.primitive else whole

    @cached_property
    def operations(self) -> Operations:
        """The space group of the cell before any choice."""
        return operations(self.cell)

    @cached_property
    def classes(self) -> tuple[tuple[Occupants, tuple[int, ...]], ...]:
        """The sites with a choice, by what they may hold."""
        found: dict[Occupants, list[int]] = {}
        for site, kind in enumerate(self.cell.kinds.tolist()):
            occupants = self.kinds[kind][0]
            if not occupants.ordered:
                found.setdefault(occupants, []).append(site)
        return tuple((occupants, tuple(sites)) for occupants, sites in found.items())

    @cached_property
    def elements(self) -> tuple[str, ...]:
        """The elements that cells can hold, in the order of the sites."""
        symbols = (s for kind in self.cell.kinds.tolist() for s in self.kinds[kind][0].symbols)
        return tuple(dict.fromkeys(symbol for symbol in symbols if symbol != VACANCY))

    @property
    def _labels(self) -> list[tuple[Occupants, float]]:
        moments = self.source.moments_bohr or (0.0,) * len(self.source.sites)
        return list(zip(self.source.sites, moments, strict=True))

    def compositions(self, size: int, tolerance: float) -> Iterator[Counts]:
        """Yield the numbers of each occupant, by class, that a cell of a size can have."""
        yield from product(
            *(
                _spread(len(sites) * size, len(occupants.symbols))
                if occupants.fractions is None
                else filter(None, [occupants.counts(len(sites) * size, tolerance)])
                for occupants, sites in self.classes
            )
        )

    def amounts(self, size: int, counts: Counts) -> dict[str, int]:
        """Return the atoms per cell of each element, in the order of `elements`."""
        found = dict.fromkeys(self.elements, 0)
        for kind in self.cell.kinds.tolist():
            occupants = self.kinds[kind][0]
            if occupants.ordered and occupants.symbols[0] != VACANCY:
                found[occupants.symbols[0]] += size
        for (occupants, _), numbers in zip(self.classes, counts, strict=True):
            for symbol, n in zip(occupants.symbols, numbers, strict=True):
                if symbol != VACANCY:
                    found[symbol] += n
        return {symbol: n for symbol, n in found.items() if n}


@dataclass(frozen=True)
class Frame:
    """One superlattice of a parent, `size` times as large: sites, images of one after another."""

    parent: Parent
    hermite: Hermite

    @property
    def size(self) -> int:
        """Its volume in cells of the parent."""
        (a, _, _), (_, c, _), (_, _, f) = self.hermite
        return a * c * f

    @cached_property
    def active(self) -> NDArray[np.int64]:
        """The sites of the superlattice that have a choice, class by class."""
        import numpy as np

        sites = [site for _, sites in self.parent.classes for site in sites]
        images = np.arange(self.size)
        return np.asarray((np.array(sites)[:, None] * self.size + images).reshape(-1))

    @cached_property
    def permutations(self) -> NDArray[np.int64]:
        """How the symmetry of parent and superlattice permutes `active`; translations first."""
        import numpy as np

        group, size = self.parent.operations, self.size
        kept = keeps(self.hermite, group.rotations)
        sites = [site for _, sites in self.parent.classes for site in sites]
        points = coset_points(self.hermite)
        turned = np.einsum("oij,nj->oni", group.rotations[kept], points)
        reached = turned[:, None, :, :] + group.shifts[kept][:, sites, None, :]
        # By operation, translation, site and point.
        cosets = coset_numbers(self.hermite, reached[:, None] + points[None, :, None, None, :])
        images = group.images[kept][:, None, sites, None] * size + cosets
        place = np.empty(len(self.parent.cell) * size, dtype=np.int64)
        place[self.active] = np.arange(len(self.active))
        found: NDArray[np.int64] = place[images.reshape(-1, len(self.active))]
        return found

    def colourings(self, counts: Counts) -> Colourings:
        """Return the colourings with given numbers of each occupant."""
        return Colourings(counts, self.permutations, self.size)

    def structure(self, colours: tuple[int, ...]) -> Structure:
        """Return the ordered cell, sites by element."""
        import numpy as np

        cell, size = self.parent.cell, self.size
        labels = [self.parent.kinds[kind] for kind in cell.kinds.tolist() for _ in range(size)]
        species = [occupants.symbols[0] for occupants, _ in labels]
        for site, colour in zip(self.active.tolist(), colours, strict=True):
            species[site] = labels[site][0].symbols[colour]
        lattice, frac = self._positions
        rank = {symbol: n for n, symbol in enumerate(self.parent.elements)}
        order = sorted(
            (site for site in range(len(species)) if species[site] != VACANCY),
            key=lambda site: (rank[species[site]], site),
        )
        source = self.parent.source
        ratio = np.linalg.det(lattice) / np.linalg.det(np.array(source.lattice_ang))
        return Structure(
            lattice_ang=(_vector(lattice[0]), _vector(lattice[1]), _vector(lattice[2])),
            species=tuple(species[site] for site in order),
            frac_coords=tuple(_vector(frac[site]) for site in order),
            moments_bohr=None
            if source.moments_bohr is None
            else tuple(labels[site][1] for site in order),
            charge=round(source.charge * abs(ratio), 6),
        )

    @cached_property
    def _positions(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        import numpy as np

        cell = self.parent.cell
        if self.hermite == ITSELF and not self.parent.primitive:
            return cell.lattice_ang, cell.frac_coords
        lattice = reduced_lattice(np.array(self.hermite) @ cell.lattice_ang)
        frac = cell.frac_coords[:, None, :] + coset_points(self.hermite)[None, :, :]
        turned = frac.reshape(-1, 3) @ cell.lattice_ang @ np.linalg.inv(lattice)
        return lattice, turned % 1.0


def _spread(n_sites: int, n_symbols: int) -> Iterator[tuple[int, ...]]:
    """Yield all ways of giving sites to symbols, as numbers of each."""
    if n_symbols == 1:
        yield (n_sites,)
        return
    for first in range(n_sites, -1, -1):
        for rest in _spread(n_sites - first, n_symbols - 1):
            yield (first, *rest)


def _vector(values: NDArray[np.float64]) -> Vector:
    x, y, z = (float(value) for value in values)
    return x, y, z
