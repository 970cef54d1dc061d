"""Density, and the volume per atom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.crystal.cells import arrays
from runner.crystal.compositions import cell_compositions
from runner.crystal.elements import masses_g_per_mol
from runner.crystal.remarks import texts_where
from runner.crystal.volumes import G_PER_CM3, volumes_ang3
from schemas.columns import Column
from schemas.model import Model
from schemas.protocols import Scorer, Surroundings

if TYPE_CHECKING:
    import pyarrow as pa

UNSOUND = "the cell spans no volume, or is not finite"


class DensityParams(Model):
    """Nothing to choose: a window is the step's `keep`."""


class Density:
    """Computes what the volume of a cell says; see `schemas.protocols.Score`."""

    params = DensityParams
    version = 1

    def columns(self, params: DensityParams) -> tuple[Column, ...]:
        """Return density and volume per atom."""
        return (
            Column("density_g_per_cm3", "float", "Mass over volume of the cell.", "g/cm3"),
            Column(
                "volume_ang3_per_atom", "float", "Volume of the cell by atoms.", "angstrom^3/atom"
            ),
        )

    def requires(self, params: DensityParams) -> tuple[str, ...]:
        """Return the cell."""
        return ("structure",)

    def seconds(self, params: DensityParams) -> float:
        """Return the time of one row."""
        return 1e-6

    def files(self, params: DensityParams, surroundings: Surroundings) -> dict[str, str]:
        """Return nothing: values follow from the cell."""
        return {}

    def scorer(self, params: DensityParams, surroundings: Surroundings) -> Scorer:
        """Return the function that scores batches, all rows at once."""
        return _score


plugin = Density()


def _score(batch: pa.RecordBatch) -> pa.RecordBatch:
    import numpy as np
    import pyarrow as pa

    cells = arrays(batch["structure"])
    volumes = volumes_ang3(cells)
    wrong = np.isnan(volumes)
    masses = cell_compositions(cells).weighted(masses_g_per_mol())
    return pa.record_batch(
        {
            "density_g_per_cm3": pa.array(masses / volumes * G_PER_CM3, mask=wrong),
            "volume_ang3_per_atom": pa.array(volumes / np.diff(cells.starts), mask=wrong),
            "note": pa.nulls(len(cells), pa.string()),
            "error": texts_where(wrong, UNSOUND),
        }
    )
