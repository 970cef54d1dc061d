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


FEWER = "WITH results AS (SELECT * FROM results WHERE stage = 'none')"
OTHER = "WITH results AS (SELECT 1 AS x), screening AS (SELECT 1 AS x), attempts AS (SELECT 1 AS x)"


PLACES = (
    "{clause}, later AS (SELECT * FROM {name}) SELECT count(*) FROM later",
    "{clause} SELECT (SELECT count(*) FROM {name}) FROM (VALUES 1) AS t (a)",
    "SELECT count(*) FROM ({clause} SELECT * FROM {name}) AS s",
    "{clause} SELECT count(*) FROM (WITH deeper AS (SELECT * FROM {name}) SELECT * FROM deeper)",
)


@pytest.mark.parametrize("clause", [FEWER, OTHER], ids=["fewer", "other"])
@pytest.mark.parametrize(
    ("name", "asked"),
    [
        *((shipped.name, "{clause} SELECT count(*) FROM {name}") for shipped in ALL),
        *(("best_candidates", asked) for asked in PLACES),
    ],
)
def test_a_view_sees_nothing_of_the_querys_own_with(
    tables: Path, clause: str, name: str, asked: str
) -> None:
    expected = query(f"SELECT count(*) FROM {name}", [tables]).rows
    assert expected != [(0,)]
    assert query(asked.format(clause=clause, name=name), [tables]).rows == expected


def test_a_name_of_with_still_stands_for_a_table_in_the_query_itself(tables: Path) -> None:
    asked = f"{FEWER} SELECT (SELECT count(*) FROM results), count(*) FROM hull"
    ((fewer, n),) = query(asked, [tables]).rows
    assert (fewer, n > 0) == (0, True)
    later = "WITH a AS (SELECT count(*) AS n FROM results), results AS (SELECT 1 AS x) SELECT n > 1"
    assert query(f"{later} FROM a", [tables]).rows == [(True,)]


def test_a_name_of_with_may_be_that_of_a_view_that_it_reads(tables: Path) -> None:
    asked = "WITH hull AS (SELECT candidate_id FROM hull WHERE on_hull) SELECT count(*) FROM hull"
    expected = query("SELECT count(*) FROM hull WHERE on_hull", [tables]).rows
    assert query(asked, [tables]).rows == expected
    assert query(f"SELECT * FROM ({asked}) AS s", [tables]).rows == expected


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("SELECT * FROM funel", "funnel"),
        ("SELECT * FROM resluts", "results"),
        ("WITH oxides AS (SELECT 1 AS a) SELECT * FROM oxide", "oxides"),
    ],
)
def test_an_unknown_table_is_told_the_nearest_table_view_or_name_of_with(
    tables: Path, asked: str, meant: str
) -> None:
    with pytest.raises(UserError, match=f"did you mean '{meant}'"):
        query(asked, [tables])
