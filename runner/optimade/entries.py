"""Cells from OPTIMADE entries; those that are no ordered crystal are left out, with the reason.

OPTIMADE 1.2.0, "Structures Entries", https://specification.optimade.org/v1.2.0/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from typing import Any, TypeAlias

from runner.crystal.elements import ATOMIC_NUMBERS
from runner.crystal.reading import ISOTOPES
from schemas.structure import SMALLEST_VOLUME_ANG3, Structure, Vector

READER_VERSION = 1
"""Raised when the same entries come to be judged otherwise."""
WHOLE_OCCUPATION = 1e-6
"""How far from 1 the concentration of a site's only element may be: rounding, no more."""

Lattice: TypeAlias = tuple[Vector, Vector, Vector]


class Reason(StrEnum):
    """Why an entry gives no candidate."""

    DISORDERED = "disordered (several elements on a site)"
    PARTLY_EMPTY = "with partly or wholly empty sites"
    UNKNOWN_SPECIES = "with sites of an unknown element"
    ATTACHED = "with atoms attached to sites"
    IMPLICIT = "with atoms that have no position"
    ASSEMBLIES = "with sites that exclude each other (assemblies)"
    NOT_PERIODIC = "not periodic in three directions"
    MALFORMED = "malformed"


class LeftOut(Exception):
    """An entry that gives no candidate."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell as the database gives it: vectors as rows and positions in angstrom."""

    lattice_ang: Lattice
    species: tuple[str, ...]
    positions_ang: tuple[Vector, ...]

    def structure(self) -> Structure:
        """Return the cell in fractional coordinates."""
        inverse = _inverse(self.lattice_ang)
        return Structure(
            lattice_ang=self.lattice_ang,
            species=self.species,
            frac_coords=tuple(_times(position, inverse) for position in self.positions_ang),
        )


def read_cell(attributes: Mapping[str, Any]) -> Cell:
    """Return the cell of an entry's attributes. Raises LeftOut."""
    _check_features(attributes.get("structure_features"))
    _check_dimensions(attributes.get("dimension_types"))
    symbols = _symbols(attributes.get("species"))
    names = _list(attributes.get("species_at_sites"), "species_at_sites")
    if not names:
        raise LeftOut(Reason.MALFORMED, "no sites")
    species = tuple(_element(name, symbols) for name in names)
    vectors = _vectors(attributes.get("lattice_vectors"), "lattice_vectors")
    if len(vectors) != 3:  # noqa: PLR2004  (a crystal)
        raise LeftOut(Reason.MALFORMED, f"{len(vectors)} lattice vectors")
    positions = _vectors(attributes.get("cartesian_site_positions"), "cartesian_site_positions")
    if len(positions) != len(species):
        raise LeftOut(Reason.MALFORMED, f"{len(positions)} positions for {len(species)} sites")
    a, b, c = vectors
    if abs(_dot(a, _cross(b, c))) < SMALLEST_VOLUME_ANG3:
        raise LeftOut(Reason.MALFORMED, "the lattice vectors span no volume")
    return Cell((a, b, c), species, positions)


def _check_features(features: object) -> None:
    given = features if isinstance(features, list) else []
    if "implicit_atoms" in given:
        raise LeftOut(Reason.IMPLICIT)
    if "assemblies" in given:
        raise LeftOut(Reason.ASSEMBLIES)


def _check_dimensions(types: object) -> None:
    if isinstance(types, list) and any(one != 1 for one in types):
        raise LeftOut(Reason.NOT_PERIODIC, f"dimension_types {types}")


def _symbols(species: object) -> dict[str, Any]:
    """Return the declared species by name; they are judged where a site has them."""
    found = {}
    for one in _list(species, "species"):
        if not isinstance(one, dict) or not isinstance(one.get("name"), str):
            raise LeftOut(Reason.MALFORMED, "a species without a name")
        found[one["name"]] = one
    return found


def _element(name: object, species: Mapping[str, Any]) -> str:
    one = species.get(name) if isinstance(name, str) else None
    if one is None:
        raise LeftOut(Reason.MALFORMED, f"a site of the species {name!r}, which is not declared")
    symbols = _list(one.get("chemical_symbols"), "chemical_symbols")
    if "vacancy" in symbols:
        raise LeftOut(Reason.PARTLY_EMPTY, str(name))
    if len(symbols) > 1:
        raise LeftOut(Reason.DISORDERED, str(name))
    if one.get("attached") or one.get("nattached"):
        raise LeftOut(Reason.ATTACHED, str(name))
    symbol = symbols[0] if symbols else None
    if symbol == "X":
        raise LeftOut(Reason.UNKNOWN_SPECIES, str(name))
    symbol = ISOTOPES.get(symbol, symbol) if isinstance(symbol, str) else symbol
    if symbol not in ATOMIC_NUMBERS:
        raise LeftOut(Reason.MALFORMED, f"{symbol!r} is no element")
    _check_occupation(one.get("concentration"), name)
    return str(symbol)


def _check_occupation(concentration: object, name: object) -> None:
    if concentration is None:
        return  # one element and nothing said: it is there
    given = _list(concentration, "concentration")
    if len(given) != 1 or not _is_number(given[0]):
        raise LeftOut(Reason.MALFORMED, f"concentration {concentration!r} of {name}")
    if abs(given[0] - 1.0) > WHOLE_OCCUPATION:
        raise LeftOut(Reason.PARTLY_EMPTY, f"{name}: {given[0]}")


def _list(value: object, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise LeftOut(Reason.MALFORMED, f"no list {name}")
    return value


def _vectors(value: object, name: str) -> tuple[Vector, ...]:
    vectors = []
    for row in _list(value, name):
        if not isinstance(row, list) or len(row) != 3 or not all(map(_is_number, row)):  # noqa: PLR2004  (x, y, z)
            raise LeftOut(Reason.MALFORMED, f"{name} holds {str(row)[:60]}")
        vectors.append((float(row[0]), float(row[1]), float(row[2])))
    return tuple(vectors)


def _is_number(value: object) -> bool:
    # Whole numbers of hundreds of digits are JSON too, and no float.
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and abs(value) < 1e12  # noqa: PLR2004  (no coordinate is as large)
        and isfinite(value)
    )


def _cross(b: Vector, c: Vector) -> Vector:
    return (b[1] * c[2] - b[2] * c[1], b[2] * c[0] - b[0] * c[2], b[0] * c[1] - b[1] * c[0])


def _dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _inverse(lattice: Lattice) -> Lattice:
    """Return the reciprocal vectors without 2 pi, as rows: f_i = position . row_i."""
    a, b, c = lattice
    volume = _dot(a, _cross(b, c))
    rows = (_cross(b, c), _cross(c, a), _cross(a, b))
    first, second, third = ((x / volume, y / volume, z / volume) for x, y, z in rows)
    return first, second, third


def _times(position: Vector, inverse: Lattice) -> Vector:
    return (_dot(position, inverse[0]), _dot(position, inverse[1]), _dot(position, inverse[2]))
