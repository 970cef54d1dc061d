"""`campaign sql --cloud`, against an emulator of Athena over moto: real requests, queued answers.

No query is run by it; what Athena itself makes of one is not tested here.
"""

# ruff: noqa: DTZ001, E501, ISC004  (published times are naive UTC; a case a line; long queries)

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from runner.export.address import LakeAddress
from runner.export.lake import Lake, remember
from runner.export.parquet import publish
from runner.place import place_of
from runner.sql.cloud import Progress, ask, costs, price_usd
from runner.sql.cloud_place import CloudPlace, cloud_place
from runner.sql.query import query
from schemas.columns import Column
from schemas.errors import UserError
from schemas.export import Glue
from schemas.tables import RESULTS, SCREENING

pytest_plugins = ["athena_server"]

PLACE = CloudPlace("materials", "screening", "s3://answers/here/")


def lake(bucket: str, prefix: str = "lake", **glue: Any) -> LakeAddress:
    return LakeAddress(bucket, prefix, Glue(**glue))


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of three candidates, and what was screened."""
    folder = tmp_path_factory.mktemp("tables")
    extra = (
        Column("energy_ev_per_atom", "float", "Total energy.", "eV"),
        Column("norms", "floats", "Norms of something."),
    )
    moment = datetime(2026, 1, 31, 10, 0, 0, 120_000)
    rows = [
        {"candidate_id": "aa", "formula": "BaTiO3", "elements": ["Ba", "O", "Ti"], "n_atoms": 5,
         "outcome": "ok", "energy_ev_per_atom": -8.5, "norms": [0.5, None, 1e-12],
         "recovery": [{"failure": "scf_not_converged", "action": "less mixing"}],
         "started_at": moment},
        {"candidate_id": "bb", "formula": "MgO", "elements": ["Mg", "O"], "n_atoms": 2,
         "outcome": "ok", "norms": []},
        {"candidate_id": "cc", "formula": "CaO", "elements": ["Ca", "O"], "n_atoms": 2,
         "outcome": "failed", "failure": "out_of_walltime"},
    ]  # fmt: skip
    columns = (*RESULTS, *extra)
    publish(folder, "results", {"campaign": "solar", "stage": "scf"}, rows, columns)
    screened = [{"row": 0, "formula": "HgO", "verdict": "reject", "reason": "toxic"}]
    publish(folder, "screening", {"campaign": "solar"}, screened, SCREENING)
    return folder


@pytest.fixture
def place(athena: Any, tables: Path) -> CloudPlace:
    """A lake of the emulator with those tables."""
    address = lake(athena.bucket(f"cloud-{uuid4().hex}"))
    Lake(address).send(tables, None)
    return cloud_place([address])


def test_a_query_goes_to_database_workgroup_and_place_of_results(athena: Any) -> None:
    athena.queue([("n", "bigint")], [(3,)])
    assert ask(PLACE, "SELECT count(*) AS n FROM results").answer.rows == [(3,)]
    (asked,) = athena.started
    assert asked["QueryString"] == "SELECT count(*) AS n FROM results"
    assert asked["QueryExecutionContext"] == {"Database": "materials"}
    assert asked["WorkGroup"] == "screening"
    assert asked["ResultConfiguration"] == {"OutputLocation": "s3://answers/here/"}


def test_where_nothing_is_said_the_workgroup_says_where_answers_go(athena: Any) -> None:
    athena.queue([("n", "bigint")], [])
    ask(CloudPlace("materials"), "SELECT 1 AS n")
    assert "ResultConfiguration" not in athena.started[0]
    assert athena.started[0]["WorkGroup"] == "primary"


VALUES = [
    ("i", "integer", [1, None, -3]),
    ("b", "bigint", [2**60, None, 0]),
    ("d", "double", [0.1, None, -1.5e-300]),
    ("p", "decimal(10,2)", [Decimal("1.50"), None, Decimal("-0.01")]),
    ("t", "boolean", [True, None, False]),
    ("day", "date", [date(2026, 1, 31), None, date(1970, 1, 1)]),
    ("at", "timestamp(3)", [datetime(2026, 1, 31, 10, 0, 0, 120_000), None, datetime(2026, 1, 1)]),
    ("s", "varchar", ["a, 'b'", None, ""]),
    ("x", "varbinary", [b"\x00a", None, b""]),
]


def test_values_have_the_types_of_the_local_engine(athena: Any) -> None:
    columns = [(name, kind) for name, kind, _ in VALUES]
    rows = list(zip(*(values for *_, values in VALUES), strict=True))
    athena.queue(columns, rows)
    found = ask(PLACE, "SELECT * FROM results").answer
    assert found.columns == columns
    assert found.rows == rows
    assert [type(value) for value in found.rows[0]] == [type(value) for value in rows[0]]


LOCAL = (
    "SELECT formula, elements, n_atoms, energy_ev_per_atom, norms, started_at "
    "FROM results WHERE campaign = 'solar' ORDER BY formula",
    "SELECT outcome, histogram(n_atoms) AS h, array_agg(failure ORDER BY formula) AS f "
    "FROM results GROUP BY outcome ORDER BY outcome",
    "SELECT ARRAY[ARRAY[1, 2], ARRAY[3]] AS a, 1.50 AS p, DATE '2026-01-31' AS d",
    "SELECT recovery, formula AS BaTi FROM results ORDER BY formula, campaign",
    "SELECT n_atoms / 2 AS half, ROW(formula, n_atoms) AS r FROM results ORDER BY formula",
    "SELECT ARRAY[TIMESTAMP '2026-01-31 10:00:00', NULL] AS t, map_agg(formula, energy_ev_per_atom) AS m FROM results",
)


@pytest.mark.parametrize("sql", LOCAL)
def test_what_athena_prints_is_read_as_the_local_engine_answers(
    athena: Any, place: CloudPlace, tables: Path, sql: str
) -> None:
    local = query(sql, [tables])
    athena.queue(local.columns, local.rows)
    assert ask(place, sql).answer == local


def test_texts_in_a_list_that_could_be_taken_apart_otherwise_stay_text(
    athena: Any, place: CloudPlace
) -> None:
    sql = "SELECT array_agg(reason) AS reasons FROM screening"
    athena.queue([("reasons", "array(varchar)")], [(["no radius, no charge", "toxic"],)])
    found = ask(place, sql).answer
    assert found.columns == [("reasons", "varchar")]
    assert found.rows == [("[no radius, no charge, toxic]",)]
    assert "json_format(CAST(reasons AS json))" in found.warnings[0]


def test_lists_of_a_query_that_is_not_known_here_stay_text(athena: Any, place: CloudPlace) -> None:
    athena.queue([("m", "array(double)")], [([0.5],)])
    found = ask(place, "SELECT numeric_histogram(3, walltime_s) AS m FROM results").answer
    assert (found.columns, found.rows) == ([("m", "varchar")], [("[0.5]",)])
    assert found.warnings


def test_numbers_that_are_none_are_told(athena: Any) -> None:
    athena.queue([("x", "double")], [("NaN",), ("Infinity",)])
    found = ask(PLACE, "SELECT x FROM results").answer
    assert found.rows[1] == (float("inf"),)
    assert "'x'" in found.warnings[0]


def test_all_pages_of_an_answer_are_read_and_its_names_are_no_row(athena: Any) -> None:
    athena.page_rows = 2
    athena.queue([("n", "bigint")], [(number,) for number in range(7)])
    found = ask(PLACE, "SELECT n FROM results")
    assert found.answer.rows == [(number,) for number in range(7)]
    assert athena.asked.count("GetQueryResults") == 4


def test_statements_beside_queries_have_no_row_of_names(athena: Any) -> None:
    athena.queue([("partition", "varchar")], [("campaign=solar",)], named=False)
    assert ask(PLACE, "SHOW PARTITIONS results").answer.rows == [("campaign=solar",)]


def test_it_is_asked_until_it_has_ended_and_told_what_it_read(athena: Any) -> None:
    athena.polls, athena.scanned_bytes = 3, 250_000_000
    athena.queue([("n", "bigint")], [])
    told: list[Progress] = []
    found = ask(PLACE, "SELECT n FROM results", told.append)
    assert [one.state for one in told] == ["RUNNING", "RUNNING", "SUCCEEDED"]
    assert found.usd == pytest.approx(250e6 / 1e12 * 5)
    assert "read 250 MB" in costs(found)
    assert "about 0.12 cents" in costs(found)


def test_a_query_costs_at_least_ten_megabytes_and_nothing_where_nothing_is_read() -> None:
    assert price_usd(1) == price_usd(10_000_000) == pytest.approx(5e-5)
    assert price_usd(0) == 0


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE results",
        "INSERT INTO results SELECT 1",
        "CREATE TABLE a AS SELECT 1",
        "-- SELECT\nDELETE FROM results",
        "/* SELECT */ UNLOAD (SELECT 1) TO 's3://x/'",
        "EXPLAIN ANALYZE INSERT INTO a SELECT 1",
        "",
    ],
)
def test_what_does_more_than_read_is_not_sent(athena: Any, sql: str) -> None:
    with pytest.raises(UserError, match="SELECT"):
        ask(PLACE, sql)
    assert athena.asked == []


def test_a_query_may_begin_with_comments_and_parentheses(athena: Any) -> None:
    athena.queue([("n", "bigint")], [(1,)])
    assert ask(PLACE, "-- what\n/* and\nwhy */ (SELECT 1 AS n)").answer.rows == [(1,)]


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        ("SYNTAX_ERROR: line 1:8: Column 'gap' cannot be resolved", "DESCRIBE"),
        ("TABLE_NOT_FOUND: line 1:15: Table 'results' does not exist", "SHOW TABLES"),
        ("SCHEMA_NOT_FOUND: Schema 'x' does not exist", "--database"),
        ("Access Denied: Insufficient Lake Formation permission(s)", "docs/lake.md"),
        ("Unable to verify/create output bucket answers", "--query-results"),
        ("DIVISION_BY_ZERO: Division by zero", "nullif"),
    ],
)
def test_a_query_that_fails_says_so_in_the_words_of_athena(
    athena: Any, reason: str, advice: str
) -> None:
    athena.state, athena.reason = "FAILED", reason
    with pytest.raises(UserError) as caught:
        ask(PLACE, "SELECT 1")
    assert reason in str(caught.value)
    assert advice in str(caught.value)
    assert "database materials, workgroup screening" in str(caught.value)


def test_a_query_over_the_limit_of_bytes_is_told_how_to_read_less(athena: Any) -> None:
    athena.state, athena.reason = "CANCELLED", "Bytes scanned limit was exceeded"
    with pytest.raises(UserError, match="name the columns"):
        ask(PLACE, "SELECT * FROM results")


def test_what_athena_takes_for_transient_may_be_asked_again(athena: Any) -> None:
    athena.state, athena.reason = "FAILED", "GENERIC_INTERNAL_ERROR: oops"
    athena.error = {"ErrorCategory": 1, "ErrorType": 1, "Retryable": True}
    with pytest.raises(UserError, match="ask again"):
        ask(PLACE, "SELECT 1")


@pytest.mark.parametrize(
    ("operation", "code", "message", "advice"),
    [
        ("StartQueryExecution", "InvalidRequestException", "No output location provided", "--query-results"),
        ("StartQueryExecution", "InvalidRequestException", "WorkGroup is not found.", "--workgroup"),
        ("StartQueryExecution", "AccessDeniedException", "User: me is not authorized", "docs/lake.md"),
        ("StartQueryExecution", "TooManyRequestsException", "Rate exceeded", "in a minute"),
        ("StartQueryExecution", "UnrecognizedClientException", "token is invalid", "aws configure"),
        ("GetQueryResults", "AccessDeniedException", "not authorized", "docs/lake.md"),
        ("GetQueryExecution", "ExpiredTokenException", "expired", "stop-query-execution"),
        ("GetQueryExecution", "ExpiredTokenException", "expired", "aws sso login"),
    ],
)  # fmt: skip
def test_what_athena_does_not_allow_is_explained(
    athena: Any, operation: str, code: str, message: str, advice: str
) -> None:
    athena.refuses = {operation: (code, message)}
    athena.queue([("n", "bigint")], [])
    with pytest.raises(UserError) as caught:
        ask(PLACE, "SELECT 1")
    assert message in str(caught.value)
    assert advice in str(caught.value)


def test_without_a_region_one_is_told_to_set_it(
    athena: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    with pytest.raises(UserError, match="set AWS_REGION"):
        ask(PLACE, "SELECT 1")


def test_without_credentials_one_is_told_to_sign_in(
    athena: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    with pytest.raises(UserError, match="aws configure"):
        ask(PLACE, "SELECT 1")


def test_tables_and_columns_are_told_by_glue_without_a_query(
    athena: Any, place: CloudPlace
) -> None:
    assert ask(place, "SHOW TABLES").answer.rows == [
        ("attempts",), ("campaigns",), ("results",), ("screening",),
    ]  # fmt: skip
    found = ask(place, "DESCRIBE results").answer
    assert found.columns[0] == ("Column", "varchar")
    assert (
        "elements",
        "array(varchar)",
        "",
        "Elements of the cell, sorted by symbol.",
    ) in found.rows
    assert ("stage", "varchar", "partition key") in [row[:3] for row in found.rows]
    assert athena.started == []
    with pytest.raises(UserError, match="results"):
        ask(place, "DESCRIBE result")


def test_a_database_that_is_not_there_is_explained(athena: Any) -> None:
    with pytest.raises(UserError, match="campaign export"):
        ask(CloudPlace("nowhere"), "SHOW TABLES")


def test_where_to_ask_comes_from_the_lakes_and_is_changed_by_options() -> None:
    mine = lake("b", database="d", workgroup="w", query_results="s3://answers/x")
    assert cloud_place([mine]) == CloudPlace("d", "w", "s3://answers/x/")
    assert cloud_place([lake("b-1")]) == CloudPlace("b_1_lake", "primary", None)
    assert cloud_place([mine], workgroup="v").workgroup == "v"
    assert cloud_place([mine], query_results="s3://other/").query_results == "s3://other/"
    assert cloud_place([mine], database="e") == CloudPlace("e")


@pytest.mark.parametrize(
    ("lakes", "options", "said"),
    [
        ([], {}, "campaign export NAME --to s3://"),
        ([LakeAddress("b", "", None)], {}, "glue: false"),
        ([lake("b"), lake("c")], {}, "b_lake or c_lake"),
        ([lake("b", workgroup="v"), lake("b", workgroup="w")], {}, "--workgroup"),
        ([lake("b")], {"query_results": "answers"}, "--query-results: found 'answers'"),
    ],
)
def test_where_it_is_not_clear_whom_to_ask_a_message_says_so(
    lakes: list[LakeAddress], options: dict[str, str], said: str
) -> None:
    with pytest.raises(UserError) as caught:
        cloud_place(lakes, **options)
    assert said in str(caught.value)


@pytest.fixture
def published(athena: Any, bench: Any, tmp_path: Path) -> LakeAddress:
    """A lake that this machine has published to."""
    address = lake("some-bucket", database="materials", query_results="s3://answers")
    remember(address.side(place_of(None, environ=bench.environ).data), address)
    return address


def test_the_command_prints_the_answer_and_says_what_it_cost(
    athena: Any, published: LakeAddress, call: Any
) -> None:
    athena.scanned_bytes = 12_000_000_000
    athena.queue([("formula", "varchar"), ("n", "bigint")], [("MgO", 3)])
    code, out, err = call("sql", "--cloud", "SELECT formula, n FROM results")
    assert code == 0
    assert "MgO" in out
    assert "database materials" in err
    assert "12 GB" in err
    assert "6.00 cents" in err
    assert athena.started[0]["ResultConfiguration"]["OutputLocation"] == "s3://answers/"


def test_the_answer_for_programs_has_types_and_costs(
    athena: Any, published: LakeAddress, call: Any
) -> None:
    athena.queue([("n", "bigint"), ("p", "decimal(3,2)")], [(3, "1.50")])
    code, out, _ = call("sql", "--cloud", "SELECT n, p FROM results", "--json")
    data = json.loads(out)["data"]
    assert (code, data["columns"], data["types"]) == (0, ["n", "p"], ["bigint", "decimal(3,2)"])
    assert data["rows"] == [[3, "1.50"]]
    assert data["athena"]["database"] == "materials"
    assert data["athena"]["usd"] == 0


def test_what_glue_answers_costs_nothing(athena: Any, place: CloudPlace, call: Any) -> None:
    words = ("sql", "--cloud", "--database", place.database, "SHOW TABLES")
    code, out, err = call(*words)
    assert (code, "results" in out, "Glue" in err) == (0, True, True)
    assert json.loads(call(*words, "--json")[1])["data"]["athena"] is None


def test_options_of_the_cloud_without_it_are_a_mistake(call: Any) -> None:
    code, _, err = call("sql", "SELECT 1", "--workgroup", "w")
    assert (code, "--cloud" in err) == (2, True)
    code, _, err = call("sql", "SELECT 1", "--cloud", "--dialect", "duckdb")
    assert (code, "--dialect" in err) == (2, True)


def test_ctrl_c_stops_the_query_in_athena(athena: Any, published: LakeAddress, bench: Any) -> None:
    athena.polls = 10**6
    words = [sys.executable, "-c", "from runner.cli import main; main()"]
    process = subprocess.Popen(
        [*words, "sql", "--cloud", "SELECT 1"],
        env=os.environ | bench.environ,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 60
    while athena.asked.count("GetQueryExecution") < 2 and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    (stopped,) = athena.stopped
    assert f"{stopped} stopped" in err
    assert "Traceback" not in err


def test_a_start_that_was_interrupted_is_found_and_stopped(
    athena: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import botocore.client

    real, calls = botocore.client.BaseClient._make_api_call, []

    def interrupted(self: Any, name: str, params: Any) -> Any:
        answer = real(self, name, params)
        calls.append(name)
        if calls == ["StartQueryExecution"]:
            raise KeyboardInterrupt
        return answer

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ask(PLACE, "SELECT 1")
    first, second = athena.started
    assert first["ClientRequestToken"] == second["ClientRequestToken"]
    assert athena.stopped == list(athena.tokens.values())
