"""The views that ship are there in `campaign sql`, as they are in Athena."""

# ruff: noqa: S608  (queries of names that these tests give)

from __future__ import annotations

from pathlib import Path

import pytest
from synthetic_tables import publish_campaign

from runner.export.views import View, views
from runner.sql.query import query
from schemas.errors import UserError

ALL = list(views())


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("synthetic")
    publish_campaign(folder, "first", 60)
    return folder


@pytest.mark.parametrize("shipped", ALL, ids=lambda shipped: shipped.name)
def test_a_view_is_read_by_its_name(tables: Path, shipped: View) -> None:
    found = query(f"SELECT * FROM {shipped.name.upper()}", [tables])
    assert tuple(found.columns) == shipped.columns
    assert found.rows
    assert sorted(found.rows, key=str) == sorted(query(shipped.sql, [tables]).rows, key=str)


@pytest.mark.parametrize("shipped", ALL, ids=lambda shipped: shipped.name)
def test_a_view_is_described(tables: Path, shipped: View) -> None:
    found = query(f"DESCRIBE {shipped.name}", [tables])
    assert [row[:2] for row in found.rows] == list(shipped.columns)


def test_views_stand_wherever_tables_do(tables: Path) -> None:
    asked = (
        "SELECT count(*), count(s.cif) FROM structures AS s JOIN best_candidates AS b "
        "ON b.candidate_id = s.candidate_id WHERE s.stage = 'gap' "
        "AND s.candidate_id IN (SELECT candidate_id FROM hull WHERE on_hull)"
    )
    expected = (
        "SELECT count(*) FROM results WHERE stage = 'gap' AND outcome = 'ok' AND candidate_id IN "
        "(SELECT candidate_id FROM results WHERE on_hull AND stage = 'hull')"
    )
    (((n,),), (row,)) = query(expected, [tables]).rows, query(asked, [tables]).rows
    assert n > 0
    assert row == (n, n)


def test_a_name_that_a_query_gives_itself_goes_before_the_view(tables: Path) -> None:
    assert query("WITH funnel AS (SELECT 1 AS a) SELECT * FROM funnel", [tables]).rows == [(1,)]


def test_a_view_has_no_other_columns(tables: Path) -> None:
    with pytest.raises(UserError, match="no column 'ciff'; did you mean 'cif'"):
        query("SELECT ciff FROM structures", [tables])
