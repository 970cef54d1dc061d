"""The shipped ranking of perovskites, with the real model: does it make chemical sense?"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from runner.crystal.cells import to_arrow
from runner.load import load
from runner.screening_table import Source
from runner.selection import Step
from schemas.protocols import Surroundings

pytest.importorskip("chgnet")
pytestmark = pytest.mark.slow  # 20 s: 36 candidates and 32 references are relaxed

CAMPAIGN = Path(__file__).parents[3] / "campaigns/perovskite-ml.yaml"
MADE = ("SrTiO3", "BaTiO3", "CaTiO3", "BaZrO3", "SrZrO3", "BaHfO3", "SrHfO3", "BaSnO3", "SrSnO3")
"""Perovskites that are made at ambient pressure."""
CALCIUM_IS_TOO_SMALL = ("CaTiS3", "CaZrS3", "CaHfS3", "CaSnS3", "CaTiSe3", "CaZrSe3", "CaSnSe3")
FAR_EV_PER_ATOM = 0.15


@pytest.fixture(scope="module")
def distances() -> Mapping[str, float]:
    """Distances to the hull by formula, in eV/atom."""
    loaded = load(CAMPAIGN)
    step = next(step for step in loaded.steps if step.score == "hull")
    with tempfile.TemporaryDirectory() as folder:
        return scored(step, replace(loaded.surroundings, cache=Path(folder)), loaded.generators)


def scored(
    step: Step, surroundings: Surroundings, sources: Sequence[Source]
) -> Mapping[str, float]:
    assert step.plugin is not None
    candidates = [
        candidate
        for source in sources
        for candidate in source.plugin.candidates(source.params, surroundings)
    ]
    rows = [candidate.row() for candidate in candidates]
    batch = pa.record_batch(
        {
            "elements": [row["elements"] for row in rows],
            "amounts": [row["amounts"] for row in rows],
            "structure": to_arrow([candidate.structure for candidate in candidates]),
        }
    )
    found = step.plugin.scorer(step.params, surroundings)(batch)
    assert found["error"].null_count == len(candidates)
    return dict(zip((c.formula for c in candidates), found[0].to_pylist(), strict=True))


def test_perovskites_that_exist_lie_below_their_binaries(distances: Mapping[str, float]) -> None:
    assert {formula: distances[formula] for formula in MADE if distances[formula] >= 0} == {}


def test_cubic_chalcogenides_of_calcium_lie_far_above_the_hull(
    distances: Mapping[str, float],
) -> None:
    assert min(distances[formula] for formula in CALCIUM_IS_TOO_SMALL) > FAR_EV_PER_ATOM


def test_titanates_gain_more_from_calcium_over_strontium_to_barium(
    distances: Mapping[str, float],
) -> None:
    """As calorimetry finds: Sahu, Maram, Navrotsky, J. Am. Ceram. Soc. 96, 3670 (2013)."""
    assert distances["CaTiO3"] > distances["SrTiO3"] > distances["BaTiO3"]


def test_of_the_sulphides_those_come_lowest_that_are_made(distances: Mapping[str, float]) -> None:
    sulphides = sorted((f for f in distances if f.endswith("S3")), key=distances.__getitem__)

    assert set(sulphides[:2]) == {"BaZrS3", "BaHfS3"}
