from pathlib import Path

import pyarrow as pa
import pytest

from runner.crystal.cells import to_arrow
from runner.filters.sevennet import SevennetParams, plugin
from runner.ml.sevennet import Sevennet
from schemas.protocols import Surroundings
from schemas.structure import Structure

HERE = Surroundings(folder=Path(), seed=0)
MAGNESIA = Structure.model_validate(
    {
        "lattice_ang": [[0, 2.12, 2.12], [2.12, 0, 2.12], [2.12, 2.12, 0]],
        "species": ["Mg", "O"],
        "frac_coords": [[0, 0, 0], [0.5, 0.5, 0.5]],
    }
)
LONELY = Structure.model_validate(
    {
        "lattice_ang": [[9, 0, 0], [0, 9, 0], [0, 0, 9]],
        "species": ["Ar"],
        "frac_coords": [[0, 0, 0]],
    }
)


@pytest.fixture(autouse=True)
def _installed() -> None:
    if problem := Sevennet("7net-0").missing():
        pytest.skip(problem)


def scored(*structures: Structure, **params: object) -> list[dict[str, object]]:
    batch = pa.record_batch({"structure": to_arrow(structures)})
    rows: list[dict[str, object]] = plugin.scorer(SevennetParams.model_validate(params), HERE)(
        batch
    ).to_pylist()
    return rows


def test_energies_come_with_the_error_of_rows_that_have_none() -> None:
    first, lonely, last = scored(MAGNESIA, LONELY, MAGNESIA)

    assert lonely["error"] == "1 of 1 atoms have no neighbour within 5 angstrom"
    assert first == last
    # What the calculator of sevenn 0.13.0 says of its model 7net-0.
    assert first["energy_ev_per_atom"] == pytest.approx(-5.977067, abs=1e-5)


def test_it_relaxes_and_gives_forces_and_pressures() -> None:
    (row,) = scored(
        MAGNESIA.model_copy(update={"lattice_ang": ((0, 2.2, 2.2), (2.2, 0, 2.2), (2.2, 2.2, 0))}),
        relax={"fmax_ev_per_ang": 0.05},
        max_force=True,
        pressure=True,
    )

    assert row["error"] is None
    assert float(str(row["volume_change"])) < -0.05
    assert abs(float(str(row["pressure_gpa"]))) < 1.0
    assert float(str(row["max_force_ev_per_ang"])) <= 0.05


def test_versions_have_weights_of_their_own() -> None:
    hashes = {
        value
        for model in ("7net-0", "7net-l3i5")
        for value in plugin.files(SevennetParams.model_validate({"model": model}), HERE).values()
    }

    assert len(hashes) == 2
