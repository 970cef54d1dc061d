"""Which of many structures are the same crystal: formula, then fingerprint, then a full comparison.

The full comparison is pymatgen's StructureMatcher (Ong et al., Comput. Mater. Sci. 68, 314 (2013),
doi:10.1016/j.commatsci.2012.10.028); only structures of one formula with nearly the same
fingerprint ever come to it, so time grows with the number of structures and not with that of pairs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from runner.crystal.fingerprint import Fingerprint, fingerprint, group_of
from schemas.structure import Structure

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pymatgen.analysis.structure_matcher import StructureMatcher
    from pymatgen.core import Structure as PymatgenStructure

Name = TypeVar("Name")
TOLERANCE_ANG = 0.1
"""Usual difference of mean distances up to which structures are compared."""
LENGTH_TOLERANCE = 0.2
SITE_TOLERANCE = 0.3
ANGLE_TOLERANCE_DEG = 5.0
"""StructureMatcher's usual tolerances: part of a length, of the length per atom, degrees."""


@dataclass
class _Group(Generic[Name]):
    """Structures of one formula, in the order in which they came.

    Fingerprints are made when the first comparison asks for them; there is room for more of them
    than there are, so that adding one does not copy all.
    """

    names: list[Name] = field(default_factory=list)
    structures: list[Structure] = field(default_factory=list)
    distances_ang: NDArray[np.float64] | None = None
    known: int = 0


class Equivalence(Generic[Name]):
    """Remembers structures by a name and finds the first one that is equivalent to another.

    Volumes are not scaled: a strained cell is another one as soon as its distances differ by more
    than the tolerance. Structures with different moments, or charge per formula unit, are never
    equivalent. What is found depends on the order in which structures were added, which is the
    caller's to fix (rows in ascending order); being equivalent is not transitive. Memory: a few
    kilobytes per structure that is remembered.

    Parameters
    ----------
    tolerance_ang : float
        Largest difference of the mean distances of two fingerprints that come to comparison.
    site_tolerance : float
        Largest root mean square displacement, in units of the cube root of the volume per atom.
    """

    def __init__(
        self, *, tolerance_ang: float = TOLERANCE_ANG, site_tolerance: float = SITE_TOLERANCE
    ) -> None:
        self._tolerance_ang = tolerance_ang
        self._site_tolerance = site_tolerance
        self._groups: dict[str, _Group[Name]] = {}
        self._matcher: StructureMatcher | None = None

    def first(self, name: Name, structure: Structure) -> Name | None:
        """Return the name of the first equivalent structure, or None and remember this one.

        Raises ValueError like `find`.
        """
        found = self.find(structure)
        if found is None:
            self.add(name, structure)
        return found

    def add(self, name: Name, structure: Structure) -> None:
        """Remember a structure."""
        group = self._groups.setdefault(group_of(structure), _Group())
        group.names.append(name)
        group.structures.append(structure)

    def knows_formula(self, structure: Structure) -> bool:
        """Tell whether a structure with that formula (and charge, and moments) is remembered."""
        return group_of(structure) in self._groups

    def find(self, structure: Structure) -> Name | None:
        """Return the name of the first remembered structure that is equivalent, or None.

        Raises
        ------
        ValueError
            When the cell spans no volume or has numbers that are not finite.
        """
        group = self._groups.get(group_of(structure))
        if group is None:
            return None
        own = fingerprint(structure)
        near = _near(group, own, self._tolerance_ang)
        if not near:
            return None
        reduced = _reduced(structure)
        for at in near:
            if self._fit(reduced, _reduced(group.structures[at])):
                return group.names[at]
        return None

    def _fit(self, one: PymatgenStructure, other: PymatgenStructure) -> bool:
        if self._matcher is None:
            from pymatgen.analysis.structure_matcher import SpeciesComparator, StructureMatcher

            self._matcher = StructureMatcher(
                ltol=LENGTH_TOLERANCE,
                stol=self._site_tolerance,
                angle_tol=ANGLE_TOLERANCE_DEG,
                scale=False,
                comparator=SpeciesComparator(),
            )
        return bool(self._matcher.fit(one, other, skip_structure_reduction=True))


def _near(group: _Group[Name], own: Fingerprint, tolerance_ang: float) -> list[int]:
    """Return the places of structures whose fingerprints are near, ascending."""
    import numpy as np

    count = len(group.structures)
    held = group.distances_ang
    if held is None or len(held) < count:
        grown = np.empty((max(2 * count, 4), *own.distances_ang.shape))
        if held is not None:
            grown[: group.known] = held[: group.known]
        held = group.distances_ang = grown
    for at in range(group.known, count):
        held[at] = fingerprint(group.structures[at]).distances_ang
    group.known = count
    near: list[int] = np.flatnonzero(own.apart_ang(held[:count]) <= tolerance_ang).tolist()
    return near


def _reduced(structure: Structure) -> PymatgenStructure:
    """Return the primitive Niggli cell, moments as part of the species."""
    from pymatgen.core import Species
    from pymatgen.core import Structure as PymatgenStructure

    moments = structure.moments_bohr or (0.0,) * structure.n_atoms
    made = PymatgenStructure(
        structure.lattice_ang,
        [
            Species(symbol, None, spin=round(moment, 1)) if moment else symbol
            for symbol, moment in zip(structure.species, moments, strict=True)
        ],
        list(structure.frac_coords),
    )
    return made.get_reduced_structure().get_primitive_structure()
