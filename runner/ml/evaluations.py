"""Cells in full: relaxed where that is asked, with forces, pressure and moments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from runner.crystal.cells import CellArrays
from runner.ml.protocol import ENERGY, Evaluation, Potential, Prediction
from runner.ml.relaxation import relaxed
from schemas.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

GPA_PER_EV_PER_ANG3 = 160.2176634  # exact: 1.602176634e-19 J/eV (SI, 2019) * 1e30 / 1e9
MAX_FORCE = "max_force_ev_per_ang"
PRESSURE = "pressure_gpa"
MAX_MOMENT = "max_moment_bohr"
VOLUME_CHANGE = "volume_change"
RELAX_STEPS = "relax_steps"


def evaluations(potential: Potential, cells: CellArrays) -> Prediction:
    """Return energies, largest forces, pressures and largest moments of cells as they are."""
    rows: list[Mapping[str, float]] = []
    errors: list[str | None] = []
    for index in range(len(cells)):
        try:
            rows.append(_numbers(potential.evaluate(*cells.one(index))))
            errors.append(None)
        except UserError as error:
            rows.append({})
            errors.append(str(error))
    return _prediction(rows, errors, (ENERGY, MAX_FORCE, PRESSURE, MAX_MOMENT))


def relaxed_energies(
    potential: Potential, cells: CellArrays, *, fmax_ev_per_ang: float, steps: int
) -> Prediction:
    """Return the same of relaxed cells, with the change of volume and the number of steps."""
    import numpy as np

    rows: list[Mapping[str, float]] = []
    errors: list[str | None] = []
    for index in range(len(cells)):
        cell = cells.one(index)
        try:
            end = relaxed(potential, cell, fmax_ev_per_ang=fmax_ev_per_ang, steps=steps)
        except UserError as error:
            rows.append({})
            errors.append(str(error))
            continue
        growth = abs(np.linalg.det(end.lattice_ang) / np.linalg.det(cell[0])) - 1
        rows.append(
            {**_numbers(end.evaluation), VOLUME_CHANGE: float(growth), RELAX_STEPS: end.steps}
        )
        errors.append(None)
    names = (ENERGY, MAX_FORCE, PRESSURE, MAX_MOMENT, VOLUME_CHANGE, RELAX_STEPS)
    return _prediction(rows, errors, names)


def _numbers(found: Evaluation) -> dict[str, float]:
    import numpy as np

    forces = np.sqrt((found.forces_ev_per_ang**2).sum(axis=1))
    moments = found.moments_bohr
    return {
        ENERGY: found.energy_ev / len(forces),
        MAX_FORCE: float(forces.max()),
        PRESSURE: -float(np.trace(found.stress_ev_per_ang3)) / 3 * GPA_PER_EV_PER_ANG3,
        MAX_MOMENT: float("nan") if moments is None else float(np.abs(moments).max()),
    }


def _prediction(
    rows: list[Mapping[str, float]], errors: list[str | None], names: tuple[str, ...]
) -> Prediction:
    import numpy as np

    def column(name: str) -> NDArray[np.float64]:
        return np.array([row.get(name, np.nan) for row in rows], dtype=np.float64)

    return Prediction({name: column(name) for name in names}, errors)
