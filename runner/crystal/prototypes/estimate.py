"""The lattice of a structure type with other elements, estimated from radii."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from runner.crystal.oxidation import Assignment, oxidation
from runner.crystal.prototypes.prototype import Bonding, Prototype
from runner.crystal.radii import (
    covalent_radius_ang,
    metallic_radius_ang,
    nearest_ionic_radius_ang,
)

Radii: TypeAlias = Mapping[str, float]
"""In angstrom, by label."""


def estimated_lattice_ang(prototype: Prototype, elements: Mapping[str, str]) -> float | None:
    """Return the length a of the conventional cell with these elements, or None without radii.

    A starting value for relaxation, within about 10 % for common compounds, not a prediction.
    Where the type has `contacts`, it is the length at which the widest of them just touches; else
    the measured cell is scaled by the radii of all neighbours, as they are and as they were.

    Ionic types take Shannon's radii for the neutral oxidation states, in the nearest coordination
    known; where an ion has no radius, or no states make the composition neutral, all labels take
    covalent radii. Metals without a metallic radius take covalent ones too.
    """
    if not prototype.contacts:
        return _scaled(prototype, elements)
    radii = _bonded(prototype, elements) or _covalent(elements)
    if radii is None:
        return None
    return max(factor * (radii[one] + radii[other]) for one, other, factor in prototype.contacts)


def _scaled(prototype: Prototype, elements: Mapping[str, str]) -> float | None:
    measured_ang = prototype.lengths_ang[0]
    before, now = _bonded(prototype, prototype.compound), _bonded(prototype, elements)
    if before is None or now is None:
        before, now = _covalent(prototype.compound), _covalent(elements)
    if before is None or now is None:
        return None
    return measured_ang * _neighbours_ang(prototype, now) / _neighbours_ang(prototype, before)


def _neighbours_ang(prototype: Prototype, radii: Radii) -> float:
    """Return the sum of the distances between all neighbours in the cell (each counted twice)."""
    return sum(
        count * prototype.coordination[label] * radii[label]
        for label, count in prototype.multiplicity.items()
    )


def _bonded(prototype: Prototype, elements: Mapping[str, str]) -> Radii | None:
    """Return the radii of the type's own kind of bonding; None where one of them is unknown."""
    return _RADII[prototype.bonding](prototype, elements)


def _ionic(prototype: Prototype, elements: Mapping[str, str]) -> Radii | None:
    states = _states(prototype, elements)

    def radius(label: str, symbol: str) -> float | None:
        state = states.state(symbol)
        if state is None:
            return None
        return nearest_ionic_radius_ang(symbol, state, prototype.coordination[label])

    return _complete(elements, radius)


def _covalent(elements: Mapping[str, str]) -> Radii | None:
    return _complete(elements, lambda _, symbol: covalent_radius_ang(symbol))


_RADII: Mapping[Bonding, Callable[[Prototype, Mapping[str, str]], Radii | None]] = {
    "ionic": _ionic,
    "metallic": lambda _, elements: _complete(elements, lambda _, one: metallic_radius_ang(one)),
    "covalent": lambda _, elements: _covalent(elements),
}


def _complete(
    elements: Mapping[str, str], radius: Callable[[str, str], float | None]
) -> Radii | None:
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
