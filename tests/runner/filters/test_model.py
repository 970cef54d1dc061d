from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from runner.crystal.cells import CellArrays, to_arrow
from runner.filters.model import ModelParams, plugin
from runner.ml import registry
from runner.ml.domain import Domain
from runner.ml.protocol import Prediction, Record
from schemas.columns import Column
from schemas.errors import UserError
from schemas.protocols import Surroundings
from schemas.structure import Structure

HERE = Surroundings(folder=Path(), seed=0)


class Counting:
    """Predicts the number of atoms, with an uncertainty; fails for cells of three atoms."""

    record = Record(
        name="counting",
        version="1",
        method_key="counting-1",
        description="counts",
        citation="10.0000/none",
        licence="MIT",
        columns=(Column("size", "float", "Atoms."), Column("twice", "int", "Twice as many.")),
        domain=Domain(frozenset({"Si", "O"})),
        uncertain=("size",),
    )

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.problem: str | None = None

    def missing(self) -> str | None:
        return self.problem

    def weights(self) -> dict[str, str]:
        return {"weights of counting": "f" * 64}

    def setup(self, device: str):
        def predict(cells: CellArrays) -> Prediction:
            self.asked.append(len(cells))
            sizes = np.diff(cells.starts).astype(float)
            return Prediction(
                {"size": sizes / 3, "twice": 2 * sizes},
                ["three is too many" if size == 3 else None for size in sizes],
                {"size": np.full(len(cells), 0.25)},
            )

        return predict


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Counting:
    model = Counting()
    monkeypatch.setattr(registry, "BUILT_IN", {"counting": model})
    return model


def chain(*species: str) -> Structure:
    return Structure.model_validate(
        {
            "lattice_ang": [[3.0 * len(species), 0, 0], [0, 4, 0], [0, 0, 4]],
            "species": species,
            "frac_coords": [[i / len(species), 0, 0] for i in range(len(species))],
        }
    )


def scored(*structures: Structure) -> list[dict[str, object]]:
    batch = pa.record_batch({"structure": to_arrow(structures)})
    params = ModelParams(model="counting")
    rows: list[dict[str, object]] = plugin.scorer(params, HERE)(batch).to_pylist()
    return rows


def test_values_uncertainties_and_errors_of_any_model_become_columns(counting: Counting) -> None:
    rows = scored(chain("Si"), chain("Si", "O"), chain("Si", "O", "O"))

    assert rows[0] == {
        "size": 0.3333333,
        "size_uncertainty": 0.25,
        "twice": 2,
        "note": None,
        "error": None,
    }
    assert rows[1]["twice"] == 4
    assert rows[2]["error"] == "three is too many"
    assert rows[2]["size"] is None
    assert rows[2]["size_uncertainty"] is None
    declared = [column.name for column in plugin.columns(ModelParams(model="counting"))]
    assert declared == ["size", "size_uncertainty", "twice"]


def test_a_model_is_not_asked_about_elements_that_it_never_saw(counting: Counting) -> None:
    rows = scored(chain("Si"), chain("Si", "U"), chain("O"))

    assert counting.asked == [2]
    assert rows[1]["note"] == "counting was not trained on U"
    assert rows[1]["size"] is None
    assert [row["twice"] for row in rows] == [2, None, 2]
    assert scored(chain("U"))[0]["note"] == "counting was not trained on U"


def test_what_is_missing_is_told_when_the_score_is_set_up(counting: Counting) -> None:
    counting.problem = "the file counting.pt is not there; get it from its authors"

    with pytest.raises(UserError, match=r"model counting: the file counting.pt is not there"):
        plugin.scorer(ModelParams(model="counting"), HERE)


def test_an_unknown_name_is_told_with_what_there_is() -> None:
    with pytest.raises(
        ValidationError, match=r"no model 'chgnt-0.3.0'; did you mean 'chgnet-0.3.0"
    ):
        ModelParams(model="chgnt-0.3.0")


def test_the_weights_of_the_model_decide_the_values(counting: Counting) -> None:
    assert plugin.files(ModelParams(model="counting"), HERE) == {"weights of counting": "f" * 64}
