"""How `campaign sql` gives its answers: tables, CSV, JSON, Parquet, and both texts of a query."""

# ruff: noqa: DTZ001  (published times are naive UTC)

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from synthetic_tables import publish_campaign

from runner import show_sql
from runner.sql.answer import Answer
from runner.sql.arrow import arrow_table, write_parquet
from schemas.errors import UserError

ROWS = (
    "SELECT formula, elements, n_atoms, finished_at FROM results "
    "WHERE stage = 'relax' AND outcome = 'ok' ORDER BY candidate_id LIMIT 2"
)


@pytest.fixture
def data(bench: Any) -> Path:
    """Tables where the command finds them."""
    folder: Path = bench.folder / "data" / "tables"
    folder.mkdir(parents=True)
    publish_campaign(folder, "first", 60)
    return folder


TYPED: list[tuple[str, list[object], pa.DataType]] = [
    ("bigint", [1, None], pa.int64()),
    ("integer", [1, None], pa.int32()),
    ("double", [0.5, None], pa.float64()),
    ("decimal(10,2)", [Decimal("1.50"), None], pa.decimal128(10, 2)),
    ("boolean", [True, None], pa.bool_()),
    ("varchar", ["a", None], pa.string()),
    ("varchar(3)", ["a", None], pa.string()),
    ("date", [date(2026, 1, 31), None], pa.date32()),
    ("timestamp(3)", [datetime(2026, 1, 31, 10), None], pa.timestamp("ms")),
    ("timestamp(6)", [datetime(2026, 1, 31, 10), None], pa.timestamp("us")),
    ("varbinary", [b"a", None], pa.binary()),
    ("array(varchar)", [["a", None], None], pa.list_(pa.string())),
    ("array(array(bigint))", [[[1], []], None], pa.list_(pa.list_(pa.int64()))),
    ("map(varchar, bigint)", [{"a": 1}, None], pa.map_(pa.string(), pa.int64())),
    ("array(map(varchar, bigint))", [[{"a": 1}], None], pa.list_(pa.map_(pa.string(), pa.int64()))),
]


@pytest.mark.parametrize(("kind", "values", "wanted"), TYPED, ids=[kind for kind, *_ in TYPED])
@pytest.mark.parametrize("empty", [False, True])
def test_a_parquet_file_keeps_the_types_of_an_answer(
    tmp_path: Path, kind: str, values: list[object], wanted: pa.DataType, *, empty: bool
) -> None:
    rows = [] if empty else [(value,) for value in values]
    write_parquet(Answer([("x", kind)], rows), tmp_path / "a.parquet")
    column = pq.read_table(tmp_path / "a.parquet")["x"]
    assert column.type.equals(wanted) or str(column.type).replace("element", "item") == str(wanted)
    known = [dict(one) if pa.types.is_map(wanted) and one else one for one in column.to_pylist()]
    if "array(map" not in kind:
        assert known == ([] if empty else values)


def test_a_type_that_arrow_does_not_name_is_that_of_the_values_or_text() -> None:
    table = arrow_table(Answer([("a", "hugeint"), ("b", "odd")], [(1, "x"), (None, 2)]))
    assert table["a"].to_pylist() == [1, None]
    assert table["b"].to_pylist() == ["x", "2"]


def test_two_columns_of_one_name_do_not_fit_into_parquet(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'n'.*AS"):
        write_parquet(Answer([("n", "bigint"), ("N", "bigint")], []), tmp_path / "a.parquet")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--parquet"):
        write_parquet(Answer([("n", "bigint")], []), tmp_path / "none" / "a.parquet")
    assert list(tmp_path.iterdir()) == []


def test_the_command_writes_parquet(data: Path, call: Any, tmp_path: Path) -> None:
    file = tmp_path / "answer.parquet"
    code, out, _ = call("sql", ROWS, "--parquet", str(file))
    assert (code, out) == (0, f"2 rows written to {file}\n")
    table = pq.read_table(file)
    assert table.column_names == ["formula", "elements", "n_atoms", "finished_at"]
    assert table.schema.field("finished_at").type == pa.timestamp("ms")
    assert table["n_atoms"].to_pylist() == [5, 5]


def test_json_has_types_lists_and_times_as_athena_writes_them(data: Path, call: Any) -> None:
    found = json.loads(call("sql", ROWS, "--json")[1])["data"]
    assert found["types"] == ["varchar", "array(varchar)", "bigint", "timestamp(3)"]
    assert isinstance(found["rows"][0][1], list)
    assert found["rows"][0][3].startswith("2026-01-01 00:")
    assert (found["warnings"], found["athena"]) == ([], None)
    found = json.loads(call("sql", "SELECT 1.50 AS p, NULL AS n", "--json")[1])["data"]
    assert found["rows"] == [["1.50", None]]


def test_csv_has_one_line_a_row_and_lists_as_json(data: Path, call: Any) -> None:
    lines = call("sql", ROWS, "--csv")[1].splitlines()
    assert lines[0] == "formula,elements,n_atoms,finished_at"
    assert len(lines) == 3
    assert '"[""' in lines[1]


def test_people_see_no_columns_without_a_value_where_there_are_many(data: Path, call: Any) -> None:
    out = call("sql", "SELECT * FROM results WHERE stage = 'hull' LIMIT 1")[1]
    assert "columns that hold nothing here are not shown" in out
    assert "stress_gpa" not in out
    assert "stress_gpa" in call("sql", "SELECT stress_gpa FROM results LIMIT 1")[1]
    assert "stress_gpa" in call("sql", "SELECT * FROM results LIMIT 1", "--csv")[1]


def test_control_characters_reach_no_terminal_but_stay_in_csv(data: Path, call: Any) -> None:
    asked = """SELECT chr(27) || '[31mred' AS "a\x1bb", ARRAY[chr(7) || chr(127)] AS c"""
    _, printed, _ = call("sql", asked)
    assert not set(printed) & set("\x07\x1b\x7f")
    assert r"\x1b[31mred" in printed
    assert r"a\x1bb" in printed
    assert r'["\u0007\x7f"]' in printed
    _, csv, _ = call("sql", asked, "--csv")
    assert "\x1b[31mred" in csv


def test_explain_shows_both_texts_of_a_query(data: Path, call: Any) -> None:
    out = call("sql", "SELECT n_atoms / 2 FROM results", "--explain")[1]
    assert out.startswith("-- Athena\nSELECT n_atoms / 2 FROM results\n\n-- DuckDB\nSELECT")
    assert "//" in out.split("-- DuckDB")[1]
    found = json.loads(call("sql", "SELECT 1", "--explain", "--json")[1])["data"]
    assert (found["athena"], "1" in found["duckdb"]) == ("SELECT 1", True)
    out = call("sql", "FROM results", "--explain", "--dialect", "duckdb")[1]
    assert out == "FROM results\n"


def test_warnings_go_to_the_error_output_and_into_json(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = Answer([("n", "bigint")], [(1,)], ("n / 2: drops the fraction",))
    show_sql.answer(found, csv=True, json=False, parquet=None)
    printed = capsys.readouterr()
    assert printed.out == "n\n1\n"
    assert printed.err == "warning: n / 2: drops the fraction\n"
    show_sql.answer(found, csv=False, json=True, parquet=None)
    data = json.loads(capsys.readouterr().out)["data"]
    assert data["warnings"] == ["n / 2: drops the fraction"]


def test_one_form_of_output_is_chosen(call: Any) -> None:
    code, _, err = call("sql", "SELECT 1", "--csv", "--json")
    assert (code, "choose one" in err) == (2, True)
