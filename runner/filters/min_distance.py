"""The shortest distance between atoms, also relative to the sum of their radii."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import ConfigDict, Field

from runner.crystal.cells import CellArrays, arrays
from runner.crystal.compositions import cell_compositions
from runner.crystal.distances import Shortest, shortest_distances
from runner.crystal.elements import SYMBOLS
from runner.crystal.neutrality import Neutrality
from runner.crystal.oxidation import LARGEST_STATE, StateTable, oxidation
from runner.crystal.radii import covalent_radii_ang, ion_name, nearest_ionic_radii_ang
from runner.crystal.remarks import coded_texts, first_of, texts_where
from schemas.columns import Column
from schemas.model import Model
from schemas.protocols import Scorer, Surroundings

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

COORDINATION = 6
"""Of ionic radii: six neighbours, or the number nearest to it for which there is a radius."""
UNSOUND = "the cell spans no volume, or has numbers that are not finite"

CHARGED = "no oxidation states make it neutral"
CHARGES = 2 * LARGEST_STATE + 1


class MinDistanceParams(Model):
    """Which radii a distance is compared with."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"radii": "covalent"}]})

    radii: Literal["covalent", "ionic"] = Field(
        default="covalent",
        description="Radii of the ratio: covalent (Cordero), or ionic (Shannon, six neighbours or "
        "nearest to it) of the oxidation states that make the composition neutral.",
    )
    states: StateTable = Field(
        default="common", description="Oxidation states for ionic radii: the common ones, or all."
    )


class MinDistance:
    """Finds atoms that are too close; periodic images count; see `schemas.protocols.Score`."""

    params = MinDistanceParams
    version = 2

    def columns(self, params: MinDistanceParams) -> tuple[Column, ...]:
        """Return the shortest distance, whose it is, and the smallest ratio."""
        return (
            Column("min_distance_ang", "float", "Shortest distance of two atoms.", "angstrom"),
            Column("min_distance_pair", "text", "The elements of the two atoms: `O-Ti`."),
            Column(
                "min_distance_ratio",
                "float",
                f"Smallest distance over the sum of the two {params.radii} radii, of all pairs.",
            ),
        )

    def requires(self, params: MinDistanceParams) -> tuple[str, ...]:
        """Return the cell."""
        return ("structure",)

    def seconds(self, params: MinDistanceParams) -> float:
        """Return the time of one row of about twenty atoms."""
        return 2e-5

    def files(self, params: MinDistanceParams, surroundings: Surroundings) -> dict[str, str]:
        """Return nothing: values follow from the params."""
        return {}

    def scorer(self, params: MinDistanceParams, surroundings: Surroundings) -> Scorer:
        """Return the function that scores batches, all rows at once."""
        finder = Neutrality(oxidation(params.states, ordered=False, mixed_valence=False))

        def score(batch: pa.RecordBatch) -> pa.RecordBatch:
            cells = arrays(batch["structure"])
            if params.radii == "ionic":
                radii, notes = _ionic(cells, finder)
            else:
                radii = covalent_radii_ang()[cells.numbers]
                held = cell_compositions(cells)
                notes = held.missing(covalent_radii_ang() > 0, "no covalent radius of")
            shortest, ratios = shortest_distances(cells, radii)
            return _batch(shortest, ratios, notes)

        return score


plugin = MinDistance()


def _batch(
    shortest: Shortest, ratios: NDArray[np.float64], notes: pa.StringArray
) -> pa.RecordBatch:
    import numpy as np
    import pyarrow as pa

    unsound = np.isnan(shortest.values)
    low = np.minimum(shortest.first, shortest.second)
    high = np.maximum(shortest.first, shortest.second)
    codes = np.where(unsound, -1, low * (len(SYMBOLS) + 1) + high)
    return pa.record_batch(
        {
            "min_distance_ang": pa.array(shortest.values, mask=unsound),
            "min_distance_pair": coded_texts(codes, _pair),
            "min_distance_ratio": pa.array(ratios, mask=np.isnan(ratios)),
            "note": texts_where(~unsound, notes),
            "error": texts_where(unsound, UNSOUND),
        }
    )


def _pair(code: int) -> str:
    return "-".join(sorted(SYMBOLS[number - 1] for number in divmod(code, len(SYMBOLS) + 1)))


def _ionic(cells: CellArrays, finder: Neutrality) -> tuple[NDArray[np.float64], pa.StringArray]:
    """Return the ionic radius of each site, NaN where it is not known, and notes on that."""
    import numpy as np

    held = cell_compositions(cells)
    answers = finder.assign(held)
    neutral = answers.neutral == 1
    owner = np.repeat(np.arange(len(held)), np.diff(held.starts))
    states = answers.states + LARGEST_STATE
    radii = np.where(
        neutral[owner], nearest_ionic_radii_ang(COORDINATION)[held.numbers, states], np.nan
    )
    by_row = np.full((len(held), len(SYMBOLS) + 1), np.nan)
    by_row[owner, held.numbers] = radii
    wanting = np.full(len(held), -1, np.int64)
    missing = np.flatnonzero(np.isnan(radii) & neutral[owner])[::-1]  # the first is written last
    wanting[owner[missing]] = held.numbers[missing] * CHARGES + states[missing]
    notes = first_of(
        answers.notes,
        texts_where(answers.neutral == 0, CHARGED),
        coded_texts(wanting, _no_radius),
    )
    sites = np.repeat(np.arange(len(cells)), np.diff(cells.starts))
    return by_row[sites, cells.numbers], notes


def _no_radius(code: int) -> str:
    number, state = divmod(code, CHARGES)
    return f"no ionic radius of {ion_name(SYMBOLS[number - 1], state - LARGEST_STATE)}"
