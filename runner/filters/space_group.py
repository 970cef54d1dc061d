"""The space group of the cell as generated, found by spglib.

Togo, Shinohara and Tanaka, Sci. Technol. Adv. Mater. Meth. 4, 2384822 (2024),
doi:10.1080/27660400.2024.2384822.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, Field

from runner.crystal.cells import arrays
from schemas.columns import Column, arrow_schema
from schemas.model import Model
from schemas.protocols import Scorer, Surroundings

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

SYSTEMS = (
    (2, "triclinic"),
    (15, "monoclinic"),
    (74, "orthorhombic"),
    (142, "tetragonal"),
    (167, "trigonal"),
    (194, "hexagonal"),
    (230, "cubic"),
)
"""Crystal systems by the last number of their space groups: International Tables, volume A."""


class SpaceGroupParams(Model):
    """How far atoms may be from where symmetry wants them."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"symprec_ang": 0.01}]})

    symprec_ang: float = Field(
        default=0.01,
        gt=0.0,
        le=1.0,
        description="Distance, in angstrom, below which positions and lattice count as symmetric.",
    )


class SpaceGroup:
    """Finds the space group; moments are not looked at; see `schemas.protocols.Score`."""

    params = SpaceGroupParams
    version = 1

    def columns(self, params: SpaceGroupParams) -> tuple[Column, ...]:
        """Return number, symbol and crystal system."""
        return (
            Column("space_group", "int", "Number of the space group, 1 to 230."),
            Column("space_group_symbol", "text", "Short Hermann-Mauguin symbol: `Pm-3m`."),
            Column("crystal_system", "text", "`cubic`, `hexagonal`, `trigonal`, ..."),
        )

    def requires(self, params: SpaceGroupParams) -> tuple[str, ...]:
        """Return the cell."""
        return ("structure",)

    def seconds(self, params: SpaceGroupParams) -> float:
        """Return the time of one row of about twenty atoms."""
        return 5e-4

    def files(self, params: SpaceGroupParams, surroundings: Surroundings) -> dict[str, str]:
        """Return spglib's version: another one may decide borderline cases in another way."""
        from hashlib import sha256
        from importlib.metadata import version

        return {"spglib": sha256(version("spglib").encode()).hexdigest()}

    def scorer(self, params: SpaceGroupParams, surroundings: Surroundings) -> Scorer:
        """Return the function that scores batches, cell by cell."""

        def score(batch: pa.RecordBatch) -> pa.RecordBatch:
            import pyarrow as pa

            cells = arrays(batch["structure"])
            rows = [_found(cells.one(at), params.symprec_ang) for at in range(len(cells))]
            return pa.RecordBatch.from_pylist(rows, schema=_schema())

        return score


plugin = SpaceGroup()

_Cell = tuple["NDArray[np.float64]", "NDArray[np.uint8]", "NDArray[np.float64]"]


def _found(cell: _Cell, symprec_ang: float) -> dict[str, Any]:
    import warnings

    import spglib

    lattice, numbers, positions = cell
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of how errors will be told one day
        try:
            found = spglib.get_symmetry_dataset(
                (lattice.tolist(), positions.tolist(), numbers.tolist()), symprec=symprec_ang
            )
        except spglib.error.SpglibError as error:
            return {"error": f"spglib finds no symmetry: {error}"}
    if found is None:
        return {"error": "spglib finds no symmetry: are atoms on top of each other?"}
    system = next(name for last, name in SYSTEMS if found.number <= last)
    return {
        "space_group": found.number,
        "space_group_symbol": found.international,
        "crystal_system": system,
    }


def _schema() -> pa.Schema:
    texts = (Column("note", "text", ""), Column("error", "text", ""))
    return arrow_schema((*plugin.columns(SpaceGroupParams()), *texts))
