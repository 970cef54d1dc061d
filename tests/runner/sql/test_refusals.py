"""Queries that are refused, with the word of the hint that says what to write."""

# ruff: noqa: E501, S608  (one query a line; paths that must not be read; queries put together)

import re
from pathlib import Path

import pytest

from runner.sql.query import query
from runner.sql.refusal import Refused
from schemas.errors import UserError

LEAKS = [
    ("SELECT 1::bigint", "CAST"),
    ("SELECT formula FROM results WHERE formula ILIKE 'b%'", "lower"),
    ("SELECT formula FROM results WHERE n_atoms == 5", "'='"),
    ("SELECT formula FROM results LIMIT 1, 2", "LIMIT"),
    ("SELECT formula FROM results LIMIT 1 OFFSET 2", "OFFSET m LIMIT n"),
    ("SELECT formula FROM results QUALIFY row_number() OVER (ORDER BY formula) = 1", "subquery"),
    ("SELECT DISTINCT ON (formula) formula FROM results", "ON"),
    ("SELECT n_atoms, count(*) FROM results GROUP BY ALL", "ALL"),
    ("SELECT * EXCLUDE (formula) FROM results", "EXCEPT"),
    ("SELECT formula, FROM results", "comma"),
    ("FROM results", "SELECT * FROM"),
    ("SELECT 1 UNION FROM results", "SELECT"),
    ("SELECT formula FROM results SEMI JOIN screening USING (formula)", "IN"),
    ("SELECT `formula` FROM results", "double quotes"),
    ("SELECT [1, 2]", "ARRAY"),
    ("SELECT recovery:failure FROM results", "json_extract_scalar"),
    ("SELECT DATE '2026-01-31' + INTERVAL 1 DAY", "INTERVAL '1' DAY"),
    ("SELECT DATE '2026-01-31' + INTERVAL '1 day'", "INTERVAL '1' DAY"),
    ("SELECT count(*) FILTER (WHERE n_atoms > 1) OVER () FROM results", "CASE"),
    ("SELECT extract(epoch FROM started_at) FROM results", "to_unixtime"),
    ("SELECT formula FROM results TABLESAMPLE BERNOULLI (10)", "SAMPLE"),
    ("SELECT a.formula FROM results a JOIN screening b", "ON"),
    ("SELECT formula FROM results FETCH FIRST 2 ROWS WITH TIES", "rank()"),
    ("SELECT formula FROM results NATURAL JOIN screening", "USING"),
    ("SELECT started_at AT TIME ZONE 'Europe/Berlin' FROM results", "UTC"),
    ("SELECT n_atoms AS n, n + 1 FROM results", "alias"),
    ("SELECT n_atoms AS n FROM results WHERE n > 1", "alias"),
    ("SELECT n_atoms AS n, count(*) FROM results GROUP BY n", "alias"),
    ("SELECT formula f, count(*) c FROM results GROUP BY formula HAVING c > 1", "alias"),
    ("SELECT DISTINCT formula FROM results ORDER BY n_atoms", "DISTINCT"),
    ("SELECT formula FROM results WHERE formula GLOB 'B*'", "LIKE"),
    ("SELECT * FROM read_csv('/etc/passwd')", "tables"),
    ("SELECT * FROM (SELECT a.*, b.* FROM screening a CROSS JOIN screening b)", "twice"),
    ("SELECT upper(formula) AS formula FROM results JOIN screening USING (formula)", "otherwise"),
    ("SELECT filter(elements, formula -> formula = 'O') FROM results", "otherwise"),
    ("SELECT e'a'", "not SQL"),
]

