"""Cubic prototypes as data: sites by label, primitive cells, and how their lattice is estimated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Literal, TypeAlias

from runner.crystal.oxidation import Assignment, oxidation
from runner.crystal.radii import (
    covalent_radius_ang,
    metallic_radius_ang,
    nearest_ionic_radius_ang,
)
from schemas.structure import Structure, Vector

Bonding: TypeAlias = Literal["ionic", "covalent", "metallic"]
Cell: TypeAlias = tuple[Vector, Vector, Vector]

SIMPLE: Cell = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
FACE_CENTRED: Cell = ((0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0))
BODY_CENTRED: Cell = ((-0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0.5, 0.5, -0.5))


@dataclass(frozen=True, slots=True)
class Prototype:
    """One cubic structure type.

    `cell` holds the primitive cell vectors in units of the cubic lattice parameter; `sites` the
    site label of each atom and its fractional coordinates in that cell; `coordination` the number
    of neighbours by label; `contacts` the pairs of labels that touch, each with the cubic lattice
    parameter in units of their distance.
    """

    cell: Cell
    sites: tuple[tuple[str, Vector], ...]
    bonding: Bonding
    coordination: Mapping[str, int]
    contacts: tuple[tuple[str, str, float], ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The site labels, each once, in the order of the cell."""
        return tuple(dict.fromkeys(label for label, _ in self.sites))

    @property
    def multiplicity(self) -> dict[str, int]:
        """Atoms per primitive cell by label."""
        labels = [label for label, _ in self.sites]
        return {label: labels.count(label) for label in self.labels}

    def structure(self, elements: Mapping[str, str], lattice_ang: float) -> Structure:
        """Return the primitive cell with an element on each label."""
        a, b, c = ((x * lattice_ang, y * lattice_ang, z * lattice_ang) for x, y, z in self.cell)
        return Structure(
            lattice_ang=(a, b, c),
            species=tuple(elements[label] for label, _ in self.sites),
            frac_coords=tuple(position for _, position in self.sites),
        )


ORIGIN: Vector = (0.0, 0.0, 0.0)
CENTRE: Vector = (0.5, 0.5, 0.5)
QUARTER: Vector = (0.25, 0.25, 0.25)

PROTOTYPES: Mapping[str, Prototype] = {
    "fcc": Prototype(
        cell=FACE_CENTRED,
        sites=(("A", ORIGIN),),
        bonding="metallic",
        coordination={"A": 12},
        contacts=(("A", "A", sqrt(2.0)),),
    ),
    "bcc": Prototype(
        cell=BODY_CENTRED,
        sites=(("A", ORIGIN),),
        bonding="metallic",
        coordination={"A": 8},
        contacts=(("A", "A", 2.0 / sqrt(3.0)),),
    ),
    "diamond": Prototype(
        cell=FACE_CENTRED,
        sites=(("A", ORIGIN), ("A", QUARTER)),
        bonding="covalent",
        coordination={"A": 4},
        contacts=(("A", "A", 4.0 / sqrt(3.0)),),
    ),
    "zincblende": Prototype(
        cell=FACE_CENTRED,
        sites=(("A", ORIGIN), ("X", QUARTER)),
        bonding="covalent",
        coordination={"A": 4, "X": 4},
        contacts=(("A", "X", 4.0 / sqrt(3.0)),),
    ),
    "rocksalt": Prototype(
        cell=FACE_CENTRED,
        sites=(("A", ORIGIN), ("X", CENTRE)),
        bonding="ionic",
        coordination={"A": 6, "X": 6},
        contacts=(("A", "X", 2.0),),
    ),
    "cesium-chloride": Prototype(
        cell=SIMPLE,
        sites=(("A", ORIGIN), ("X", CENTRE)),
        bonding="ionic",
        coordination={"A": 8, "X": 8},
        contacts=(("A", "X", 2.0 / sqrt(3.0)),),
    ),
    "fluorite": Prototype(
        cell=FACE_CENTRED,
        sites=(("A", ORIGIN), ("X", QUARTER), ("X", (0.75, 0.75, 0.75))),
        bonding="ionic",
        coordination={"A": 8, "X": 4},
        contacts=(("A", "X", 4.0 / sqrt(3.0)),),
    ),
    "perovskite-cubic": Prototype(
        cell=SIMPLE,
        sites=(
            ("A", ORIGIN),
            ("B", CENTRE),
            ("X", (0.5, 0.5, 0.0)),
            ("X", (0.5, 0.0, 0.5)),
            ("X", (0.0, 0.5, 0.5)),
        ),
        bonding="ionic",
        coordination={"A": 12, "B": 6, "X": 6},
        contacts=(("A", "X", sqrt(2.0)), ("B", "X", 2.0)),
    ),
}
"""By their name in campaign files. Cells are primitive: fcc-based ones hold a quarter of the cube,
bcc half of it."""


def estimated_lattice_ang(prototype: Prototype, elements: Mapping[str, str]) -> float | None:
    """Return the cubic lattice parameter at which the widest contact of radii just touches.

    A starting value for relaxation, within about 10 % for common compounds, not a prediction.
    Ionic prototypes take Shannon's radii for the neutral oxidation states, in the nearest
    coordination known; where an ion has no radius, or no states make the composition neutral,
    all labels take covalent radii. Metals without a metallic radius take covalent ones too. None
    where there is no radius at all.
    """
    radii = _radii(prototype, elements)
    if radii is None:
        return None
    return max(factor * (radii[one] + radii[other]) for one, other, factor in prototype.contacts)


def _radii(prototype: Prototype, elements: Mapping[str, str]) -> dict[str, float] | None:
    if prototype.bonding == "ionic":
        states = _states(prototype, elements)
        found = _complete(
            elements,
            lambda label, symbol: (
                None
                if (state := states.state(symbol)) is None
                else nearest_ionic_radius_ang(symbol, state, prototype.coordination[label])
            ),
        )
    elif prototype.bonding == "metallic":
        found = _complete(elements, lambda _, symbol: metallic_radius_ang(symbol))
    else:
        found = None
    return found or _complete(elements, lambda _, symbol: covalent_radius_ang(symbol))


def _complete(
    elements: Mapping[str, str], radius: Callable[[str, str], float | None]
) -> dict[str, float] | None:
    """Return the radius of every label, or None when one of them is unknown."""
    radii = {label: radius(label, symbol) for label, symbol in elements.items()}
    known = {label: value for label, value in radii.items() if value is not None}
    return known if len(known) == len(radii) else None


def _states(prototype: Prototype, elements: Mapping[str, str]) -> Assignment:
    atoms: dict[str, int] = {}
    for label, count in prototype.multiplicity.items():
        atoms[elements[label]] = atoms.get(elements[label], 0) + count
    rules = oxidation("common", ordered=False, mixed_valence=False)
    symbols = sorted(atoms)
    return rules.assign(symbols, [atoms[symbol] for symbol in symbols])
