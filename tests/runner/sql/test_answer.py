# ruff: noqa: DTZ001  (published times are naive UTC)

import json
import subprocess
import sys
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from runner.sql.answer import Answer
from runner.sql.query import explain

ANSWER = Answer(
    [("a", "timestamp(3)"), ("b", "decimal(3,2)"), ("c", "array(double)"), ("d", "boolean")],
    [
        (datetime(2026, 1, 31, 10), Decimal("1.50"), [0.1, None], True),
        (date(2026, 1, 31), None, None, False),
    ],
)


def test_json_keeps_types_and_writes_times_and_decimals_as_text() -> None:
    data = json.loads(ANSWER.to_json())
    assert data["columns"][1] == {"name": "b", "type": "decimal(3,2)"}
    assert data["rows"][0] == ["2026-01-31 10:00:00.000", "1.50", [0.1, None], True]
    assert data["rows"][1] == ["2026-01-31", None, None, False]


def test_csv_has_a_line_of_names_and_empty_fields_for_null() -> None:
    lines = ANSWER.to_csv().splitlines()
    assert lines[0] == "a,b,c,d"
    assert lines[1] == '2026-01-31 10:00:00.000,1.50,"[0.1, null]",true'
    assert lines[2] == "2026-01-31,,,false"


def test_explain_shows_the_query_that_duckdb_runs(root: Path) -> None:
    assert "//" in explain("SELECT n_atoms / 2 FROM results", [root])


def test_importing_the_module_of_queries_imports_nothing_heavy() -> None:
    code = (
        "import sys, runner.sql.query, runner.export.parquet, schemas.tables;"
        "print([m for m in ('duckdb', 'sqlglot', 'pyarrow', 'pymatgen') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
