"""Elements on the sites of a structure type: which are asked for, their formula, their cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from math import gcd
from typing import Annotated, TypeAlias, cast

from pydantic import Field

from runner.crystal.elements import symbol_problem
from runner.crystal.prototypes.catalogue import PROTOTYPES
from runner.crystal.prototypes.estimate import estimated_lattice_ang
from runner.crystal.prototypes.prototype import Axis, Prototype
from schemas.errors import UserError, suggestion
from schemas.structure import Structure

Length = Annotated[float, Field(gt=0.5, lt=100.0)]
"""Of a conventional cell, in angstrom; the bounds catch other units."""
Lattice: TypeAlias = Length | dict[str, Length | dict[str, Length]]
"""The length a, lengths by axis (a, b, c), or either of them by formula."""
Lengths: TypeAlias = float | Mapping[str, float]

LATTICE_MEANING = (
    "Lengths of the conventional cell, in angstrom (hexagonal axes for rhombohedral types): one "
    "number for a, with the other axes in the ratio of the type; or by axis ({a: 4.59, c: 2.96}); "
    "or either of them by formula ({SrTiO3: 3.905}). Where it is not given it is estimated from "
    "radii (Shannon 1976 for ions, Cordero 2008 for covalent bonds): a start for relaxation."
)


def check_prototype(name: str) -> str:
    """Return the name of a structure type. Raises ValueError where there is none of that name."""
    if name not in PROTOTYPES:
        raise ValueError(f"no prototype '{name}'{suggestion(name, tuple(PROTOTYPES))}")
    return name


def check_species(species: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Return elements by label. Raises ValueError for none, for no elements, for one twice."""
    for label, symbols in species.items():
        if not symbols:
            raise ValueError(f"site {label} has no elements; give at least one")
        if problem := symbol_problem(symbols):
            raise ValueError(f"site {label}: {problem}")
        twice = [symbol for symbol, count in Counter(symbols).items() if count > 1]
        if twice:
            raise ValueError(f"site {label} lists {', '.join(twice)} more than once")
    return species


def check_labels(name: str, species: Mapping[str, Sequence[str]]) -> None:
    """Raise ValueError unless species are given for exactly the sites of the type."""
    labels = PROTOTYPES[name].labels
    if set(species) != set(labels):
        raise ValueError(
            f"{name} has the sites {', '.join(labels)}; "
            f"species gives {', '.join(species) or 'none'}"
        )


def check_axes(name: str, lattice_ang: Lattice | None) -> None:
    """Raise ValueError for lengths of axes that the type's crystal system does not leave free."""
    if not isinstance(lattice_ang, dict):
        return
    for given in (lattice_ang, *lattice_ang.values()):
        if isinstance(given, dict) and (given is not lattice_ang or _is_by_axis(given)):
            _check_axes_of(name, given)


def formulas_given(lattice_ang: Lattice | None) -> tuple[str, ...]:
    """Return the formulas that lengths are given for."""
    by_formula = isinstance(lattice_ang, dict) and not _is_by_axis(lattice_ang)
    return tuple(lattice_ang) if isinstance(lattice_ang, dict) and by_formula else ()


def build(
    name: str, sites: Mapping[str, str], lattice_ang: Lattice | None, formula: str
) -> Structure:
    """Return the cell of a type with an element on each label.

    Raises
    ------
    UserError
        When no lattice is given for this formula and there are no radii to estimate it from.
    """
    prototype = PROTOTYPES[name]
    lengths = _lengths(lattice_ang, formula)
    if lengths is None:
        lengths = estimated_lattice_ang(prototype, sites)
    if lengths is None:
        raise UserError(
            f"{formula} in {name}: no radii to estimate its lattice from; "
            f"give lattice_ang: {{{formula}: ...}}"
        )
    return prototype.structure(sites, cast("float | Mapping[Axis, float]", lengths))


def formula_writer(counts: Mapping[str, int]) -> Callable[[Mapping[str, int]], str]:
    """Return a function that writes reduced formulas, elements in the order of the composition.

    `counts` holds the atoms by label; the composition those by element, which are fewer where an
    element is on several labels.
    """
    divisor = reduce(gcd, counts.values())
    template = "".join("%s" if n == divisor else f"%s{n // divisor}" for n in counts.values())
    labels = len(counts)

    def write(composition: Mapping[str, int]) -> str:
        if len(composition) == labels:
            return template % tuple(composition)
        common = reduce(gcd, composition.values())
        return "".join(
            symbol if n == common else f"{symbol}{n // common}" for symbol, n in composition.items()
        )

    return write


def _lengths(lattice_ang: Lattice | None, formula: str) -> Lengths | None:
    if not isinstance(lattice_ang, dict):
        return lattice_ang
    if _is_by_axis(lattice_ang):
        return cast("dict[str, float]", lattice_ang)
    return lattice_ang.get(formula)


def _is_by_axis(given: Mapping[str, object]) -> bool:
    """Tell axes from formulas, which begin with a capital."""
    return bool(given) and all(key[:1].islower() for key in given)


def _check_axes_of(name: str, given: Mapping[str, object]) -> None:
    prototype: Prototype = PROTOTYPES[name]
    free: tuple[str, ...] = prototype.axes
    unknown = [axis for axis in given if axis not in free]
    if unknown:
        raise ValueError(
            f"lattice_ang: found {', '.join(unknown)}, expected lengths of {name}: "
            f"{', '.join(free)}"
        )
    if "a" not in given:
        raise ValueError(f"lattice_ang: found {', '.join(given)}, expected a with them")