WORDING = [
    (
        "SELECT formula FROM awsdatacatalog.materials.results",
        "leave the database out: FROM results",
    ),
    ("SELECT formula FROM materials.results", "leave the database out: FROM results"),
    ('SELECT formula FROM results WHERE campaign = "solar"', "single quotes a text: 'solar'"),
    ('SELECT "formla" FROM results', "did you mean 'formula'"),
    ("SELECT formula FROM results TABLESAMPLE BERNOULLI (10)", "TABLESAMPLE: rows taken by chance"),
    ("SELECT a FROM (SELECT 1 AS a) TABLESAMPLE SYSTEM (10)", "TABLESAMPLE: rows taken by chance"),
    (
        "SELECT * EXCLUDE (formula) FROM results",
        "EXCLUDE: Athena does not know it; name the columns",
    ),
    ("SELECT * REPLACE (1 AS formula) FROM results", "REPLACE: Athena does not know it"),
    ("SELECT DISTINCT ON (formula) formula FROM results", "DISTINCT ON: Athena does not know it"),
    ("SELECT n_atoms, count(*) FROM results GROUP BY ALL", "GROUP BY ALL: name the columns"),
    ("SELECT formula FROM results FOR UPDATE", "FOR UPDATE: queries only read"),
    ("SELECT * FROM results PIVOT (sum(n_atoms) FOR formula IN ('CaO'))", "PIVOT: write"),
    ("SELECT 7//2", "'//': write '/'"),
    ("SELECT n_atoms // 2 FROM results", "'//': write '/'"),
    ("SELECT div(7, 2)", "a part is missing"),
    ("SELECT ~n_atoms FROM results", "run it in Athena"),
]
"""Queries, and what the message says in so many words."""

TYPES = [
    ("SELECT formula FROM results WHERE n_atoms = '5'", "CAST"),
    ("SELECT formula FROM results WHERE started_at > '2026-01-01'", "TIMESTAMP"),
    ("SELECT formula FROM results WHERE n_atoms", "condition"),
    ("SELECT formula || n_atoms FROM results", "CAST AS varchar"),
    ("SELECT coalesce(formula, 0) FROM results", "CAST"),
    ("SELECT formula FROM results UNION SELECT n_atoms FROM results", "CAST"),
    ("SELECT sum(cached) FROM results", "numbers"),
    ("SELECT DATE '2026-01-31' + 1", "INTERVAL"),
    ("SELECT length(elements) FROM results", "varchar"),
    ("SELECT json_extract_scalar(recovery, '$.a-b') FROM results", "$.name"),
    ("SELECT DATE '2026-13-01'", "no such time"),
    ("SELECT CAST('2026-01-31T10:00:00' AS timestamp)", "YYYY"),
]

SILENTLY_DIFFERENT = [
    ("SELECT 'E = ' || energy_ev_per_atom FROM results", "CAST AS varchar"),
    ("SELECT 'a' || NULL", "CAST(NULL AS varchar)"),
    ("SELECT CAST('ab' AS char(5))", "varchar"),
    ("SELECT CAST(12 AS varchar(1))", "varchar"),
    ("SELECT regexp_replace(formula, 'a', '${name}') FROM results", "$0 to $9"),
    ("SELECT regexp_like(formula, '(?=a)') FROM results", "lookaround"),
    ("SELECT regexp_like(formula, '(a)\\1') FROM results", "back-references"),
    ("SELECT regexp_like(formula, '\\p{Alpha}') FROM results", "classes"),
    ("SELECT regexp_like(formula, 'a++') FROM results", "RE2"),
    ("SELECT regexp_extract(formula, '(a)|(b)', 2) FROM results", "null in Athena"),
    ("SELECT strpos('abc', 'b', 2)", "only with 2"),
    ("SELECT CAST('a' AS varbinary)", "not known"),
    ("SELECT sha512('a')", "hash"),
    ("SELECT md5('a')", "varbinary"),
    ("SELECT array_sort(ARRAY[1], (a, b) -> a - b)", "a lambda only stands"),
    ("SELECT json_query(recovery, 'lax $.a') FROM results", "json_extract_scalar"),
    ("SELECT approx_percentile(n_atoms, 0.5) FROM results", "array_sort"),
    ("SELECT approx_distinct(n_atoms) FROM results", "count(DISTINCT"),
    ("SELECT typeof(1)", "DESCRIBE"),
    ("SELECT try(element_at(elements, 0)) FROM results", "nullif"),
    ("SELECT 1 = 1 = true", "parentheses"),
    ("SELECT CASE n_atoms WHEN n_atoms THEN 1 END FROM results", "CASE WHEN"),
    ("SELECT corr(n_atoms, cores) FROM results", "CAST"),
    ("SELECT json_extract('{\"b\": 1.50}', '$') FROM results", "json_extract_scalar"),
    ("SELECT reduce(ARRAY[1], 0, (s, x) -> s + x)", "sum -> result"),
    ("SELECT regexp_count('abc', 'x*')", "instead of *"),
    ("SELECT format('%x', 255)", "known"),
    ("SELECT map(ARRAY[ARRAY[1]], ARRAY[1])", "keys"),
    ("SELECT kurtosis(n_atoms) FROM results", "not known"),
    ("SELECT rank() OVER (ORDER BY n_atoms ROWS 1 PRECEDING) FROM results", "leave ROWS"),
    (
        "SELECT sum(n_atoms) OVER (ORDER BY n_atoms ROWS BETWEEN CURRENT ROW AND 1 PRECEDING) FROM results",
        "begin before",
    ),
    (
        "SELECT sum(n_atoms) OVER (ORDER BY formula RANGE 1 PRECEDING) FROM results",
        "ORDER BY of one number",
    ),
    (
        "SELECT (SELECT s.formula FROM screening s WHERE s.formula > r.formula LIMIT 1) FROM results r",
        "max_by",
    ),
    (
        "SELECT (SELECT count(*) FROM UNNEST(elements) AS t (e) WHERE e = 'O') FROM results",
        "filter(array",
    ),
    ("SELECT date_add('millisecond', 1, TIMESTAMP '2026-01-31 10:00:00')", "CAST(t AS timestamp)"),
    ("SELECT nan()", "NULL"),
    ("SELECT listagg(formula, ',') FROM results", "WITHIN GROUP"),
]

