"""Energy of formation of candidates from the elements, all by one method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ConfigDict

from runner.hull.params import EnergyParams
from runner.hull.scoring import columns_read, deciding_files, seconds_of
from schemas.columns import Column
from schemas.protocols import Scorer, Surroundings

if TYPE_CHECKING:
    import pyarrow as pa


class FormationEnergyParams(EnergyParams):
    """Whose energies are compared with those of the elements."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "entries": "elements.json",
                    "energy": "energy_ev_per_atom",
                    "method": "chgnet-0.3.0",
                },
                {"model": "chgnet-0.3.0", "relax": True},
            ]
        }
    )


class FormationEnergy:
    """Compares candidates with the elements; see `schemas.protocols.Score`."""

    params = FormationEnergyParams
    version = 1

    def columns(self, params: FormationEnergyParams) -> tuple[Column, ...]:
        """Return the column `formation_energy_ev_per_atom`."""
        return (
            Column(
                "formation_energy_ev_per_atom",
                "float",
                "Energy minus that of the elements in their reference structures.",
                "eV/atom",
            ),
        )

    def requires(self, params: FormationEnergyParams) -> tuple[str, ...]:
        """Return the columns of the composition, and that of the energy or the cell."""
        return columns_read(params)

    def seconds(self, params: FormationEnergyParams) -> float:
        """Return the time of one row: that of the model, where there is one."""
        return seconds_of(params)

    def files(self, params: FormationEnergyParams, surroundings: Surroundings) -> dict[str, str]:
        """Return what stands for the method and for the reference set."""
        return deciding_files(params, surroundings)

    def lacking(
        self, params: FormationEnergyParams, *, elements: bool, compounds: bool, **_: object
    ) -> str | None:
        """Return what the campaign's references lack, where zeros are taken from them."""
        if params.entries is not None or elements or compounds:
            return None
        return (
            "needs the energies of the elements: give the campaign `references: {elements: all}`, "
            "or `entries` with a file of energies"
        )

    def scorer(self, params: FormationEnergyParams, surroundings: Surroundings) -> Scorer:
        """Return the function that scores batches; an element's energy is looked up once."""
        import pyarrow as pa

        from runner.hull.formation import Formation
        from runner.hull.scoring import compare, references_of

        formation = Formation(references_of(params, surroundings))
        (column,) = self.columns(params)

        def score(batch: pa.RecordBatch) -> pa.RecordBatch:
            found = compare(batch, params, formation)
            return pa.RecordBatch.from_arrays(
                [found["values"], found["note"], found["error"]],
                names=[column.name, "note", "error"],
            )

        return score


plugin = FormationEnergy()
