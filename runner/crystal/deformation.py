"""Strained and rattled cells."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, TypeAlias

from schemas.structure import Structure, Vector

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Voigt: TypeAlias = tuple[float, float, float, float, float, float]
"""Strain as xx, yy, zz, yz, xz, xy; shears as engineering strains, twice the tensor's."""
UNSTRAINED: Voigt = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
AXES = {"x": 0, "y": 1, "z": 2}
PLANES = {"yz": 3, "xz": 4, "xy": 5}


def volumetric(change: float) -> Voigt:
    """Return the strain that changes the volume by a fraction and no angle."""
    length = (1.0 + change) ** (1 / 3) - 1.0
    return length, length, length, 0.0, 0.0, 0.0


def component(index: int, value: float) -> Voigt:
    """Return a strain with one component."""
    x, y, z, yz, xz, xy = (value if n == index else 0.0 for n in range(6))
    return x, y, z, yz, xz, xy


def deformed(structure: Structure, strain: Voigt) -> Structure:
    """Return the cell under a symmetric strain (no rotation); atoms move with the cell.

    Raises
    ------
    ValueError
        When the cell would lose its volume.
    """
    import numpy as np

    lattice = np.array(structure.lattice_ang) @ (np.eye(3) + _tensor(strain))
    a, b, c = (_vector(row) for row in lattice)
    return structure.model_validate({**dict(structure), "lattice_ang": (a, b, c)})


def rattled(structure: Structure, amplitude_ang: float, random: Random) -> Structure:
    """Return the cell with every atom moved at random; the atoms' mean place stays.

    Each Cartesian component of a move is normally distributed with the standard deviation
    `amplitude_ang` (a little less where there are few atoms: their mean move is taken off).
    """
    import numpy as np

    moves = np.array(
        [[random.gauss(0.0, amplitude_ang) for _ in range(3)] for _ in structure.species]
    )
    if structure.n_atoms > 1:
        moves -= moves.mean(axis=0)
    frac = np.array(structure.frac_coords) + moves @ np.linalg.inv(np.array(structure.lattice_ang))
    return structure.model_copy(update={"frac_coords": tuple(_vector(row) for row in frac % 1.0)})


def _tensor(strain: Voigt) -> NDArray[np.float64]:
    import numpy as np

    x, y, z, yz, xz, xy = strain
    return np.array([[x, xy / 2, xz / 2], [xy / 2, y, yz / 2], [xz / 2, yz / 2, z]])


def _vector(values: NDArray[np.float64]) -> Vector:
    x, y, z = (float(value) for value in values)
    return x, y, z
