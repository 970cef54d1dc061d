"""Distance of candidates to the convex hull of the phases that compete with them.

Negative where a candidate lies below all of them: candidates are not part of the hull. Ong, Wang,
Kang and Ceder, Chem. Mater. 20, 1798 (2008), doi:10.1021/cm702327g.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias

from pydantic import ConfigDict, Field

from runner.hull.params import EnergyParams
from runner.hull.scoring import columns_read, deciding_files, seconds_of
from schemas.columns import Column
from schemas.protocols import Scorer, Surroundings

if TYPE_CHECKING:
    import pyarrow as pa

Sample: TypeAlias = Callable[[], Iterable[Mapping[str, int]]]
"""Compositions of some candidates, where they can be had quickly."""
LACKS_COMPOUNDS = (
    "`references` hold elements alone, and against elements nearly every compound looks stable; "
)


class HullParams(EnergyParams):
    """Whose energies are compared, and with what."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "entries": "entries.json",
                    "energy": "energy_ev_per_atom",
                    "method": "chgnet-0.3.0",
                },
                {"model": "chgnet-0.3.0", "relax": True},
            ]
        }
    )

    missing_binaries: Literal["refuse", "allow"] = Field(
        default="refuse",
        description="What to do where the references hold no binary of a candidate's cation and "
        "anion (Sr-O and Ti-O of SrTiO3), so that its distance would be too small.",
    )
    decomposition: bool = Field(
        default=False,
        description="Add the column `hull_decomposition`: the phases that compete, by their share "
        "of the atoms.",
    )


class HullDistance:
    """Compares candidates with a reference set of one method; see `schemas.protocols.Score`."""

    params = HullParams
    version = 1

    def columns(self, params: HullParams) -> tuple[Column, ...]:
        """Return the column `hull_distance_ev_per_atom` and, if asked for, the decomposition."""
        distance = Column(
            "hull_distance_ev_per_atom",
            "float",
            "Energy above the hull of the references; negative below it.",
            "eV/atom",
        )
        parts = Column(
            "hull_decomposition",
            "json",
            "What is most stable there without the candidate: share of the atoms by phase.",
        )
        return (distance, parts) if params.decomposition else (distance,)

    def requires(self, params: HullParams) -> tuple[str, ...]:
        """Return the columns of the composition, and that of the energy or the cell."""
        return columns_read(params)

    def seconds(self, params: HullParams) -> float:
        """Return the time of one row: that of the model, where there is one."""
        return seconds_of(params)

    def files(self, params: HullParams, surroundings: Surroundings) -> dict[str, str]:
        """Return what stands for the method and for the reference set."""
        return deciding_files(params, surroundings)

    def lacking(
        self, params: HullParams, *, elements: bool, compounds: bool, sample: Sample
    ) -> str | None:
        """Return what the campaign's references lack, where the hull is made of them."""
        from runner.hull.competing import how_to_add, named, required_pairs

        if params.entries is not None:
            return None
        if not elements:
            return (
                "needs the phases that candidates compete with: give the campaign `references: "
                "{elements: all, structures: competing/*.cif}`, or `entries` with a file of "
                "energies"
            )
        if not compounds and params.missing_binaries == "refuse":
            pairs = sorted({pair for one in sample() for pair in required_pairs(one)})
            missing = f"missing are binaries of {named(pairs)}; " if pairs else ""
            return LACKS_COMPOUNDS + missing + how_to_add(pairs)
        return None

    def scorer(self, params: HullParams, surroundings: Surroundings) -> Scorer:
        """Return the function that scores batches; hulls are made once per chemical system."""
        import pyarrow as pa

        from runner.hull.distances import Distances
        from runner.hull.scoring import compare, references_of

        references = references_of(params, surroundings)
        distances = Distances(references, complete=params.missing_binaries == "refuse")

        def score(batch: pa.RecordBatch) -> pa.RecordBatch:
            found = compare(batch, params, distances)
            columns = [found["values"]]
            if params.decomposition:
                columns.append(distances.decompositions(batch, found["values"].is_valid()))
            names = [column.name for column in self.columns(params)]
            return pa.RecordBatch.from_arrays(
                [*columns, found["note"], found["error"]], names=[*names, "note", "error"]
            )

        return score


plugin = HullDistance()
