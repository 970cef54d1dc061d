"""Orbits of Wyckoff positions in primitive cells, from generators of the space groups.

Generators are written as general positions, like those of International Tables for Crystallography,
volume A, doi:10.1107/97809553602060000114; those of the lattice's centring are left out.
Rhombohedral groups have hexagonal axes (obverse); where a group has two origins, `:1` or `:2` says
which.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Literal, TypeAlias

from schemas.structure import Vector

System: TypeAlias = Literal["cubic", "tetragonal", "orthorhombic", "hexagonal"]
Centring: TypeAlias = Literal["P", "C", "I", "F", "R"]
Cell: TypeAlias = tuple[Vector, Vector, Vector]
Operation: TypeAlias = tuple[tuple[tuple[int, int, int], float], ...]
"""For each coordinate: the factors of x, y and z, and the translation."""

SAME = 1e-5
"""Fractional coordinates that differ by less are the same."""
DIGITS = 10
"""Of coordinates; the rounding noise of sums of fractions lies far below."""


@dataclass(frozen=True, slots=True)
class SpaceGroup:
    """A space group in one setting."""

    system: System
    centring: Centring
    generators: tuple[str, ...]


SPACE_GROUPS: Mapping[str, SpaceGroup] = {
    "62": SpaceGroup("orthorhombic", "P", ("-x,-y,-z", "-x+1/2,-y,z+1/2", "x+1/2,-y+1/2,-z+1/2")),
    "82": SpaceGroup("tetragonal", "I", ("y,-x,-z",)),
    "88:2": SpaceGroup("tetragonal", "I", ("-y+3/4,x+1/4,z+1/4", "-x,-y,-z")),
    "99": SpaceGroup("tetragonal", "P", ("-y,x,z", "-x,y,z")),
    "121": SpaceGroup("tetragonal", "I", ("y,-x,-z", "x,-y,-z")),
    "122": SpaceGroup("tetragonal", "I", ("y,-x,-z", "x,-y+1/2,-z+1/4")),
    "123": SpaceGroup("tetragonal", "P", ("-y,x,z", "-x,-y,-z", "x,-y,-z")),
    "129:2": SpaceGroup("tetragonal", "P", ("-y+1/2,x,z", "-x,-y,-z", "x+1/2,-y,-z")),
    "136": SpaceGroup("tetragonal", "P", ("-y+1/2,x+1/2,z+1/2", "-x,-y,-z", "x+1/2,-y+1/2,-z+1/2")),
    "139": SpaceGroup("tetragonal", "I", ("-y,x,z", "-x,-y,-z", "x,-y,-z")),
    "140": SpaceGroup("tetragonal", "I", ("-y,x,z", "-x,-y,-z", "x,-y,-z+1/2")),
    "141:2": SpaceGroup("tetragonal", "I", ("-y+1/4,x+3/4,z+1/4", "-x,-y,-z", "x,-y,-z")),
    "148": SpaceGroup("hexagonal", "R", ("y,-x+y,-z",)),
    "161": SpaceGroup("hexagonal", "R", ("-y,x-y,z", "-y,-x,z+1/2")),
    "164": SpaceGroup("hexagonal", "P", ("y,-x+y,-z", "y,x,-z")),
    "166": SpaceGroup("hexagonal", "R", ("y,-x+y,-z", "y,x,-z")),
    "167": SpaceGroup("hexagonal", "R", ("y,-x+y,-z", "y,x,-z+1/2")),
    "186": SpaceGroup("hexagonal", "P", ("x-y,x,z+1/2", "y,x,z+1/2")),
    "191": SpaceGroup("hexagonal", "P", ("x-y,x,z", "-x,-y,-z", "-y,-x,-z")),
    "194": SpaceGroup("hexagonal", "P", ("x-y,x,z+1/2", "-x,-y,-z", "-y,-x,-z+1/2")),
    "204": SpaceGroup("cubic", "I", ("-z,-x,-y", "-x,-y,z")),
    "205": SpaceGroup("cubic", "P", ("-z,-x,-y", "-x+1/2,-y,z+1/2")),
    "216": SpaceGroup("cubic", "F", ("y,-x,-z", "z,x,y")),
    "221": SpaceGroup("cubic", "P", ("-z,-x,-y", "-y,x,z")),
    "223": SpaceGroup("cubic", "P", ("-z,-x,-y", "-y+1/2,x+1/2,z+1/2")),
    "224:2": SpaceGroup("cubic", "P", ("-z,-x,-y", "-y,x+1/2,z+1/2")),
    "225": SpaceGroup("cubic", "F", ("-z,-x,-y", "-y,x,z")),
    "227:1": SpaceGroup("cubic", "F", ("-z+1/4,-x+1/4,-y+1/4", "-y+1/4,x+1/4,z+1/4")),
    "227:2": SpaceGroup("cubic", "F", ("-z,-x,-y", "-y,x+1/4,z+1/4")),
    "229": SpaceGroup("cubic", "I", ("-z,-x,-y", "-y,x,z")),
    "230": SpaceGroup("cubic", "I", ("-z,-x,-y", "-y+1/4,x+3/4,z+1/4")),
}  # fmt: skip
"""By their number in International Tables."""

PRIMITIVE: Mapping[Centring, Cell] = {
    "P": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "C": ((0.5, -0.5, 0.0), (0.5, 0.5, 0.0), (0.0, 0.0, 1.0)),
    "I": ((-0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0.5, 0.5, -0.5)),
    "F": ((0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0)),
    "R": ((2 / 3, 1 / 3, 1 / 3), (-1 / 3, 1 / 3, 1 / 3), (-1 / 3, -2 / 3, 1 / 3)),
}
"""The vectors of the primitive cell in units of the conventional axes."""
CENTRES: Mapping[Centring, int] = {"P": 1, "C": 2, "I": 2, "F": 4, "R": 3}
"""Primitive cells in a conventional one."""
_TO_PRIMITIVE: Mapping[Centring, tuple[tuple[int, int, int], ...]] = {
    "P": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "C": ((1, -1, 0), (1, 1, 0), (0, 0, 1)),
    "I": ((0, 1, 1), (1, 0, 1), (1, 1, 0)),
    "F": ((-1, 1, 1), (1, -1, 1), (1, 1, -1)),
    "R": ((1, 0, 1), (-1, 1, 1), (0, -1, 1)),
}
"""The rows that turn conventional coordinates into primitive ones."""


def orbit(space_group: str, position: Vector) -> list[Vector]:
    """Return the sites that a position makes, in fractional coordinates of the primitive cell.

    Parameters
    ----------
    space_group
        A key of `SPACE_GROUPS`.
    position
        Fractional coordinates in the conventional cell; those of special positions exact.
    """
    group = SPACE_GROUPS[space_group]
    rows = _TO_PRIMITIVE[group.centring]
    waiting = [position]
    found: list[Vector] = []
    while waiting:
        conventional = waiting.pop(0)
        primitive = _wrapped(_times(rows, conventional))
        if any(_same(primitive, other) for other in found):
            continue
        found.append(primitive)
        waiting += [_moved(operation, conventional) for operation in _operations(space_group)]
    return found


@cache
def _operations(space_group: str) -> tuple[Operation, ...]:
    return tuple(
        tuple(_parsed(coordinate) for coordinate in generator.split(","))
        for generator in SPACE_GROUPS[space_group].generators
    )


def _parsed(coordinate: str) -> tuple[tuple[int, int, int], float]:
    """Return the factors and the translation of a text like `-x+y+1/4`."""
    factors = {"x": 0, "y": 0, "z": 0}
    translation = 0.0
    for term in _terms(coordinate):
        if term[-1] in factors:
            factors[term[-1]] = -1 if term[0] == "-" else 1
        else:
            translation = float(Fraction(term))
    return (factors["x"], factors["y"], factors["z"]), translation


def _terms(coordinate: str) -> Iterator[str]:
    yield from coordinate.replace("-", "+-").strip("+").split("+")


def _moved(operation: Operation, position: Vector) -> Vector:
    x, y, z = (
        (sum(n * value for n, value in zip(factors, position, strict=True)) + translation) % 1.0
        for factors, translation in operation
    )
    return x, y, z


def _times(rows: tuple[tuple[int, int, int], ...], position: Vector) -> Vector:
    x, y, z = (sum(n * value for n, value in zip(row, position, strict=True)) for row in rows)
    return x, y, z


def _wrapped(position: Vector) -> Vector:
    x, y, z = (round(value % 1.0, DIGITS) % 1.0 for value in position)
    return x, y, z


def _same(one: Vector, other: Vector) -> bool:
    return all(abs((a - b + 0.5) % 1.0 - 0.5) < SAME for a, b in zip(one, other, strict=True))
