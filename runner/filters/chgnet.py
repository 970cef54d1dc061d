"""Energies, and on request forces, pressures and moments, by the universal potential CHGNet.

Deng et al., Nature Machine Intelligence 5, 1031 (2023), doi:10.1038/s42256-023-00716-3. The model
learned energies of the Materials Project that contain its corrections: apply none to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import ConfigDict, Field

from runner.ml.chgnet import ENERGY_COLUMN, Chgnet
from runner.ml.potential_score import (
    MOMENT_COLUMN,
    PotentialParams,
    potential_scorer,
    seconds,
)
from schemas.columns import Column
from schemas.protocols import Scorer, Surroundings

PER_ENERGY_S = 4e-3
PER_STEP_S = 1.2e-2
# One thread, 5 to 10 atoms, 2.5 GHz.


class ChgnetParams(PotentialParams):
    """Which version, and what is asked of it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"model": "0.3.0"}]})

    model: Literal["0.3.0", "r2scan", "0.2.0"] = Field(
        default="0.3.0",
        description="Version of CHGNet: 0.3.0 (PBE and PBE+U), r2scan, or the older 0.2.0.",
    )
    moments: bool = Field(default=False, description="Add the column max_moment_bohr.")


class ChgnetScore:
    """Scores cells with CHGNet; see `schemas.protocols.Score`."""

    params = ChgnetParams
    version = 1

    def columns(self, params: ChgnetParams) -> tuple[Column, ...]:
        """Return `energy_ev_per_atom` and what else is asked for."""
        moments = (MOMENT_COLUMN,) if params.moments else ()
        return (ENERGY_COLUMN, *params.columns, *moments)

    def requires(self, params: ChgnetParams) -> tuple[str, ...]:
        """Return the cell."""
        return ("structure",)

    def seconds(self, params: ChgnetParams) -> float:
        """Return the time of one small cell on one thread."""
        return seconds(params, per_energy_s=PER_ENERGY_S, per_step_s=PER_STEP_S)

    def files(self, params: ChgnetParams, surroundings: Surroundings) -> Mapping[str, str]:
        """Return the SHA-256 of the weights."""
        return Chgnet(params.model).weights()

    def scorer(self, params: ChgnetParams, surroundings: Surroundings) -> Scorer:
        """Load the weights and return the function that scores batches."""
        return potential_scorer(Chgnet(params.model), params, self.columns(params))


plugin = ChgnetScore()
