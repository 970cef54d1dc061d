"""Volumes of many cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from runner.crystal.cells import CellArrays

G_PER_CM3 = 1.0 / 0.602214076
"""Of 1 g/mol in 1 cubic angstrom: 1e24 over Avogadro's number, exact in the SI of 2019."""
SMALLEST_VOLUME_ANG3 = 1e-3


def volumes_ang3(cells: CellArrays) -> NDArray[np.float64]:
    """Return the volumes, NaN where cell vectors span none or are not finite."""
    import numpy as np

    with np.errstate(invalid="ignore", over="ignore"):
        a, b, c = np.moveaxis(cells.lattices_ang, 1, 0)
        volumes = np.abs(np.einsum("ni,ni->n", a, np.cross(b, c)))
        sound = (volumes > SMALLEST_VOLUME_ANG3) & np.isfinite(volumes)
    return np.where(sound, volumes, np.nan)
