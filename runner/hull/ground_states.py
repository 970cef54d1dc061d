"""Reference structures of the elements, as data in `ground_states.yaml`.

Gases and halogens are there as their molecular crystals (alpha-O2, alpha-N2), not as molecules in
a box: models that learned from crystals know nothing of empty space.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache
from math import cos, radians, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from schemas.errors import UserError
from schemas.structure import Structure, Vector

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]

SYMPREC_ANG = 1e-3
SAME_POSITION = 1e-4
"""In fractions of the cell: the table's numbers have four digits."""
HALL_NUMBERS = 530
SETTINGS = ("", "2", "H", "b", "b1")
"""How spglib calls the settings that the table uses."""
CUBIC_FROM = 195
"""Space groups from this number on are cubic; the next, hexagonal or trigonal; and so on down."""
HEXAGONAL_FROM = 143
TETRAGONAL_FROM = 75
ORTHORHOMBIC_FROM = 16
RIGHT_DEG, HEXAGONAL_DEG = 90.0, 120.0


def known_elements() -> tuple[str, ...]:
    """Return the symbols of the elements that have a reference structure, by atomic number."""
    return tuple(_table()["elements"])


@cache
def ground_state(symbol: str) -> Structure:
    """Return the primitive cell of an element's reference structure.

    Raises
    ------
    UserError
        For an element that the table does not have.
    """
    import numpy as np
    import spglib

    entry = _table()["elements"].get(symbol)
    if entry is None:
        raise UserError(f"no reference structure of {symbol} is known; give a file of one")
    shape = _table()["types"][entry["type"]] if "type" in entry else entry
    lattice = _lattice(shape["group"], entry["cell"])
    with warnings.catch_warnings():
        # spglib announces another way of telling errors, which this does not depend on.
        warnings.simplefilter("ignore", DeprecationWarning)
        positions = _orbits(shape["group"], np.array(shape["sites"], float))
        cell = (lattice.tolist(), positions.tolist(), [1] * len(positions))
        found = spglib.find_primitive(cell, symprec=SYMPREC_ANG)
    if found is None:
        raise ValueError(f"{symbol}: the table's cell has no symmetry")
    vectors, coordinates, _ = found
    a, b, c = (_vector(row) for row in vectors)
    return Structure(
        lattice_ang=(a, b, c),
        species=(symbol,) * len(coordinates),
        frac_coords=tuple(_vector(position) for position in coordinates),
    )


def _orbits(group: int, sites: Floats) -> Floats:
    """Return all positions in the cell that the group makes of one position each."""
    import numpy as np
    import spglib

    symmetry: Any = spglib.get_symmetry_from_database(_hall_number(group))
    everywhere = np.einsum("oij,sj->soi", symmetry["rotations"], sites) + symmetry["translations"]
    kept: list[Floats] = []
    for position in everywhere.reshape(-1, 3) % 1.0:
        apart = [np.abs((position - other + 0.5) % 1.0 - 0.5).max() for other in kept]
        if min(apart, default=1.0) > SAME_POSITION:
            kept.append(position)
    return np.array(kept)


@cache
def _hall_number(group: int) -> int:
    """Return spglib's number of the setting: origin at the inversion centre, hexagonal axes."""
    import spglib

    for number in range(1, HALL_NUMBERS + 1):
        kind = spglib.get_spacegroup_type(number)
        if kind is not None and kind.number == group and kind.choice in SETTINGS:
            return number
    raise ValueError(f"no space group {group}")


def _lattice(group: int, cell: Sequence[float]) -> Floats:
    """Return the cell vectors as rows, in angstrom, from what the table gives of a cell."""
    import numpy as np

    beta = gamma = RIGHT_DEG
    if group >= CUBIC_FROM:
        a = b = c = cell[0]
    elif group >= TETRAGONAL_FROM:
        a, c = cell
        b, gamma = a, HEXAGONAL_DEG if group >= HEXAGONAL_FROM else RIGHT_DEG
    elif group >= ORTHORHOMBIC_FROM:
        a, b, c = cell
    else:
        a, b, c, beta = cell
    along_a, along_b = (cos(radians(angle)) for angle in (beta, gamma))
    return np.array(
        [
            [a, 0, 0],
            [b * along_b, b * sqrt(1 - along_b**2), 0],
            [c * along_a, 0, c * sqrt(1 - along_a**2)],
        ]
    )


def _vector(values: Any) -> Vector:
    x, y, z = (float(value) for value in values)
    return x, y, z


@cache
def _table() -> dict[str, dict[str, Any]]:
    from ruamel.yaml import YAML

    table: dict[str, dict[str, Any]] = YAML(typ="safe").load(
        Path(__file__).with_name("ground_states.yaml")
    )
    return table
