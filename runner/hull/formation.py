"""Energies of formation from the elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from runner.hull.reference_set import ReferenceSet, System
from runner.hull.scoring import Grouped

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]


class Formation:
    """See `scoring.Comparison`: the lowest reference of each element is its zero."""

    def __init__(self, references: ReferenceSet) -> None:
        self._references = references
        self._known: dict[str, float | None] = {}

    def prepare(self, systems: Sequence[System]) -> None:
        """Make the energies of the elements of these systems at hand, and no others."""
        elements = sorted({element for system in systems for element in system} - {*self._known})
        self._references.prepare([(element,) for element in elements])

    def is_clear(self, system: System) -> bool:
        """Tell whether all elements have a reference."""
        return None not in map(self._lowest, system)

    def remarks(self, system: System) -> list[str]:
        """Return which references of the elements have no energy."""
        return [text for element in system for text in self._references.remarks((element,))]

    def refusals(self, system: System, atoms: Ints) -> list[str | None]:
        """Return for each row which of its elements have no reference, or None."""
        missing = [element for element in system if self._lowest(element) is None]
        refusal = (
            f"the reference set ({self._references.method}) has no energy of {', '.join(missing)} "
            "alone"
        )
        return [refusal if missing else None] * len(atoms)

    def values(self, group: Grouped, energies_ev_per_atom: Floats) -> Floats:
        """Return energies of formation in eV/atom; all elements have a reference."""
        import numpy as np

        # NaN stands for what has none: of systems that have no row here.
        zeros = np.array([[self._lowest(e) for e in system] for system in group.systems], float)
        total = np.zeros(len(group.rows))
        for column, zero in zip(group.atoms.T, zeros[group.which].T, strict=True):
            total += column * zero
        result: Floats = energies_ev_per_atom - total / group.atoms.sum(axis=1)
        return result

    def _lowest(self, element: str) -> float | None:
        if element not in self._known:
            energies = [one.energy_ev_per_atom for one in self._references.within((element,))]
            self._known[element] = min(energies, default=None)
        return self._known[element]