NOT_TRINO = [
    (f"SELECT {call} FROM results", hint)
    for call, hint in [
        ("ifnull(formula, 'x')", "coalesce"),
        ("nvl(formula, 'x')", "coalesce"),
        ("strftime(started_at, '%Y')", "date_format"),
        ("len(formula)", "length"),
        ("string_agg(formula, ',')", "listagg"),
        ("median(n_atoms)", "array_sort"),
        ("quantile_cont(n_atoms, 0.5)", "array_sort"),
        ("mode(n_atoms)", "GROUP BY"),
        ("list_contains(elements, 'O')", "contains"),
        ("left(formula, 2)", "substr"),
        ("sqrrt(n_atoms)", "did you mean 'sqrt'"),
        ("getenv('HOME')", "--dialect duckdb"),
    ]
]

ALL = LEAKS + TYPES + SILENTLY_DIFFERENT + NOT_TRINO


@pytest.mark.parametrize(("sql", "hint"), ALL, ids=[sql for sql, _ in ALL])
def test_what_athena_would_answer_otherwise_is_refused_with_a_hint(
    root: Path, sql: str, hint: str
) -> None:
    with pytest.raises(UserError) as caught:
        query(sql, [root])
    assert hint in str(caught.value)


@pytest.mark.parametrize(("sql", "words"), WORDING, ids=[sql for sql, _ in WORDING])
def test_a_refusal_speaks_of_sql_and_not_of_the_parser(root: Path, sql: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        query(sql, [root])
    assert words in str(caught.value)
    assert not re.search(r"sqlglot|<class|[a-z][A-Z]\w+:|in (Table|Star|Select)", str(caught.value))


AT_RUN_TIME = [
    ("SELECT 1 / 0", "nullif"),
    ("SELECT n_atoms % (n_atoms - n_atoms) FROM results", "nullif"),
    ("SELECT 0e0 / 0e0", "nullif"),
    ("SELECT energy_ev_per_atom / (n_atoms - 5) FROM results", "nullif"),
    ("SELECT ln(0)", "positive"),
    ("SELECT sqrt(-1)", "negative"),
    ("SELECT elements[9] FROM results", "element_at"),
    ("SELECT element_at(elements, 0) FROM results", "start at 1"),
    ("SELECT CAST('4.2' AS bigint)", "TRY_CAST"),
    ("SELECT CAST(formula AS double) FROM results", "TRY_CAST"),
    ("SELECT TRY_CAST(' 1.5' AS double)", "trim"),
    ("SELECT CAST(formula AS date) FROM results", "YYYY-MM-DD"),
    ("SELECT upper('straße')", "ASCII"),
    ("SELECT regexp_like(failure_message, 'time$') FROM results", "single lines"),
    ("SELECT 9223372036854775807 + n_atoms FROM results", "Overflow"),
    ("SELECT formula, count(*) FROM results", "GROUP BY"),
    ("SELECT (SELECT formula FROM results)", "More than one row"),
    ("SELECT exp(1000)", "infinite"),
    ("SELECT from_iso8601_timestamp('2026-01-31T10:00:00+02:00')", "in UTC"),
    ("SELECT 1.5 / (n_atoms - n_atoms) FROM results", "nullif"),
    ("SELECT map(ARRAY['a'], ARRAY[1])['b']", "element_at"),
    ("SELECT DATE '2026-01-31' + INTERVAL '5' HOUR", "whole days"),
    ("SELECT CAST(0.1e0 + 0.2e0 AS varchar)", "decimal"),
    ("SELECT json_extract_scalar(' {oops', '$.a')", "not valid JSON"),
    ("SELECT json_extract_scalar('{\"a\": 1.50}', '$.a')", "AS double"),
    ("SELECT CAST(json_parse(recovery) AS bigint) FROM results", "not a whole number"),
    ("SELECT round(1.5e0, -1)", "0 to 15 digits"),
    ("SELECT acos(2)", "from -1 to 1"),
    ("SELECT sequence(1, 20000)", "10000"),
    (
        "WITH RECURSIVE t (n) AS (VALUES 1 UNION ALL SELECT n + 1 FROM t WHERE n < 12) SELECT n FROM t",
        "10 steps",
    ),
    ("SELECT grouping(formula) FROM results GROUP BY campaign", "GROUP BY"),
    ("SELECT formula FROM results WHERE count(*) > 1", "HAVING"),
    ("SELECT sum(count(*)) FROM results", "subquery"),
    ("SELECT 1e308 * 10", "infinite"),
]


@pytest.mark.parametrize(("sql", "hint"), AT_RUN_TIME, ids=[sql for sql, _ in AT_RUN_TIME])
def test_what_fails_on_the_data_is_said_in_one_line(root: Path, sql: str, hint: str) -> None:
    with pytest.raises(UserError) as caught:
        query(sql, [root])
    assert hint in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not isinstance(caught.value, Refused)


NAMES = [
    ("SELECT formla FROM results", "did you mean 'formula'"),
    ("SELECT r.formla FROM results r", "did you mean 'formula'"),
    ("SELECT x.formula FROM results r", "no table 'x'"),
    ("SELECT formula FROM result", "did you mean 'results'"),
    ("SELECT formula FROM results, screening", "ambiguous"),
    ("SELECT formula FROM results, results", "alias"),
    ("SELECT a.formula FROM (SELECT 1 AS b) a", "no column 'a.formula'"),
    ("SELEC 1", "only queries"),
    ("SELECT (1", "not SQL"),
    ("", "no query"),
    ("SELECT 1; SELECT 2", "one query"),
    ("DESCRIBE resuts", "did you mean 'results'"),
]


@pytest.mark.parametrize(("sql", "hint"), NAMES, ids=[sql for sql, _ in NAMES])
def test_a_slip_is_answered_with_what_is_there(root: Path, sql: str, hint: str) -> None:
    with pytest.raises(UserError) as caught:
        query(sql, [root])
    assert hint in str(caught.value)


@pytest.mark.parametrize("dialect", ["athena", "duckdb"])
@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE t AS SELECT 1",
        "DROP VIEW results",
        "INSERT INTO results VALUES (1)",
        "COPY results TO '/tmp/stolen.csv'",
        "ATTACH '/tmp/other.db'",
        "SET memory_limit = '100GB'",
        "PRAGMA database_list",
        "INSTALL httpfs",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM '/etc/hostname'",
        "SELECT * FROM glob('/etc/*')",
    ],
)
def test_nothing_but_the_tables_is_read_and_nothing_is_written(
    root: Path, sql: str, dialect: str
) -> None:
    with pytest.raises(UserError):
        query(sql, [root], dialect=dialect)  # type: ignore[arg-type]  # parametrised


