from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from runner.crystal.cells import to_arrow
from runner.space.prototype import PrototypeParams
from runner.space.prototype import plugin as prototype
from schemas.candidate import BASE_COLUMNS
from schemas.columns import arrow_schema, arrow_type
from schemas.errors import UserError
from schemas.model import Model
from schemas.protocols import Score, Surroundings
from schemas.registry import scores

HERE = Surroundings(folder=Path(), seed=7)
SPACES = (
    PrototypeParams(
        prototype="perovskite-cubic",
        species={"A": ("Sr", "Ar", "Na"), "B": ("Ti", "Cu", "Pb"), "X": ("O", "Cl", "Ti")},
    ),
    PrototypeParams(prototype="diamond", species={"A": ("Si", "C", "Og")}, lattice_ang=5.0),
)


@pytest.fixture(params=scores.names())
def score(request: pytest.FixtureRequest) -> Score:
    return scores.get(request.param)


@pytest.fixture
def params(score: Score) -> Any:
    """The first example that the params model carries, or its defaults."""
    return score.params.model_validate(score.params.model_json_schema().get("examples", [{}])[0])


@pytest.fixture
def batch(score: Score, params: Any) -> pa.RecordBatch:
    """Ordinary rows and odd ones: noble gases, metals, repeated elements, no site labels."""
    try:
        score.files(params, HERE)
    except UserError as error:
        if "not installed" in str(error):  # a model whose extra is missing
            pytest.skip(str(error))
    candidates = [c for p in SPACES for c in prototype.candidates(p, HERE)]
    table = pa.RecordBatch.from_pylist(
        [candidate.row() for candidate in candidates], schema=arrow_schema(BASE_COLUMNS)
    )
    cells = to_arrow([candidate.structure for candidate in candidates])
    table = table.append_column("structure", cells)
    unlabelled = pa.array([i % 7 == 0 for i in range(len(table))])
    sites = pa.compute.if_else(unlabelled, pa.scalar(None, pa.string()), table["sites"])
    at = table.schema.get_field_index("sites")
    table = table.set_column(at, table.schema.field(at), sites)
    wanted = score.requires(params)
    if missing := set(wanted) - set(table.schema.names):
        pytest.skip(f"reads columns that other scores make: {', '.join(missing)}")
    return table.select(list(wanted))


def test_every_field_of_params_is_described(score: Score) -> None:
    assert issubclass(score.params, Model)
    assert all(field.description for field in score.params.model_fields.values())


def test_its_columns_are_those_declared_with_note_and_error_and_one_row_per_row(
    score: Score, params: Any, batch: pa.RecordBatch
) -> None:
    scored = score.scorer(params, HERE)(batch)

    assert scored.num_rows == batch.num_rows
    declared = {column.name: arrow_type(column.type) for column in score.columns(params)}
    found = {field.name: field.type for field in scored.schema}
    assert found == {**declared, "note": pa.string(), "error": pa.string()}


def test_every_column_is_described(score: Score, params: Any) -> None:
    assert all(column.description for column in score.columns(params))


def test_a_row_has_the_same_score_in_any_batch(
    score: Score, params: Any, batch: pa.RecordBatch
) -> None:
    scorer = score.scorer(params, HERE)
    whole = scorer(batch).to_pylist()
    backwards = batch.take(pa.array(range(len(batch) - 1, -1, -1)))

    assert scorer(backwards).to_pylist()[::-1] == whole
    assert [scorer(batch.slice(i, 1)).to_pylist()[0] for i in range(len(batch))] == whole


def test_an_empty_batch_gives_an_empty_batch_of_the_same_columns(
    score: Score, params: Any, batch: pa.RecordBatch
) -> None:
    scorer = score.scorer(params, HERE)

    assert scorer(batch.slice(0, 0)).num_rows == 0
    assert scorer(batch.slice(0, 0)).schema.equals(scorer(batch).schema)


def test_a_row_that_fails_has_an_error_and_leaves_the_others_alone(
    score: Score, params: Any, batch: pa.RecordBatch
) -> None:
    if "elements" not in batch.schema.names:
        pytest.skip("does not read elements")
    elements = batch["elements"].to_pylist()
    elements[1] = ["Qq", *elements[1][1:]]
    at = batch.schema.get_field_index("elements")
    broken = batch.set_column(at, batch.schema.field(at), pa.array(elements))
    scorer = score.scorer(params, HERE)

    before, after = scorer(batch).to_pylist(), scorer(broken).to_pylist()

    assert after[1]["error"]
    assert [row for i, row in enumerate(after) if i != 1] == [
        row for i, row in enumerate(before) if i != 1
    ]


def test_a_row_with_an_error_has_no_values(
    score: Score, params: Any, batch: pa.RecordBatch
) -> None:
    for row in score.scorer(params, HERE)(batch).to_pylist():
        if row["error"]:
            assert all(row[column.name] is None for column in score.columns(params))
