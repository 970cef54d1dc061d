"""Hulls of many chemical systems evaluated together: batches of a screen hold few rows of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from runner.hull.facets import Hull, highest_plane

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]

MOST_FACETS = 48
"""Hulls with more are evaluated one by one: their facets outweigh what a call costs."""
CELLS_AT_ONCE = 2**18
"""Rows times facets that are held at a time: 2 MB."""


class HullStack:
    """Hulls of systems with the same number of elements.

    A row gets the same energy to the last bit as from its own `Hull`: the same products are added
    in the same order.
    """

    def __init__(self, n_elements: int) -> None:
        import numpy as np

        self._hulls: list[Hull] = []
        # Facets of hull i are rows i; a hull with fewer than there is room for repeats its first.
        self._potentials = np.empty((16, 4, n_elements))

    def add(self, hull: Hull) -> int:
        """Take in a hull and return its place."""
        place = len(self._hulls)
        self._hulls.append(hull)
        facets = hull.chemical_potentials_ev
        if len(facets) <= MOST_FACETS:
            self._make_room(place, len(facets))
            self._potentials[place] = facets[0]
            self._potentials[place, : len(facets)] = facets
        else:
            self._make_room(place, 1)
        return place

    def energy(self, places: Ints, x: Floats) -> Floats:
        """Return the energy in eV/atom of the hull at each place.

        Parameters
        ----------
        places
            Which hull, shape (rows,).
        x
            Atomic fractions in the order of that hull's elements, shape (rows, elements).
        """
        import numpy as np

        result = np.empty(len(x))
        large = [p for p in np.unique(places) if self._is_large(p)]
        for place in large:
            rows = np.flatnonzero(places == place)
            result[rows] = highest_plane(x[rows], self._hulls[place].chemical_potentials_ev)
        rest = np.flatnonzero(~np.isin(places, large))
        step = max(1, CELLS_AT_ONCE // self._potentials.shape[1])
        for start in range(0, len(rest), step):
            rows = rest[start : start + step]
            result[rows] = self._together(places[rows], x[rows])
        return result

    def _together(self, places: Ints, x: Floats) -> Floats:
        potentials = self._potentials[places]
        planes = potentials[:, :, 0] * x[:, 0, None]
        for column in range(1, x.shape[1]):
            planes += potentials[:, :, column] * x[:, column, None]
        highest: Floats = planes.max(axis=1)
        return highest

    def _is_large(self, place: int) -> bool:
        return len(self._hulls[place].chemical_potentials_ev) > MOST_FACETS

    def _make_room(self, place: int, facets: int) -> None:
        import numpy as np

        hulls, width, n_elements = self._potentials.shape
        if place < hulls and facets <= width:
            return
        wider = width if facets <= width else max(facets, min(2 * width, MOST_FACETS))
        old = self._potentials[:place]
        self._potentials = np.empty((max(hulls, 2 * place), wider, n_elements))
        self._potentials[:place, :width] = old
        self._potentials[:place, width:] = old[:, :1]
