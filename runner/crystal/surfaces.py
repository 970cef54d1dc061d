"""Slabs of a crystal, cut by pymatgen, and whether they carry a dipole."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from runner.crystal.oxidation import oxidation
from runner.crystal.symmetry import SYMPREC_ANG
from schemas.structure import Structure, Vector

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pymatgen.core import Structure as PymatgenStructure
    from pymatgen.core.surface import Slab

Miller: TypeAlias = tuple[int, int, int]
POLAR_E_PER_ANG = 1e-3
"""Dipole per area above which a slab counts as polar, in e per angstrom: pymatgen's tolerance."""


@dataclass(frozen=True)
class Cut:
    """One slab: c is normal to the surface, atoms in the middle, sites by element and height.

    `dipole_e_per_ang` is the dipole moment per area along c from formal charges; None where the
    elements' states are not known. `symmetric`: both surfaces are alike.
    """

    structure: Structure
    miller: Miller
    termination: int
    symmetric: bool
    dipole_e_per_ang: float | None
    thickness_ang: float
    area_ang2: float

    @property
    def polar(self) -> bool | None:
        """Whether there is a dipole, None where that is not known."""
        dipole = self.dipole_e_per_ang
        return None if dipole is None else abs(dipole) > POLAR_E_PER_ANG


@dataclass(frozen=True)
class Cutting:
    """How slabs are cut; lengths are the least ones, in angstrom.

    `elements` is the order in which sites are sorted; `charges` are the formal charges of the
    elements, None where they are not known.
    """

    thickness_ang: float
    vacuum_ang: float
    symmetrize: bool
    elements: tuple[str, ...]
    charges: Mapping[str, float] | None


def crystal(structure: Structure, *, conventional: bool) -> PymatgenStructure:
    """Return the cell that Miller indices refer to: the conventional standard one, or as given.

    Moments and charge are left out: a surface changes both.
    """
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

    plain = structure.model_copy(update={"moments_bohr": None, "charge": 0.0}).to_pymatgen()
    if not conventional:
        return plain
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # spglib's and pymatgen's own deprecations
        analyzer = SpacegroupAnalyzer(plain, symprec=SYMPREC_ANG)
        standard: PymatgenStructure = analyzer.get_conventional_standard_structure()
    return standard


def distinct_millers(bulk: PymatgenStructure, largest: int) -> list[Miller]:
    """Return one of each set of equivalent Miller indices up to a number, simplest first."""
    from pymatgen.core.surface import get_symmetrically_distinct_miller_indices

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as above
        found = get_symmetrically_distinct_miller_indices(bulk, largest)
    millers = [(int(h), int(k), int(l)) for h, k, l in found]  # noqa: E741  (their name)
    return sorted(millers, key=lambda one: (sum(map(abs, one)), [-x for x in one]))


def formal_charges(species: Sequence[str]) -> dict[str, float] | None:
    """Return the common state of each element that makes a crystal neutral; None for unknown.

    An element in two states counts with their mean.
    """
    amounts = Counter(species)
    finder = oxidation("common", ordered=False, mixed_valence=True)
    found = finder.assign(tuple(amounts), tuple(amounts.values()))
    if not found.neutral or found.states is None:
        return None
    return {symbol: _mean(state) for symbol, state in found.states.items()}


def cuts(bulk: PymatgenStructure, miller: Miller, how: Cutting) -> Iterator[Cut]:
    """Yield the slabs of one orientation, one of each termination."""
    from pymatgen.core.surface import SlabGenerator

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as above
        slabs = SlabGenerator(
            bulk,
            miller,
            min_slab_size=how.thickness_ang,
            min_vacuum_size=how.vacuum_ang,
            center_slab=True,
        ).get_slabs(symmetrize=how.symmetrize)
        upright = [
            (slab.get_orthogonal_c_slab(), slab.is_symmetric())
            for slab in sorted(slabs, key=lambda slab: round(slab.shift, 6))
        ]
    for termination, (slab, symmetric) in enumerate(upright):
        yield _cut(slab, miller, how, termination=termination, symmetric=bool(symmetric))


def _cut(slab: Slab, miller: Miller, how: Cutting, *, termination: int, symmetric: bool) -> Cut:
    import numpy as np

    symbols = [str(site.specie.symbol) for site in slab]
    frac = np.array(slab.frac_coords) % 1.0
    order = sorted(
        range(len(slab)), key=lambda n: (how.elements.index(symbols[n]), _place(frac[n]))
    )
    a, b, c = (_vector(row) for row in slab.lattice.matrix)
    heights = frac[:, 2] * slab.lattice.c
    area = float(np.linalg.norm(np.cross(a, b)))
    return Cut(
        structure=Structure(
            lattice_ang=(a, b, c),
            species=tuple(symbols[n] for n in order),
            frac_coords=tuple(_vector(frac[n]) for n in order),
        ),
        miller=miller,
        termination=termination,
        symmetric=symmetric,
        dipole_e_per_ang=_dipole_e_ang([how.charges[one] for one in symbols], heights) / area
        if how.charges is not None
        else None,
        thickness_ang=float(np.ptp(heights)),
        area_ang2=area,
    )


def _dipole_e_ang(charges: list[float], heights_ang: NDArray[np.float64]) -> float:
    """Return the dipole moment of charges about the middle of the slab, in e angstrom."""
    middle = (heights_ang.max() + heights_ang.min()) / 2.0
    pairs = zip(charges, heights_ang.tolist(), strict=True)
    return float(sum(charge * (height - middle) for charge, height in pairs))


def _mean(state: int | dict[str, int]) -> float:
    if isinstance(state, int):
        return float(state)
    return sum(int(one) * n for one, n in state.items()) / sum(state.values())


def _place(frac: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (round(float(value), 5) for value in frac)
    return z, x, y


def _vector(values: NDArray[np.float64]) -> Vector:
    x, y, z = (float(value) for value in values)
    return x, y, z
