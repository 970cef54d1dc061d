from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optimade_bench import keep_answers
from table_bench import write_tables

from schemas.candidate import BASE_COLUMNS, Candidate
from schemas.columns import arrow_schema
from schemas.model import Model
from schemas.protocols import Generator, Surroundings
from schemas.registry import generators
from schemas.structure import Structure

ENOUGH = 20


@pytest.fixture(params=generators.names())
def generator(request: pytest.FixtureRequest) -> Generator:
    return generators.get(request.param)


@pytest.fixture
def params(generator: Generator) -> Any:
    """The first of the examples that the params model carries for its own documentation."""
    return generator.params.model_validate(generator.params.model_json_schema()["examples"][0])


@pytest.fixture
def surroundings(tmp_path: Path) -> Surroundings:
    """A folder with what examples name."""
    (tmp_path / "cifs").mkdir()
    for name, species in (("b", ("Na", "Cl")), ("a", ("Mg", "O"))):
        Structure(
            lattice_ang=((4.0, 0.0, 0.0), (0.0, 4.0, 0.0), (0.0, 0.0, 4.0)),
            species=species,
            frac_coords=((0.0, 0.0, 0.0), (0.5, 0.5, 0.5)),
        ).to_pymatgen().to(filename=str(tmp_path / "cifs" / f"{name}.cif"))
    write_tables(tmp_path)
    return Surroundings(folder=tmp_path, seed=7, cache=keep_answers(tmp_path / "cache"))


@pytest.fixture
def candidates(generator: Generator, params: Any, surroundings: Surroundings) -> list[Candidate]:
    return list(islice(generator.candidates(params, surroundings), ENOUGH))


def test_every_field_of_params_is_described(generator: Generator) -> None:
    assert issubclass(generator.params, Model)
    assert all(field.description for field in generator.params.model_fields.values())


def test_all_its_examples_are_valid_and_yield_candidates(
    generator: Generator, surroundings: Surroundings
) -> None:
    for example in generator.params.model_json_schema()["examples"]:
        params = generator.params.model_validate(example)
        assert next(iter(generator.candidates(params, surroundings)))


def test_the_same_seed_gives_the_same_sequence_of_the_same_cells(
    generator: Generator,
    params: Any,
    surroundings: Surroundings,
    candidates: list[Candidate],
) -> None:
    again = list(islice(generator.candidates(params, surroundings), ENOUGH))

    assert candidates
    assert [c.row() for c in again] == [c.row() for c in candidates]
    assert [c.id for c in again] == [c.id for c in candidates]


def test_its_count_is_the_length_of_the_sequence_where_it_gives_one(
    generator: Generator, params: Any, surroundings: Surroundings
) -> None:
    count = generator.count(params, surroundings)

    assert count is None or count == sum(1 for _ in generator.candidates(params, surroundings))


def test_rows_fit_the_declared_columns_and_have_no_others(
    generator: Generator, params: Any, candidates: list[Candidate]
) -> None:
    import pyarrow as pa

    columns = (*BASE_COLUMNS, *generator.columns(params))
    rows = [candidate.row() for candidate in candidates]

    assert len({column.name for column in columns}) == len(columns)
    assert all(set(row) <= {column.name for column in columns} for row in rows)
    pa.RecordBatch.from_pylist(rows, schema=arrow_schema(columns)).validate(full=True)


def test_rows_agree_with_the_cells_that_they_describe(candidates: list[Candidate]) -> None:
    for candidate in candidates:
        species = candidate.structure.species
        assert candidate.formula == candidate.structure.formula
        assert dict(candidate.composition) == {e: species.count(e) for e in species}
        assert set(candidate.sites.values()) <= set(species)


def test_the_row_names_the_generator_as_campaign_files_do(
    generator: Generator, candidates: list[Candidate]
) -> None:
    assert generators.get(candidates[0].generator) is generator


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(stop=st.integers(0, ENOUGH))
def test_stopping_early_changes_nothing_of_what_came_before(
    generator: Generator,
    params: Any,
    surroundings: Surroundings,
    candidates: list[Candidate],
    stop: int,
) -> None:
    part = islice(generator.candidates(params, surroundings), stop)

    assert [c.row() for c in part] == [c.row() for c in candidates][:stop]
