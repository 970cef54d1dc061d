"""The convex hull of energy over composition, and distances of many compositions to it at once.

The lower hull is a convex, piecewise linear function of the atomic fractions x, so it is the
largest of its facets' planes: E_hull(x) = max over facets of x . mu, with the chemical potentials
mu of a facet solved once. Convex hull by Qhull: Barber, Dobkin, Huhdanpaa, ACM Trans. Math. Softw.
22, 469 (1996), doi:10.1145/235815.235821. Distances are those of Ong, Wang, Kang and Ceder, Chem.
Mater. 20, 1798 (2008), doi:10.1021/cm702327g.

    hull = Hull.of([Entry({"Mg": 1}, -1.5, "Mg"), Entry({"O": 2}, -4.9, "O2"), ...])
    hull.energy_above_hull([{"Mg": 1, "O": 1}], [-6.0])   # array, eV/atom; below the hull: negative
    hull.decomposition({"Mg": 2, "O": 1})                 # {"Mg": 1/3, "MgO": 2/3}, of the atoms
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from runner.hull.fractions import fractions, present, weighted
from schemas.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Floats: TypeAlias = NDArray[np.float64]

ROUNDING_EV_PER_ATOM = 1e-10
"""Distances smaller than this are what arithmetic leaves of 0, and are given as 0."""
FLAT = 1e-12
"""Volume, relative to that of all compositions, below which a facet of Qhull stands upright."""
COVER = 1e-6
"""How far the facets' volumes may miss the whole."""
CHUNK_ROWS = 4096
"""Rows that are taken at once: their columns stay in the cache of a core."""
SMALLEST_AMOUNT = 1e-9


class IncompleteHull(UserError):
    """Entries that make no hull: an element has none of its own, or there is nothing at all."""


@dataclass(frozen=True)
class Entry:
    """One phase: amounts by element (any scale), its energy in eV/atom, and what it is called."""

    composition: Mapping[str, float]
    energy_ev_per_atom: float
    label: str


class Hull:
    """The lower hull of one chemical system; made by `Hull.of`.

    `elements` is sorted by symbol; `chemical_potentials_ev` has the shape (facets, elements), and
    `vertices` holds, for each facet, the positions of its entries in `entries`.
    """

    def __init__(
        self,
        elements: tuple[str, ...],
        entries: tuple[Entry, ...],
        vertices: NDArray[np.int64],
        chemical_potentials_ev: Floats,
    ) -> None:
        self.elements = elements
        self.entries = entries
        self.vertices = vertices
        self.chemical_potentials_ev = chemical_potentials_ev

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Hull:
        """Return the hull of entries, whose elements are those of the chemical system.

        Of entries with the same composition and energy the first one counts.

        Raises
        ------
        IncompleteHull
            When there are no entries, or an element has no entry of its own.
        """
        import numpy as np

        entries = tuple(entries)
        elements = tuple(sorted({e for entry in entries for e in present(entry.composition)}))
        if not elements:
            raise IncompleteHull("no entries, so there is no hull")
        x = fractions([entry.composition for entry in entries], elements)
        energies = np.array([entry.energy_ev_per_atom for entry in entries], float)
        if not np.isfinite(energies).all():
            bad = entries[int(np.argmin(np.isfinite(energies)))].label
            raise IncompleteHull(f"the energy of '{bad}' is no number")
        pure = _elemental(x, energies, elements)
        references = energies[pure]
        formation = energies - weighted(x, references)
        below = _lowest(x, formation)
        kept = np.array([*pure, *(i for i in below if i not in set(pure))], np.int64)
        facets = kept[_facets(x[kept], formation[kept])]
        potentials = np.linalg.solve(x[facets], formation[facets][..., None])[..., 0]
        return cls(elements, entries, facets, potentials + references)

    @cached_property
    def stable(self) -> tuple[Entry, ...]:
        """The entries that are corners of the hull, in the order in which they were given."""
        return tuple(self.entries[i] for i in sorted(set(self.vertices.ravel().tolist())))

    def without(self, labels: Iterable[str]) -> Hull:
        """Return the hull of the other entries: how far a phase lies below all that compete."""
        dropped = set(labels)
        return Hull.of(entry for entry in self.entries if entry.label not in dropped)

    def energy(self, compositions: ArrayLike | Sequence[Mapping[str, float]]) -> Floats:
        """Return the energy of the hull in eV/atom, shape (n,); see `energy_above_hull`."""
        import numpy as np

        x = self._fractions(compositions)
        result = np.empty(len(x))
        for start in range(0, len(x), CHUNK_ROWS):
            rows = slice(start, start + CHUNK_ROWS)
            result[rows] = highest_plane(x[rows], self.chemical_potentials_ev)
        return result

    def energy_above_hull(
        self,
        compositions: ArrayLike | Sequence[Mapping[str, float]],
        energies_ev_per_atom: ArrayLike,
    ) -> Floats:
        """Return energies minus that of the hull, in eV/atom, shape (n,).

        What one row gets does not depend on the other rows, to the last bit. An entry of the hull
        that is stable gets exactly 0, a composition that lies below the hull a negative number.

        Parameters
        ----------
        compositions
            Amounts of `elements` at any scale, shape (n, elements), or n mappings by element.
        energies_ev_per_atom
            Their energies by the same method as those of the entries, shape (n,).

        Raises
        ------
        ValueError
            For an element that the hull does not have, or amounts that are negative or all 0.
        """
        import numpy as np

        return above(np.asarray(energies_ev_per_atom, float), self.energy(compositions))

    def decomposition(self, composition: Mapping[str, float]) -> dict[str, float]:
        """Return the stable phases that a composition falls apart into: fraction of atoms by label.

        Raises
        ------
        ValueError
            As `energy_above_hull`.
        """
        import numpy as np

        x = self._fractions([composition])[0]
        corners = fractions([entry.composition for entry in self.entries], self.elements)
        right = np.broadcast_to(x[:, None], (len(self.vertices), len(x), 1))
        parts = np.linalg.solve(corners[self.vertices].transpose(0, 2, 1), right)[..., 0]
        facet = int(np.argmax(parts.min(axis=1)))  # of the facet that holds x none is negative
        found = zip(self.vertices[facet].tolist(), parts[facet].tolist(), strict=True)
        return {self.entries[i].label: part for i, part in found if part > SMALLEST_AMOUNT}

    def _fractions(self, compositions: ArrayLike | Sequence[Mapping[str, float]]) -> Floats:
        return fractions(compositions, self.elements)


