"""Energies, and on request forces and pressures, by the universal potential SevenNet.

Park et al., J. Chem. Theory Comput. 20, 4857 (2024), doi:10.1021/acs.jctc.4c00190. More accurate
than CHGNet and many times slower: for what CHGNet has left. The models learned energies without the
corrections of the Materials Project for anions, so energies against elements in oxides, fluorides
and the like are too high; energies against competing compounds of the same anion are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import ConfigDict, Field

from runner.ml.chgnet import ENERGY_COLUMN
from runner.ml.potential_score import PotentialParams, potential_scorer, seconds
from runner.ml.sevennet import Sevennet
from schemas.columns import Column
from schemas.protocols import Scorer, Surroundings

PER_STEP_S: Mapping[str, float] = {"7net-0": 6e-2, "7net-l3i5": 1.5e-1}
# One thread, 5 atoms, 2.5 GHz.


class SevennetParams(PotentialParams):
    """Which version, and what is asked of it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"model": "7net-0"}]})

    model: Literal["7net-0", "7net-l3i5"] = Field(
        default="7net-0",
        description="SevenNet-0 (of 11 July 2024), or the more accurate and slower SevenNet-l3i5.",
    )


class SevennetScore:
    """Scores cells with SevenNet; see `schemas.protocols.Score`."""

    params = SevennetParams
    version = 1

    def columns(self, params: SevennetParams) -> tuple[Column, ...]:
        """Return `energy_ev_per_atom` and what else is asked for."""
        return (ENERGY_COLUMN, *params.columns)

    def requires(self, params: SevennetParams) -> tuple[str, ...]:
        """Return the cell."""
        return ("structure",)

    def seconds(self, params: SevennetParams) -> float:
        """Return the time of one small cell on one thread."""
        per_step_s = PER_STEP_S[params.model]
        return seconds(params, per_energy_s=per_step_s, per_step_s=per_step_s)

    def files(self, params: SevennetParams, surroundings: Surroundings) -> Mapping[str, str]:
        """Return the SHA-256 of the weights."""
        return Sevennet(params.model).weights()

    def scorer(self, params: SevennetParams, surroundings: Surroundings) -> Scorer:
        """Load the weights and return the function that scores batches."""
        return potential_scorer(Sevennet(params.model), params, self.columns(params))


plugin = SevennetScore()
