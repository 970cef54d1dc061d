"""Energies of structures by the name of a model: what hulls are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from runner.crystal.cells import CellArrays, arrays, to_arrow
from runner.ml.devices import Device
from runner.ml.guarded import guarded
from runner.ml.protocol import ENERGY, PotentialModel, Prediction
from runner.ml.registry import UnknownModel, get
from runner.ml.registry import energy_models as names_of_energy_models
from schemas.errors import UserError, suggestion
from schemas.structure import Structure

FMAX_EV_PER_ANG = 0.05
STEPS = 500
DIGITS = 6
"""Energies are rounded to 1e-6 eV/atom: beyond it stands the noise of single precision."""


@dataclass(frozen=True)
class ModelEnergy:
    """What a model says of one structure: an energy in eV per atom, or why there is none."""

    energy_ev_per_atom: float | None
    error: str | None = None


def energy_models() -> tuple[str, ...]:
    """Return the names of the models that give energies (`chgnet-0.3.0`), installed or not."""
    return names_of_energy_models()


def method_key(model: str) -> str:
    """Return the method key of a model: energies of other keys must not be mixed with it.

    Imports nothing heavy, so it may be asked at validation.

    Raises
    ------
    UserError
        For a name that no energy model has; the message names the nearest.
    """
    found = get(model)
    if model not in energy_models():
        near = suggestion(model, energy_models())
        raise UnknownModel(f"the model '{model}' gives no energies{near}")
    return found.record.method_key


def energies(
    model: str, structures: Sequence[Structure], *, relax: bool = False, device: Device = "auto"
) -> list[ModelEnergy]:
    """Return the energy of each structure, in their order; a failure is a value.

    Parameters
    ----------
    model
        One of `energy_models()`.
    relax
        Relax cell and positions first (FIRE, 0.05 eV/angstrom, at most 500 steps); one that does
        not get there has an error and no energy.
    device
        `auto` takes a GPU where there is one.

    Raises
    ------
    UserError
        When the model is not installed here, or its weights are not there; says what to install.
    """
    method_key(model)
    found = get(model)
    if relax and not isinstance(found, PotentialModel):
        raise UserError(f"the model '{model}' gives no forces, so nothing can be relaxed by it")
    if not structures:
        return []
    cells = arrays(to_arrow(structures))
    if relax and isinstance(found, PotentialModel):
        from runner.ml.evaluations import relaxed_energies

        potential = found.potential(device)

        def predictor(cells: CellArrays) -> Prediction:
            return relaxed_energies(potential, cells, fmax_ev_per_ang=FMAX_EV_PER_ANG, steps=STEPS)

        found_energies, notes = guarded(predictor, found.record, cells)
    else:
        found_energies, notes = guarded(found.setup(device), found.record, cells)
    values = found_energies.values[ENERGY].tolist()
    return [
        ModelEnergy(round(value, DIGITS)) if isfinite(value) else ModelEnergy(None, note or error)
        for value, note, error in zip(values, notes, found_energies.errors, strict=True)
    ]