def above(energies_ev_per_atom: Floats, hull_ev_per_atom: Floats) -> Floats:
    """Return the difference; what arithmetic leaves of 0 is 0."""
    import numpy as np

    distance = energies_ev_per_atom - hull_ev_per_atom
    distance[np.abs(distance) < ROUNDING_EV_PER_ATOM] = 0.0
    return distance


def _elemental(x: Floats, energies: Floats, elements: Sequence[str]) -> list[int]:
    """Return the lowest entry of each element."""
    import numpy as np

    pure: list[int] = []
    missing: list[str] = []
    for i, element in enumerate(elements):
        own = np.flatnonzero(x[:, i] == 1.0)
        if len(own):
            pure.append(int(own[np.argmin(energies[own])]))
        else:
            missing.append(element)
    if missing:
        raise IncompleteHull(
            f"no entry of the element{'s' if len(missing) > 1 else ''} {', '.join(missing)} alone; "
            "a hull needs every element of its chemical system"
        )
    return pure


def _lowest(x: Floats, formation: Floats) -> list[int]:
    """Return the entries that can be corners: the lowest of each composition, if it forms."""
    best: dict[bytes, int] = {}
    for i in range(len(x)):
        if formation[i] >= -ROUNDING_EV_PER_ATOM:
            continue  # nothing above the elements is a corner
        place = x[i].round(9).tobytes()
        if place not in best or formation[i] < formation[best[place]]:
            best[place] = i
    return sorted(best.values())


def _facets(x: Floats, formation: Floats) -> NDArray[np.int64]:
    """Return the corners of the lower facets as rows of positions.

    The first rows of `x` are the elements; all others form from them (negative energies).
    """
    import numpy as np

    n = x.shape[1]
    if len(x) == n:
        return np.arange(n)[None, :]
    for options in ("Qt", "QJ"):  # exact and cut into simplices; else joggled, as Qhull advises
        facets: NDArray[np.int64] = _qhull(x, formation, options)
        volumes = np.abs(np.linalg.det(x[facets]))
        facets = facets[volumes > FLAT]  # sides of the hull, which stand upright
        if abs(float(volumes.sum()) - 1.0) < COVER:
            return facets
    raise IncompleteHull("the energies make no hull: Qhull's facets do not cover all compositions")


def _qhull(x: Floats, formation: Floats, options: str) -> NDArray[np.int64]:
    """Return the facets that look down, as positions of their corners."""
    import numpy as np
    from scipy.spatial import ConvexHull

    found = ConvexHull(np.column_stack([x[:, 1:], formation]), qhull_options=options)
    down = found.equations[:, -2] < 0
    corners: NDArray[np.int64] = found.simplices[down].astype(np.int64)
    return corners


def highest_plane(x: Floats, potentials_ev: Floats) -> Floats:
    """Return max over facets of x . mu for each row.

    Column by column: a matrix product sums in an order that depends on the number of rows.
    """
    import numpy as np

    columns = np.ascontiguousarray(x.T)
    best = np.full(len(x), -np.inf)
    plane, term = np.empty(len(x)), np.empty(len(x))
    for mu in potentials_ev:
        np.multiply(columns[0], mu[0], out=plane)
        for column, value in zip(columns[1:], mu[1:], strict=True):
            np.multiply(column, value, out=term)
            plane += term
        np.maximum(best, plane, out=best)
    return best
