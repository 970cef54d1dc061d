"""Queries that are refused, with the word of the hint that says what to write."""

# ruff: noqa: S608  (paths that must not be read; queries are put together)

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
    ("SELECT formula FROM results FETCH FIRST 2 ROWS WITH TIES", "LIMIT"),
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

TYPES = [
    ("SELECT formula FROM results WHERE n_atoms = '5'", "CAST"),
    ("SELECT formula FROM results WHERE started_at > '2026-01-01'", "TIMESTAMP"),
    ("SELECT formula FROM results WHERE n_atoms", "condition"),
    ("SELECT formula || n_atoms FROM results", "CAST AS varchar"),
    ("SELECT coalesce(formula, 0) FROM results", "CAST"),
    ("SELECT formula FROM results UNION SELECT n_atoms FROM results", "CAST"),
    ("SELECT sum(cached) FROM results", "numbers"),
    ("SELECT DATE '2026-01-31' + 1", "INTERVAL"),
    ("SELECT DATE '2026-01-31' - DATE '2026-01-01'", "date_diff"),
    ("SELECT length(elements) FROM results", "varchar"),
    ("SELECT formula FROM results WHERE elements = ARRAY['O']", "elements"),
    ("SELECT json_extract_scalar(formula, '$.a') FROM results", "JSON"),
    ("SELECT json_extract_scalar(recovery, '$.a-b') FROM results", "$.name"),
    ("SELECT DATE '2026-13-01'", "no such time"),
    ("SELECT CAST('2026-01-31T10:00:00' AS timestamp)", "YYYY"),
    ("SELECT n_atoms * 1.5 / 2.0 FROM results", "3600e0"),
    ("SELECT sum(n_atoms) / 3600.0 FROM results", "3600e0"),
]

SILENTLY_DIFFERENT = [
    ("SELECT avg(1.5)", "double"),
    ("SELECT CAST(energy_ev_per_atom AS varchar) FROM results", "decimal"),
    ("SELECT 'E = ' || energy_ev_per_atom FROM results", "decimal"),
    ("SELECT CAST('ab' AS char(5))", "varchar"),
    ("SELECT CAST(12 AS varchar(1))", "varchar"),
    ("SELECT regexp_replace(formula, 'a', '${name}') FROM results", "$0 to $9"),
    ("SELECT regexp_like(formula, '(?=a)') FROM results", "lookaround"),
    ("SELECT regexp_like(formula, '(a)\\1') FROM results", "back-references"),
    ("SELECT regexp_like(formula, '\\p{Alpha}') FROM results", "classes"),
    ("SELECT regexp_like(formula, 'a++') FROM results", "RE2"),
    ("SELECT regexp_extract(formula, '(a)|(b)', 2) FROM results", "null in Athena"),
    ("SELECT format('%.2f', 1e0)", "CAST"),
    ("SELECT strpos('abc', 'b', 2)", "takes"),
    ("SELECT split('a,b', ',', 1)", "only with 2"),
    ("SELECT repeat('a', 3)", "lpad"),
    ("SELECT sha1(CAST('a' AS varbinary))", "hash"),
    ("SELECT sha512('a')", "hash"),
    ("SELECT md5('a')", "hash"),
    ("SELECT url_encode('a b')", "outside"),
    ("SELECT to_base(255, 16)", "outside"),
    ("SELECT array_union(ARRAY[1], ARRAY[2])", "order"),
    ("SELECT array_sort(ARRAY[1], (a, b) -> a - b)", "Lambda"),
    ("SELECT reduce(ARRAY[1], 0, (s, x) -> s + x, s -> s)", "UNNEST"),
    ("SELECT json_query(recovery, 'lax $.a') FROM results", "json_extract_scalar"),
    ("SELECT json_format(json_parse('{}'))", "canonical"),
    ("SELECT json_extract(recovery, '$') FROM results", "CAST"),
    ("SELECT CAST(json_extract(recovery, '$[0]') AS varchar) FROM results", "json_extract_scalar"),
    ("SELECT approx_percentile(n_atoms, 0.5) FROM results", "row_number"),
    ("SELECT approx_distinct(n_atoms) FROM results", "count(DISTINCT"),
    ("SELECT skewness(n_atoms) FROM results", "population"),
    ("SELECT typeof(1)", "DESCRIBE"),
    ("SELECT try(1 / 0)", "nullif"),
    ("SELECT nan()", "NULL"),
    ("SELECT cbrt(27)", "last digit"),
    ("SELECT log2(8)", "last digit"),
    ("SELECT now()", "localtimestamp"),
    ("SELECT current_timestamp", "localtimestamp"),
    ("SELECT from_unixtime(0)", "date_add"),
    ("SELECT from_iso8601_timestamp('2026-01-31T10:00:00+02:00')", "TIMESTAMP"),
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
        ("median(n_atoms)", "row_number"),
        ("quantile_cont(n_atoms, 0.5)", "row_number"),
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
