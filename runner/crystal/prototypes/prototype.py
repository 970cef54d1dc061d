"""What a structure type is: its sites, the measured cell, and what its atoms are to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import sqrt
from typing import Literal, TypeAlias

from runner.crystal.prototypes.symmetry import CENTRES, PRIMITIVE, SPACE_GROUPS, Cell, orbit
from schemas.structure import Structure, Vector

Bonding: TypeAlias = Literal["ionic", "covalent", "metallic"]
Axis: TypeAlias = Literal["a", "b", "c"]
Position: TypeAlias = tuple[str, str, Vector]
"""Label, Wyckoff symbol (`4f`: multiplicity in the conventional cell, letter), one of its sites."""
AXES: Mapping[str, tuple[Axis, ...]] = {
    "cubic": ("a",),
    "tetragonal": ("a", "c"),
    "hexagonal": ("a", "c"),
    "orthorhombic": ("a", "b", "c"),
}
_HALF_SQRT3 = sqrt(3.0) / 2.0


@dataclass(frozen=True)
class Prototype:
    """One structure type.

    `space_group` is a key of `SPACE_GROUPS`; `positions` are given in its conventional cell;
    `compound` is the one whose cell was measured, element by label; `lengths_ang` the lengths a, b
    and c of its conventional cell (hexagonal axes for rhombohedral groups); `coordination` the
    number of neighbours by label; `source` the name of the type, and who measured. `contacts`, for
    types without free coordinates: the pairs of labels that touch, each with the lattice parameter
    in units of their distance.
    """

    space_group: str
    positions: tuple[Position, ...]
    compound: Mapping[str, str]
    lengths_ang: Vector
    bonding: Bonding
    coordination: Mapping[str, int]
    source: str
    contacts: tuple[tuple[str, str, float], ...] = ()

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The site labels, each once, in the order of the cell."""
        return tuple(dict.fromkeys(label for label, _, _ in self.positions))

    @cached_property
    def multiplicity(self) -> Mapping[str, int]:
        """Atoms per primitive cell by label."""
        centres = CENTRES[SPACE_GROUPS[self.space_group].centring]
        counts = dict.fromkeys(self.labels, 0)
        for label, wyckoff, _ in self.positions:
            counts[label] += int(wyckoff[:-1]) // centres
        return counts

    @cached_property
    def axes(self) -> tuple[Axis, ...]:
        """The lengths that its crystal system leaves free."""
        return AXES[SPACE_GROUPS[self.space_group].system]

    @cached_property
    def sites(self) -> tuple[tuple[str, Vector], ...]:
        """The label of each atom and its fractional coordinates in the primitive cell."""
        return tuple(
            (label, site)
            for label, _, position in self.positions
            for site in orbit(self.space_group, position)
        )

    @cached_property
    def cell(self) -> Cell:
        """The vectors of the primitive cell in units of `a`, as the compound has them."""
        return self._vectors(*self._ratios)

    def structure(
        self, elements: Mapping[str, str], lattice_ang: float | Mapping[Axis, float]
    ) -> Structure:
        """Return the primitive cell with an element on each label.

        Parameters
        ----------
        elements
            The element by label.
        lattice_ang
            Lengths of the conventional cell, in angstrom: that of `a`, or by axis. Axes that are
            not given keep their ratio to `a`.
        """
        if isinstance(lattice_ang, Mapping):
            a_ang = lattice_ang["a"]
            b, c = self._ratios
            b = lattice_ang.get("b", a_ang * b) / a_ang
            c = lattice_ang.get("c", a_ang * c) / a_ang
            cell = self._vectors(b, c)
        else:
            a_ang, cell = lattice_ang, self.cell
        one, two, three = ((x * a_ang, y * a_ang, z * a_ang) for x, y, z in cell)
        # Not validated: the parts are ours, and this is done for every candidate.
        return Structure.model_construct(
            lattice_ang=(one, two, three),
            species=tuple([elements[label] for label in self._label_of_sites]),
            frac_coords=self._coordinates,
            moments_bohr=None,
            charge=0.0,
        )

    @cached_property
    def _label_of_sites(self) -> tuple[str, ...]:
        return tuple(label for label, _ in self.sites)

    @cached_property
    def _coordinates(self) -> tuple[Vector, ...]:
        return tuple(position for _, position in self.sites)

    @cached_property
    def _ratios(self) -> tuple[float, float]:
        a, b, c = self.lengths_ang
        return b / a, c / a

    def _vectors(self, b: float, c: float) -> Cell:
        """Return the primitive cell in units of `a` for the ratios b/a and c/a."""
        group = SPACE_GROUPS[self.space_group]
        if group.system == "hexagonal":
            axes = ((1.0, 0.0, 0.0), (-0.5, _HALF_SQRT3, 0.0), (0.0, 0.0, c))
        else:
            axes = ((1.0, 0.0, 0.0), (0.0, b, 0.0), (0.0, 0.0, c))
        one, two, three = (_sum_of(axes, factors) for factors in PRIMITIVE[group.centring])
        return one, two, three


def _sum_of(axes: Cell, factors: Vector) -> Vector:
    x, y, z = (
        sum(factor * axis[k] for factor, axis in zip(factors, axes, strict=True)) for k in range(3)
    )
    return x, y, z