def test_duckdb_dialect_does_not_see_variables_of_the_program(root: Path) -> None:
    import pyarrow as pa

    secret = pa.table({"x": [1]})
    with pytest.raises(UserError, match="secret"):
        query("SELECT * FROM secret", [root], dialect="duckdb")
    assert secret.num_rows == 1


def test_a_partition_published_twice_is_not_counted_twice(root: Path, tmp_path: Path) -> None:
    from runner.export.parquet import publish
    from schemas.tables import RESULTS

    publish(tmp_path, "results", {"campaign": "solar", "stage": "scf"}, [], RESULTS)
    with pytest.raises(UserError, match="twice"):
        query("SELECT 1", [root, tmp_path])


REWRITES = [
    ("SELECT median(n_atoms) FROM results", "SELECT element_at(array_sort(array_agg(n_atoms)), (count(n_atoms) + 1) / 2) FROM results"),
    ("SELECT approx_distinct(formula) FROM results", "SELECT count(DISTINCT formula) FROM results"),
    ("SELECT formula FROM results WHERE formula ILIKE 'b%'", "SELECT formula FROM results WHERE lower(formula) LIKE 'b%'"),
    ("SELECT ifnull(failure, 'none') FROM results", "SELECT coalesce(failure, 'none') FROM results"),
    ("SELECT n_atoms::varchar FROM results", "SELECT CAST(n_atoms AS varchar) FROM results"),
    ("SELECT left(formula, 2), right(formula, 2) FROM results", "SELECT substr(formula, 1, 2), substr(formula, -2) FROM results"),
    ("SELECT string_agg(formula, ',') FROM results", "SELECT listagg(formula, ',') WITHIN GROUP (ORDER BY formula) FROM results"),
    ("SELECT extract(epoch FROM started_at) FROM results", "SELECT to_unixtime(started_at) FROM results"),
    ("SELECT formula || n_atoms FROM results", "SELECT formula || CAST(n_atoms AS varchar) FROM results"),
    ("SELECT corr(n_atoms, cores) FROM results", "SELECT corr(CAST(n_atoms AS double), CAST(cores AS double)) FROM results"),
    ("SELECT strftime(started_at, '%Y') FROM results", "SELECT date_format(started_at, '%Y-%m-%d') FROM results"),
    ("SELECT datediff('day', started_at, finished_at) FROM results", "SELECT date_diff('day', started_at, finished_at) FROM results"),
    ("SELECT len(formula) FROM results", "SELECT length(formula), cardinality(elements) FROM results"),
    ("SELECT avg(finished_at - started_at) FROM results", "SELECT avg(to_milliseconds(finished_at - started_at)) FROM results"),
    ("SELECT map_zip_with(map(), map(), (k, v, w) -> v)", "SELECT transform_values(map(ARRAY['a'], ARRAY[1]), (k, v) -> v + element_at(map(ARRAY['a'], ARRAY[2]), k))"),
    ("SELECT json_array_contains(recovery, 'a') FROM results", "SELECT contains(CAST(json_parse('[\"a\"]') AS array(varchar)), 'a')"),
    ("SELECT n_atoms AS n FROM results WHERE n > 1", "SELECT n FROM (SELECT n_atoms AS n FROM results) WHERE n > 1"),
    ("SELECT count(*) FILTER (WHERE n_atoms > 1) OVER () FROM results", "SELECT sum(CASE WHEN n_atoms > 1 THEN 1 ELSE 0 END) OVER () FROM results"),
    ("SELECT json_value(recovery, 'lax $.name') FROM results", "SELECT json_extract_scalar(recovery, '$.name') FROM results"),
    ("SELECT try(1 / (n_atoms + 0)) FROM results", "SELECT 1 / nullif(n_atoms + 0, 0) FROM results"),
]  # fmt: skip


@pytest.mark.parametrize(("refused", "instead"), REWRITES, ids=[sql for sql, _ in REWRITES])
def test_what_a_hint_says_to_write_instead_has_an_answer(
    root: Path, refused: str, instead: str
) -> None:
    with pytest.raises(UserError):
        query(refused, [root])
    query(instead, [root])
