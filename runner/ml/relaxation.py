"""Relaxes a cell, positions and lattice together, by FIRE.

Bitzek et al., Phys. Rev. Lett. 97, 170201 (2006), doi:10.1103/PhysRevLett.97.170201, on the
positions of the undeformed cell and the deformation times the number of atoms (Tadmor et al., Phys.
Rev. B 59, 235 (1999), doi:10.1103/PhysRevB.59.235). Cells are relaxed one by one, so that the
result of one does not depend on its companions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.ml.protocol import Evaluation, Potential
from schemas.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FIRST_STEP = 0.1
LONGEST_STEP = 1.0
LONGEST_MOVE_ANG = 0.2
UPHILL_FREE_STEPS = 5
FASTER = 1.1
SLOWER = 0.5
MIXING = 0.1
LESS_MIXING = 0.99
# The numbers of the paper but for the move, which is bounded because masses are one.
LARGEST_DEFORMATION = 0.5
"""A lattice vector that changes by more than this part means a potential out of its depth."""


class NotRelaxed(UserError):
    """A cell whose relaxation did not end, or ended nowhere; the text says why."""


@dataclass(frozen=True)
class Relaxed:
    """Where a relaxation ended, and after how many steps."""

    lattice_ang: NDArray[np.float64]
    frac_coords: NDArray[np.float64]
    evaluation: Evaluation
    steps: int


def relaxed(
    potential: Potential,
    cell: tuple[NDArray[np.float64], NDArray[np.uint8], NDArray[np.float64]],
    *,
    fmax_ev_per_ang: float,
    steps: int,
) -> Relaxed:
    """Return the cell at rest: no force, and no virial over the number of atoms, above the limit.

    Raises
    ------
    NotRelaxed
        When the limit is not reached in so many steps, or the cell falls apart.
    """
    import numpy as np

    start, numbers, frac = cell
    n_atoms = len(numbers)
    # Rows: positions in the undeformed cell, then the deformation times the number of atoms.
    state = np.vstack([frac @ start, n_atoms * np.eye(3)])
    fire = _Fire()
    largest = np.inf
    for step in range(steps + 1):
        deformation = state[n_atoms:] / n_atoms
        if np.abs(deformation - np.eye(3)).max() > LARGEST_DEFORMATION:
            raise NotRelaxed(f"the cell lost its shape after {step} steps of relaxation")
        lattice = start @ deformation.T
        frac = state[:n_atoms] @ np.linalg.inv(start)
        found = potential.evaluate(lattice, numbers, frac)
        forces = _forces(found, lattice, deformation)
        largest = float(np.sqrt((forces**2).sum(axis=1)).max())
        if not np.isfinite(largest):
            raise NotRelaxed(f"the model gave no finite forces after {step} steps of relaxation")
        if largest <= fmax_ev_per_ang:
            return Relaxed(lattice, frac, found, step)
        state = state + fire.move(forces)
    raise NotRelaxed(
        f"not relaxed in {steps} steps: the largest force is {largest:.3f} eV/angstrom, the limit "
        f"{fmax_ev_per_ang:g}"
    )


def _forces(
    found: Evaluation, lattice: NDArray[np.float64], deformation: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the forces on the rows of the state."""
    import numpy as np

    virial = -abs(np.linalg.det(lattice)) * found.stress_ev_per_ang3
    on_deformation = np.linalg.solve(deformation, virial.T).T / len(found.forces_ev_per_ang)
    return np.vstack([found.forces_ev_per_ang @ deformation, on_deformation])


@dataclass
class _Fire:
    """Velocities and the adaptive step."""

    velocities: NDArray[np.float64] | None = None
    step: float = FIRST_STEP
    mixing: float = MIXING
    downhill: int = 0

    def move(self, forces: NDArray[np.float64]) -> NDArray[np.float64]:
        import numpy as np

        v = self.velocities
        if v is None:
            v = np.zeros_like(forces)
        elif (forces * v).sum() > 0:
            v = (1 - self.mixing) * v + self.mixing * forces * _norm(v) / _norm(forces)
            if self.downhill > UPHILL_FREE_STEPS:
                self.step = min(self.step * FASTER, LONGEST_STEP)
                self.mixing *= LESS_MIXING
            self.downhill += 1
        else:
            v = np.zeros_like(v)
            self.mixing, self.step, self.downhill = MIXING, self.step * SLOWER, 0
        v = v + self.step * forces
        self.velocities = v
        move = self.step * v
        length = _norm(move)
        return move if length <= LONGEST_MOVE_ANG else move * (LONGEST_MOVE_ANG / length)


def _norm(values: NDArray[np.float64]) -> float:
    import numpy as np

    return float(np.sqrt((values**2).sum()))
