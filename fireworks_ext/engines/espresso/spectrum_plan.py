"""What a task of several runs computes after self-consistency, written down before anything runs.

It lies in the run directory, so that any worker, or a person, can go on from there.
"""

from __future__ import annotations

from math import ceil
from pathlib import Path

from pydantic import Field, ValidationError

from fireworks_ext.engines.espresso.kpath import BandPath, standard_path
from fireworks_ext.engines.espresso.kpoints import Mesh, dense_mesh
from fireworks_ext.engines.espresso.magnetism import (
    Moment,
    check_directions,
    non_collinear,
    site_moments,
)
from fireworks_ext.engines.espresso.params import EspressoParams
from fireworks_ext.engines.espresso.wording import plain_names
from schemas.errors import UserError
from schemas.model import Model
from schemas.structure import Structure

PLAN_FILE = "spectrum.json"
LEAST_EMPTY_BANDS = 8
EMPTY_SHARE = 0.5
"""Of the filled bands, at least so many empty ones: enough for some eV above the gap."""
OF_ONE_CELL = frozenset({"nbnd", "tot_magnetization"})
"""Raw keywords whose number belongs to a cell of one size."""


class SpectrumPlan(Model):
    """The k-points and bands of the runs after the first."""

    task: str
    n_bands: int = Field(description="Bands of those runs, per spin channel.")
    path: BandPath | None = Field(default=None, description="Of `bands`.")
    kmesh: Mesh | None = Field(default=None, description="Of `dos`.")
    broadening_ev: float | None = Field(default=None, description="None: tetrahedra.")
    step_ev: float = Field(default=0.05, description="Of the energies of `dos`.")


def plan_of(
    task: str, structure: Structure, params: EspressoParams
) -> tuple[Structure, EspressoParams, SpectrumPlan]:
    """Return what a task of several runs does: the cell, its params, and the runs after the first.

    `bands` takes the standardised primitive cell of the path; the moments move with their sites.

    Raises
    ------
    UserError
        When the crystal has no path, or directions or numbers in the params belong to the cell as
        given and not to the standardised one.
    """
    if task == "dos":
        plan = SpectrumPlan(
            task=task,
            n_bands=_n_bands(structure, params),
            kmesh=dense_mesh(structure, params),
            broadening_ev=params.dos_broadening_ev,
            step_ev=params.dos_step_ev,
        )
        return structure, params, plan
    check_directions(params)
    moments = [_along_z(one) for one in site_moments(structure, params)]
    cell, path = standard_path(structure, moments, params.path_spacing_per_ang)
    sized = sorted(plain_names(params.params) & OF_ONE_CELL)
    if cell.n_atoms != structure.n_atoms and sized:
        raise UserError(
            f"{', '.join(sized)}: the path belongs to the primitive cell of {cell.n_atoms} atoms, "
            f"and the structure has {structure.n_atoms}; leave it out, or give the primitive cell"
        )
    settings = params.model_copy(update={"moments_bohr": cell.moments_bohr or {}})
    return cell, settings, SpectrumPlan(task=task, n_bands=_n_bands(cell, settings), path=path)


def _along_z(moment: Moment) -> float:
    return moment[2] if isinstance(moment, tuple) else moment


def _n_bands(structure: Structure, params: EspressoParams) -> int:
    """Return the filled bands and the empty ones that are asked for."""
    valences = params.valences or {}
    electrons = sum(valences[element] for element in structure.species) - structure.charge
    per_band = 1 if non_collinear(params) else 2
    moment = sum(_along_z(one) for one in site_moments(structure, params))
    # A ferromagnet fills more bands of one spin; its moment may still grow.
    filled = ceil((electrons + abs(moment if params.spin == "collinear" else 0.0)) / per_band)
    empty = params.empty_bands
    if empty is None:
        empty = max(LEAST_EMPTY_BANDS * 2 // per_band, ceil(EMPTY_SHARE * filled))
    return filled + empty


def write_plan(plan: SpectrumPlan, directory: Path) -> None:
    """Write a plan into a run directory."""
    (directory / PLAN_FILE).write_text(plan.model_dump_json() + "\n", encoding="utf-8")


def read_plan(directory: Path) -> SpectrumPlan | None:
    """Return the plan of a run directory; None where its task is a single run."""
    try:
        return SpectrumPlan.model_validate_json((directory / PLAN_FILE).read_bytes())
    except (OSError, ValidationError):
        return None
