"""What the scores `chgnet` and `sevennet` share: their params, columns and rows."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from runner.crystal.cells import CellArrays
from runner.ml.devices import Device
from runner.ml.evaluations import (
    MAX_FORCE,
    MAX_MOMENT,
    PRESSURE,
    RELAX_STEPS,
    VOLUME_CHANGE,
    evaluations,
    relaxed_energies,
)
from runner.ml.protocol import PotentialModel, Prediction
from runner.ml.scored import scorer
from schemas.columns import Column
from schemas.model import Model
from schemas.protocols import Scorer

USUAL_STEPS = 60
"""Steps that relaxations of small perovskites took."""


class Relax(Model):
    """Relax cell and positions before anything is read off."""

    fmax_ev_per_ang: Annotated[float, Field(gt=0)] = Field(
        default=0.05,
        description="Largest force, and virial over the number of atoms, that is left; in eV/"
        "angstrom.",
    )
    steps: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=500, description="Steps of FIRE after which a cell counts as failed."
    )


class PotentialParams(Model):
    """What is asked of a model of the potential energy."""

    relax: bool | Relax = Field(
        default=False,
        description="false: cells as they come. true: relax them first; {fmax_ev_per_ang: 0.02, "
        "steps: 300} sets when that ends.",
    )
    device: Device = Field(
        default="auto", description="auto takes a GPU where there is one, else one CPU thread."
    )
    max_force: bool = Field(default=False, description="Add the column max_force_ev_per_ang.")
    pressure: bool = Field(default=False, description="Add the column pressure_gpa.")

    @field_validator("relax", mode="before")
    @classmethod
    def _spelt_out(cls, relax: object) -> object:
        """Make `true` and `{}` one: what is kept of either holds for both."""
        return {} if relax is True else relax

    @property
    def relaxation(self) -> Relax | None:
        """How cells are relaxed, or None."""
        return self.relax if isinstance(self.relax, Relax) else None

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns beside the energy."""
        found = []
        if self.max_force:
            found.append(Column(MAX_FORCE, "float", "Largest force on an atom.", "eV/angstrom"))
        if self.pressure:
            text = "Pressure: a third of the negative trace of the stress."
            found.append(Column(PRESSURE, "float", text, "GPa"))
        if self.relax:
            text = "Volume after relaxation over volume before, less one."
            found.append(Column(VOLUME_CHANGE, "float", text))
            found.append(Column(RELAX_STEPS, "int", "Steps of the relaxation."))
        return tuple(found)


MOMENT_COLUMN = Column(
    MAX_MOMENT, "float", "Largest magnetic moment of an atom, without sign.", "Bohr magneton"
)


def potential_scorer(
    model: PotentialModel, params: PotentialParams, columns: tuple[Column, ...]
) -> Scorer:
    """Load the model and return the function that scores batches.

    Where only energies are asked for, cells go through the model many at a time and nothing is
    kept for derivatives.
    """
    record = model.record
    if len(columns) == 1 and not params.relax:
        return scorer(model.setup(params.device), record, columns)
    potential = model.potential(params.device)
    relax = params.relaxation

    def predict(cells: CellArrays) -> Prediction:
        if not relax:
            return evaluations(potential, cells)
        return relaxed_energies(
            potential, cells, fmax_ev_per_ang=relax.fmax_ev_per_ang, steps=relax.steps
        )

    return scorer(predict, record, columns)


def seconds(params: PotentialParams, *, per_energy_s: float, per_step_s: float) -> float:
    """Return about how long one cell takes."""
    if params.relaxation:
        return min(params.relaxation.steps, USUAL_STEPS) * per_step_s
    return per_step_s if params.columns else per_energy_s
