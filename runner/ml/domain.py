"""What a model has learned from: outside of it, its numbers are guesses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runner.crystal.cells import CellArrays
from runner.crystal.elements import SYMBOLS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Domain:
    """The elements in the training data, and ranges of descriptors of its cells.

    `ranges` maps a name of `DESCRIPTORS` to the smallest and the largest value; what is not there
    is not asked.
    """

    elements: frozenset[str]
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def unseen(self, cells: CellArrays, index: int) -> list[str]:
        """Return the elements of one cell that were not in the training data."""
        _, numbers, _ = cells.one(index)
        symbols = {SYMBOLS[number - 1] for number in numbers.tolist()}
        return sorted(symbols - self.elements)


def outside_domain(domain: Domain, cells: CellArrays) -> NDArray[np.bool_]:
    """Tell for each cell whether it is unlike anything that the model was trained on.

    A cell is outside when it holds an element that was not in the training data, or when a
    descriptor is beyond its range there.
    """
    import numpy as np

    outside = np.array([bool(domain.unseen(cells, i)) for i in range(len(cells))], dtype=bool)
    for name, (smallest, largest) in domain.ranges.items():
        values = DESCRIPTORS[name](cells)
        outside |= ~((values >= smallest) & (values <= largest))
    return outside


def _volume_ang3_per_atom(cells: CellArrays) -> NDArray[np.float64]:
    import numpy as np

    return np.asarray(np.abs(np.linalg.det(cells.lattices_ang)) / np.diff(cells.starts))


def _n_atoms(cells: CellArrays) -> NDArray[np.float64]:
    import numpy as np

    return np.diff(cells.starts).astype(np.float64)


DESCRIPTORS: Mapping[str, Callable[[CellArrays], NDArray[np.float64]]] = {
    "volume_ang3_per_atom": _volume_ang3_per_atom,
    "n_atoms": _n_atoms,
}
"""Numbers of a cell by which training data are described."""
