"""What a model provides. Other distributions add models by the entry point `matcampaign.models`.

An entry point is an object with the attributes of `MaterialsModel`; its module imports its heavy
packages only inside `setup`, because names and columns are asked for when a file is validated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

from runner.crystal.cells import CellArrays
from runner.ml.devices import Device
from runner.ml.domain import Domain
from schemas.columns import Column

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ENERGY = "energy_ev_per_atom"
"""The column of a model whose energies can make a hull."""


@dataclass(frozen=True)
class Prediction:
    """What a model says of cells, one value per cell and column; NaN where it says nothing.

    `uncertainty` has values for the columns that the model lists as `uncertain`; `errors` a text
    for each cell that could not be predicted.
    """

    values: Mapping[str, NDArray[np.float64]]
    errors: Sequence[str | None]
    uncertainty: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)


Predictor: TypeAlias = Callable[[CellArrays], Prediction]
"""Predicts cells; what it says of one does not depend on its companions."""


@dataclass(frozen=True)
class Record:
    """What is known of a model without loading it.

    `method_key` is model and version: energies of different keys are never mixed. `columns` are
    numbers, and `uncertain` names those that come with an uncertainty. `citation` is a DOI.
    """

    name: str
    version: str
    method_key: str
    description: str
    citation: str
    licence: str
    columns: tuple[Column, ...]
    domain: Domain
    uncertain: tuple[str, ...] = ()


@runtime_checkable
class MaterialsModel(Protocol):
    """A model that predicts numbers for cells."""

    @property
    def record(self) -> Record:
        """What is known of it."""

    def missing(self) -> str | None:
        """Return what is not installed here and how to get it, or None; imports nothing heavy."""

    def weights(self) -> Mapping[str, str]:
        """Return label -> SHA-256 of its files of weights. Raises UserError for missing files."""

    def setup(self, device: Device) -> Predictor:
        """Load it. Raises UserError for what is missing."""


@dataclass(frozen=True)
class Evaluation:
    """One cell in full.

    `forces_ev_per_ang` (sites, 3); `stress_ev_per_ang3` (3, 3), the derivative of the energy by
    the strain over the volume: negative under compression; `moments_bohr` (sites,) or None.
    """

    energy_ev: float
    forces_ev_per_ang: NDArray[np.float64]
    stress_ev_per_ang3: NDArray[np.float64]
    moments_bohr: NDArray[np.float64] | None = None


class Potential(Protocol):
    """A model of the potential energy, loaded."""

    def energies(self, cells: CellArrays) -> Prediction:
        """Return the column `energy_ev_per_atom`."""

    def evaluate(
        self,
        lattice_ang: NDArray[np.float64],
        numbers: NDArray[np.uint8],
        frac_coords: NDArray[np.float64],
    ) -> Evaluation:
        """Return energy, forces and stress of one cell. Raises UserError where it cannot."""


@runtime_checkable
class PotentialModel(MaterialsModel, Protocol):
    """A model of the potential energy: it can relax cells."""

    def potential(self, device: Device) -> Potential:
        """Load it. Raises UserError for what is missing."""
