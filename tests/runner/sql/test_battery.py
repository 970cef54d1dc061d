"""The battery of queries: our answers beside those that Trino gave to the same tables.

Equal, or refused by us, or an error in both; never an answer that Trino does not give.
"""

# ruff: noqa: DTZ001, FBT001  (times are naive UTC; parameters of tests)

from __future__ import annotations

from collections import Counter
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from battery_tables import fingerprint, publish_battery_tables
from trino_server.client import Trino
from trino_server.comparison import difference, plain_type
from trino_server.program import VERSION
from trino_server.recording import (
    Query,
    Recorded,
    asked,
    groups,
    is_ordered,
    queries,
    recorded,
)

from runner.sql.answer import Answer
from runner.sql.query import query
from schemas.errors import UserError

FEWEST_QUERIES = 200
FEWEST_OF_A_GROUP = 8
OURS = (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException)
"""What DuckDB says of SQL that we should not have made of a query."""
RECORD = "record Trino's answers again: make trino-answers"
RECORDS = {group: recorded(group) for group in groups()}
QUERIES = [one for group in groups() for one in queries(group)]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("battery")
    publish_battery_tables(folder)
    return folder


def answer_of_trino(one: Query) -> Recorded:
    known = RECORDS[one.group].answers.get(one.name)
    assert known is not None, f"Trino was not asked; {RECORD}"
    assert known[0] == one.sql, f"Trino was asked another query; {RECORD}"
    return known[1]


def our_answer(sql: str, tables: Path) -> Answer | UserError:
    """Return our answer or the refusal; what DuckDB did not understand is a mistake of ours."""
    try:
        return query(sql, [tables])
    except UserError as error:
        refusal = error
    cause = refusal.__cause__
    assert not isinstance(cause, OURS), f"not refused, but broken: {cause}"
    return refusal


@pytest.mark.parametrize("one", QUERIES, ids=str)
def test_a_query_gets_the_answer_of_trino_or_is_refused(one: Query, tables: Path) -> None:
    trino, ours = answer_of_trino(one), our_answer(one.sql, tables)
    if isinstance(ours, UserError):
        return
    assert trino.error is None, f"Trino says {trino.error}, and we answer {ours.rows[:5]}"
    assert difference(trino, ours, ordered=is_ordered(one.sql)) is None


def test_the_battery_is_big_and_little_of_it_is_refused(tables: Path) -> None:
    answered = [one for one in QUERIES if answer_of_trino(one).error is None]
    refused = [one for one in answered if isinstance(our_answer(one.sql, tables), UserError)]
    of_group = Counter(one.group for one in QUERIES)
    assert len(QUERIES) >= FEWEST_QUERIES
    assert {group: n for group, n in of_group.items() if n < FEWEST_OF_A_GROUP} == {}
    refused_of = Counter(one.group for one in refused)
    assert {group: n for group, n in refused_of.items() if n > of_group[group] / 2} == {}
    assert len(refused) <= len(QUERIES) / 3


def test_the_answers_are_those_to_the_queries_and_tables_of_today(tables: Path) -> None:
    for group, record in RECORDS.items():
        written = [(one.name, one.sql) for one in queries(group)]
        assert [(name, sql) for name, (sql, _) in record.answers.items()] == written, RECORD
        assert (record.trino, record.tables) == (VERSION, fingerprint(tables)), RECORD


@pytest.mark.parametrize(
    ("kind", "theirs", "ours", "ordered", "told"),
    [
        ("double", [1.0, 2.0], [2.0, 1.0 + 1e-12], False, None),
        ("double", [1.0, 2.0], [2.0, 1.0], True, "row: Trino has"),
        ("double", [1.0], [1.0 + 1e-6], False, "and we have not"),
        ("double", [1.0, 1.0], [1.0], False, "rows: Trino has 2"),
        ("double", [None], [0.0], False, "and we have not"),
        ("double", ["NaN"], [1.0], False, "and we have not"),
        ("bigint", [1], [True], False, "and we have not"),
        ("bigint", [9007199254740993], [9007199254740992], False, "and we have not"),
        ("decimal(2, 1)", ["3.5"], [Decimal("3.5")], False, None),
        ("decimal(2, 1)", ["3.5"], [3.5], False, "and we have not"),
        ("timestamp(0)", ["2026-01-01 00:00:00"], [datetime(2026, 1, 1)], False, None),
        ("varchar(19)", ["2026-01-01 00:00:00"], ["2026-01-01 00:00:00"], False, None),
        ("varchar(19)", ["2026-01-01 00:00:00"], ["2026-01-01 00:00:00.000"], False, "have not"),
        ("array(double)", [[1.0, None]], [[None, 1.0]], False, "and we have not"),
        ("map(boolean, bigint)", [{"true": 1}], [{True: 1}], False, None),
    ],
)
def test_what_differs_from_an_answer_of_trino_is_told(
    kind: str, theirs: list[object], ours: list[object], ordered: bool, told: str | None
) -> None:
    name = plain_type(kind)
    trino = Recorded([("a", kind)], [[value] for value in theirs])
    found = difference(trino, Answer([("a", name)], [(value,) for value in ours]), ordered=ordered)
    assert (found is None) if told is None else (told in str(found))
    other = Answer([("b", name)], [(value,) for value in ours])
    assert "columns" in str(difference(trino, other, ordered=ordered))
    other = Answer([("a", "date")], [(value,) for value in ours])
    assert "columns" in str(difference(trino, other, ordered=ordered))


@pytest.mark.parametrize(
    ("sql", "ordered"),
    [
        ("SELECT a FROM t ORDER BY a LIMIT 1", True),
        ("SELECT a FROM t UNION SELECT b FROM u ORDER BY 1", True),
        ("SELECT a FROM (SELECT a FROM t ORDER BY a) AS s", False),
        ("SELECT row_number() OVER (ORDER BY a) FROM t", False),
    ],
)
def test_only_an_order_of_the_whole_query_counts(sql: str, ordered: bool) -> None:
    assert is_ordered(sql) is ordered


@pytest.mark.slow  # a minute for 400 queries, and as long for Trino to start and warm up
@pytest.mark.parametrize("group", groups())
def test_trino_still_gives_the_recorded_answers(group: str, battery_trino: Trino) -> None:
    changed = []
    for one in queries(group):
        known, now = answer_of_trino(one), asked(battery_trino, one.sql)
        if now.error != known.error:
            changed.append(f"{one}: {known.error} then, {now.error} now")
            continue
        told = difference(known, _as_ours(now), ordered=is_ordered(one.sql))
        changed += [f"{one}: {told}"] if told else []
    assert changed == []


def _as_ours(found: Recorded) -> Answer:
    return Answer(found.columns, [tuple(row) for row in found.rows])
