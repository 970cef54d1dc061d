"""What holds for every analysis, whichever it is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.columns import NOTE, arrow_schema
from schemas.protocols import Analysis, Gathered
from schemas.registry import analyses
from schemas.structure import Structure

CELLS = ("Mg", "O", "Mg O", "Ni", "Sr Ti O O O", "Mg Mg", "O O", "Og Mg")


@pytest.fixture(params=analyses.names())
def analysis(request: pytest.FixtureRequest) -> Analysis:
    return analyses.get(request.param)


@pytest.fixture
def params(analysis: Analysis) -> Any:
    """The first example that the params model carries, or its defaults."""
    schema = analysis.params.model_json_schema()
    return analysis.params.model_validate(schema.get("examples", [{}])[0])


@pytest.fixture
def gathered(analysis: Analysis, params: Any) -> list[Gathered]:
    """Ordinary candidates and odd ones: equal ones, elements without reference, no values."""
    return [_gathered(n, cell, analysis.requires(params)) for n, cell in enumerate(CELLS)]


def _gathered(number: int, species: str, columns: tuple[str, ...]) -> Gathered:
    atoms = tuple(species.split())
    cell = Structure(
        lattice_ang=((4.0, 0.0, 0.0), (0.0, 4.0, 0.0), (0.0, 0.0, 4.0)),
        species=atoms,
        frac_coords=tuple((n / len(atoms), 0.0, 0.0) for n in range(len(atoms))),
    )
    energy = None if number == len(CELLS) - 1 else -1.0 - 0.5 * number
    return Gathered(f"{number:064d}", cell.formula, cell, dict.fromkeys(columns, energy))


def test_there_is_a_row_for_each_candidate_of_declared_columns_as_json(
    analysis: Analysis, params: Any, gathered: list[Gathered]
) -> None:
    declared = (*analysis.columns(params), NOTE)
    assert len(arrow_schema(declared)) == len({column.name for column in declared})
    rows = analysis.rows(gathered, params)
    assert len(rows) == len(gathered)
    for row in rows:
        assert set(row) <= {column.name for column in declared}
        assert json.loads(json.dumps(row, allow_nan=False)) == row


def test_rows_are_the_same_in_any_order(
    analysis: Analysis, params: Any, gathered: list[Gathered]
) -> None:
    rows = analysis.rows(gathered, params)
    assert analysis.rows(gathered[::-1], params) == rows[::-1]


def test_no_candidates_have_no_rows(analysis: Analysis, params: Any) -> None:
    assert analysis.rows([], params) == []
