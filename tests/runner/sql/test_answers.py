"""Queries that are allowed, with the rows that Athena gives by its documentation."""

# ruff: noqa: E501, DTZ001, S608  (one query a line; times are naive UTC)

import re
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from runner.sql.calls import KNOWN
from runner.sql.query import query

BATTERY = Path(__file__).parent / "battery"
"""Queries with the answers of a real Trino."""
S = "FROM results WHERE campaign = 'solar'"
ONE = "FROM results WHERE campaign = 'solar' AND candidate_id = 'aa'"

CASES = [
    # selection, order, nulls
    (f"SELECT formula {S} ORDER BY formula", [("BaTiO3",), ("CaO",), ("SrTiO3",)]),
    (f"SELECT energy_ev_per_atom {S} ORDER BY 1", [(-8.5,), (-7.25,), (None,)]),
    (f"SELECT energy_ev_per_atom {S} ORDER BY 1 DESC", [(-7.25,), (-8.5,), (None,)]),
    (f"SELECT energy_ev_per_atom e {S} ORDER BY e DESC NULLS FIRST LIMIT 1", [(None,)]),
    (f"SELECT formula {S} ORDER BY n_atoms OFFSET 1 LIMIT 1", [("BaTiO3",)]),
    ("SELECT DISTINCT campaign FROM results ORDER BY campaign", [("other",), ("solar",)]),
    ("SELECT campaign, stage FROM results WHERE stage = 'relax'", [("other", "relax")]),
    (f"SELECT count(*) {S} AND band_gap_ev IS NULL", [(2,)]),
    (f"SELECT formula {S} AND n_atoms BETWEEN 2 AND 5 ORDER BY 1", [("BaTiO3",), ("CaO",)]),
    (f"SELECT formula {S} AND formula LIKE 'B%'", [("BaTiO3",)]),
    (f"SELECT count(*) {S} AND energy_ev_per_atom NOT IN (-8.5, NULL)", [(0,)]),
    (f"SELECT formula {S} AND failure IS DISTINCT FROM NULL", [("CaO",)]),
    # arithmetic
    ("SELECT 7 / 2, -7 / 2, 7 % 4, -7 % 4", [(3, -3, 3, -3)]),
    (f"SELECT count(*) / 2, sum(n_atoms) / 4 {S}", [(1, 4)]),
    ("SELECT 9007199254740993 / 1", [(9007199254740993,)]),
    ("SELECT 7 / 2e0, 7e0 / 2", [(3.5, 3.5)]),
    (f"SELECT sum(walltime_s) / 3600 {S}", [(2.0,)]),
    (f"SELECT sum(walltime_s) / 3600.0 {S}", [(2.0,)]),
    ("SELECT 0.1 + 0.2, 1.5 * 3", [(Decimal("0.3"), Decimal("4.5"))]),
    ("SELECT abs(-3), ceil(2.1e0), floor(-2.1e0), sign(-2), mod(7, 3)", [(3, 3.0, -3.0, -1, 1)]),
    ("SELECT round(2.5e0), round(-2.5e0), round(3.14159e0, 2), truncate(-2.7e0)", [(3, -3, 3.14, -2)]),
    ("SELECT greatest(1, 3, 2), least(1, NULL), greatest(NULL, 2)", [(3, None, None)]),
    ("SELECT power(2, 10), sqrt(16), exp(0), ln(1)", [(1024.0, 4.0, 1.0, 0.0)]),
    ("SELECT acos(1), asin(0), atan(0), atan2(0, 1), cos(0), sin(0), tan(0), cosh(0), sinh(0), tanh(0)", [(0, 0, 0, 0, 1, 0, 0, 1, 0, 0)]),
    ("SELECT log10(1000), degrees(pi()), ceiling(1.2e0), pow(2, 3), e() > 2.718, radians(0)", [(3, 180, 2, 8, True, 0)]),
    # casts
    ("SELECT CAST(2.5e0 AS bigint), CAST(-2.5e0 AS integer), CAST(3.5e0 AS integer)", [(3, -3, 4)]),
    ("SELECT TRY_CAST('4.2' AS bigint), CAST('-4' AS bigint), TRY_CAST('x' AS double)", [(None, -4, None)]),
    ("SELECT TRY_CAST('yes' AS boolean), CAST('T' AS boolean)", [(None, True)]),
    ("SELECT CAST('SrTiO3' AS varchar(2)), CAST(12 AS varchar) || '!'", [("Sr", "12!")]),
    (f"SELECT CAST(started_at AS varchar) {ONE}", [("2026-01-31 10:00:00.120",)]),
    (f"SELECT CAST(finished_at AS varchar) {ONE}", [("2026-01-31 11:30:00.000",)]),
    ("SELECT CAST(1.255e1 AS decimal(10, 2)), CAST(CAST(0.5e0 AS decimal(4,2)) AS varchar)", [(Decimal("12.55"), "0.50")]),
    (f"SELECT CAST(started_at AS date) {ONE}", [(date(2026, 1, 31),)]),
    ("SELECT CAST(2.5e0 AS varchar), CAST(-1e-7 AS varchar), CAST(0e0 AS varchar), CAST(1e2 AS varchar)", [("2.5E0", "-1.0E-7", "0E0", "1.0E2")]),
    ("SELECT CAST(-0.5 AS varchar), CAST(1.005e0 AS decimal(4, 2))", [("-0.5", Decimal("1.01"))]),
    ("SELECT CAST(TIMESTAMP '2026-01-31 10:00:00' AS varchar), CAST(CAST('2026-01-31 10:00:00' AS timestamp) AS varchar)", [("2026-01-31 10:00:00", "2026-01-31 10:00:00.000")]),
    # decimals
    ("SELECT 7.0 / 2.0, 1.0 / 3, -1.5 / 0.4, 5.5 % 2, round(2.5), truncate(-2.9)", [(Decimal("3.5"), Decimal("0.3"), Decimal("-3.8"), Decimal("1.5"), Decimal(3), Decimal(-2))]),
    ("SELECT avg(x) FROM (VALUES 1.0, 2.5, 2.5) AS t (x)", [(Decimal("2.0"),)]),
    # dates
    (f"SELECT started_at {ONE}", [(datetime(2026, 1, 31, 10, 0, 0, 120_000),)]),
    (f"SELECT date_diff('day', started_at, finished_at) {S} AND candidate_id = 'bb'", [(0,)]),
    (f"SELECT date_diff('minute', started_at, finished_at) {ONE}", [(89,)]),
    ("SELECT date_diff('month', DATE '2026-01-31', DATE '2026-02-27')", [(0,)]),
    ("SELECT date_diff('year', DATE '2026-12-31', DATE '2027-01-01')", [(0,)]),
    ("SELECT date_diff('day', DATE '2026-01-03', DATE '2026-01-01')", [(-2,)]),
    ("SELECT date_add('month', 1, DATE '2026-01-31')", [(date(2026, 2, 28),)]),
    ("SELECT date('2026-01-31'), date(TIMESTAMP '2026-01-31 23:00:00')", [(date(2026, 1, 31), date(2026, 1, 31))]),
    ("SELECT DATE '2026-01-31' + INTERVAL '1' DAY", [(date(2026, 2, 1),)]),
    ("SELECT DATE '2026-03-31' - INTERVAL '1' MONTH", [(date(2026, 2, 28),)]),
    ("SELECT TIMESTAMP '2026-01-31 10:00:00' + INTERVAL '90' MINUTE", [(datetime(2026, 1, 31, 11, 30),)]),
    ("SELECT date_trunc('month', DATE '2026-01-31')", [(date(2026, 1, 1),)]),
    (f"SELECT date_trunc('hour', started_at) {ONE}", [(datetime(2026, 1, 31, 10),)]),
    (f"SELECT millisecond(started_at), second(started_at), hour(started_at) {ONE}", [(120, 0, 10)]),
    ("SELECT day_of_week(DATE '2026-02-01'), week(DATE '2026-01-01'), extract(year FROM DATE '2026-02-01')", [(7, 1, 2026)]),
    (f"SELECT date_format(started_at, '%Y-%m-%d %H:%i:%s') {ONE}", [("2026-01-31 10:00:00",)]),
    ("SELECT date_parse('31.01.2026 10:05', '%d.%m.%Y %H:%i')", [(datetime(2026, 1, 31, 10, 5),)]),
    (f"SELECT count(*) {S} AND started_at < TIMESTAMP '2026-01-31 12:00:00'", [(1,)]),
    ("SELECT to_unixtime(TIMESTAMP '1970-01-02 00:00:00')", [(86400.0,)]),
    ("SELECT current_date <= date_add('day', 1, CAST(localtimestamp AS date))", [(True,)]),
    ("SELECT year(d), quarter(d), month(d), day(d), day_of_month(d), doy(d), day_of_year(d), dow(d), week_of_year(d), yow(d), year_of_week(d) FROM (VALUES DATE '2027-01-02') AS t (d)", [(2027, 1, 1, 2, 2, 2, 2, 6, 53, 2026, 2026)]),
    ("SELECT minute(TIMESTAMP '2026-01-31 10:59:01')", [(59,)]),
    # texts
    ("SELECT translate('abc', 'ab', 'x'), rpad('a', 3, 'b'), ltrim(' a '), rtrim(' a ')", [("xc", "abb", "a ", " a")]),
    ("SELECT substr('abc', 0), substr('abc', 2), substr('abc', -2), substr('abc', -5), substr('abc', 2, -1)", [("", "bc", "bc", "", "")]),
    ("SELECT split_part('a,b', ',', 2), split_part('a,b', ',', 3), split('a,b', ',')", [("b", None, ["a", "b"])]),
    ("SELECT regexp_extract('CaO', '[0-9]+'), regexp_extract('Ti12O3', '([A-Z])([0-9]+)', 2)", [(None, "3")]),
    ("SELECT regexp_replace('a1b2', '([a-z])([0-9])', '$2$1'), regexp_like('BaTiO3', '^Ba')", [("1a2b", True)]),
    ("SELECT regexp_extract_all('Ti12O3', '[0-9]+')", [(["12", "3"],)]),
    ("SELECT concat('a', CAST(NULL AS varchar)), 'a' || CAST(NULL AS varchar), concat('a', 'b'), concat_ws('-', 'a', NULL, 'b')", [(None, None, "ab", "a-b")]),
    ("SELECT length(' a '), trim(' a\n'), upper('ab'), lower('AB'), reverse('abc')", [(3, "a", "AB", "ab", "cba")]),
    ("SELECT replace('aXbX', 'X'), lpad('7', 3, '0'), strpos('abc', 'c'), starts_with('abc', 'ab')", [("ab", "007", 3, True)]),
    # bytes, rows, maps
    ("SELECT X'6162', bit_count(7, 64), bitwise_xor(5, 3), bitwise_xor_agg(n_atoms), is_infinite(1e0), is_nan(1e0), is_finite(1e0) FROM results WHERE n_atoms = 2", [(b"ab", 3, 6, 2, False, False, True)]),
    ("SELECT at_timezone(from_unixtime(0), 'UTC'), try(1 / n), now() > from_unixtime(0) FROM (VALUES 0) AS t (n)", [("1970-01-01 00:00:00.000 UTC", None, True)]),
    ("SELECT from_hex('6162'), to_hex(sha1(to_utf8('a'))), date_parse('2026', '%Y')", [(b"ab", "86F7E437FAA5A7FCE15D1DDCB9EAEAEA377667B8", datetime(2026, 1, 1))]),
    ("SELECT row(1, map(ARRAY['a'], ARRAY[INTERVAL '90' MINUTE]))", [((1, {"a": "0 01:30:00.000"}),)]),
    # arrays
    (f"SELECT elements[1], element_at(elements, -1), element_at(elements, 9), cardinality(elements) {ONE}", [("Ba", "Ti", None, 3)]),
    (f"SELECT contains(elements, 'O'), contains(elements, 'X'), array_position(elements, 'X') {ONE}", [(True, False, 0)]),
    ("SELECT contains(ARRAY[1, NULL], 2), contains(ARRAY[1, NULL], 1), array_max(ARRAY[1, NULL])", [(None, True, None)]),
    ("SELECT slice(ARRAY[1, 2, 3, 4], 2, 2), slice(ARRAY[1, 2, 3], -2, 2), reverse(ARRAY[1, 2])", [([2, 3], [2, 3], [2, 1])]),
    ("SELECT array_distinct(ARRAY[3, 1, 3, 2]), array_sort(ARRAY[3, NULL, 1]), sequence(3, 1)", [([3, 1, 2], [1, 3, None], [3, 2, 1])]),
    ("SELECT filter(ARRAY[1, 2, 3], x -> x > 1), transform(ARRAY[1, 2], x -> x / 2)", [([2, 3], [0, 1])]),
    (f"SELECT array_join(elements, '-') {ONE}", [("Ba-O-Ti",)]),
    ("SELECT array_join(ARRAY['a', NULL, 'b'], '-'), array_join(ARRAY[CAST(NULL AS varchar)], '-')", [("a-b", "")]),
    ("SELECT concat_ws('-', CAST(NULL AS varchar)), array_distinct(ARRAY[1, NULL, NULL])", [("", [1, None])]),
    (f"SELECT e, i {S.replace('results', 'results CROSS JOIN UNNEST(elements) WITH ORDINALITY AS t (e, i)')} AND n_atoms = 2 ORDER BY i", [("Ca", 1), ("O", 2)]),
    ("SELECT a, b FROM UNNEST(ARRAY[1, 2], ARRAY['x']) AS t (a, b) ORDER BY a", [(1, "x"), (2, None)]),
    ("SELECT k, v FROM (SELECT histogram(formula) h FROM results) CROSS JOIN UNNEST(h) AS t (k, v) ORDER BY k", [("BaTiO3", 2), ("CaO", 1), ("SrTiO3", 1)]),
    ("SELECT r.formula, t.f FROM results r LEFT JOIN UNNEST(forces_ev_per_ang) AS t (f) ON true WHERE r.campaign = 'solar' ORDER BY 1, 2", [("BaTiO3", 0.25), ("BaTiO3", 0.5), ("CaO", None), ("SrTiO3", None)]),
    # JSON
    (f"SELECT json_extract_scalar(recovery, '$[0].failure'), json_extract_scalar(recovery, '$[0].after') {ONE}", [("scf_not_converged", "0.3")]),
    (f"SELECT json_extract_scalar(recovery, '$[0]'), json_array_length(recovery) {ONE}", [(None, 1)]),
    ("SELECT json_extract_scalar(choice, '$.A'), json_array_length(choice) FROM screening WHERE row = 0", [("Ba", None)]),
    ("SELECT CAST(json_extract(choice, '$.n') AS bigint), CAST(json_extract(choice, '$.m') AS double) FROM screening WHERE row = 0", [(3, None)]),
    # conditions
    ("SELECT coalesce(NULL, 2), nullif(1, 1), if(1 = 1, 'a', 'b'), if(false, 1)", [(2, None, "a", None)]),
    (f"SELECT CASE outcome WHEN 'ok' THEN 1 ELSE 2.5e0 END {S} ORDER BY 1", [(1.0,), (1.0,), (2.5,)]),
    ("SELECT NULL AND false, NULL OR true, NOT (NULL IS NULL)", [(False, True, False)]),
    # aggregates
    (f"SELECT outcome, count(*) n {S} GROUP BY outcome HAVING count(*) > 1", [("ok", 2)]),
    (f"SELECT n_atoms / 5, count(*) {S} GROUP BY 1 ORDER BY 1", [(0, 1), (1, 1), (2, 1)]),
    (f"SELECT sum(n_atoms), avg(n_atoms), min(formula), max(started_at) {S}", [(17, 17 / 3, "BaTiO3", datetime(2026, 1, 31, 23, 59, 59))]),
    (f"SELECT count_if(n_atoms > 2), count(DISTINCT outcome), bool_and(n_atoms > 2) {S}", [(2, 2, False)]),
    (f"SELECT count(*) FILTER (WHERE outcome = 'ok') {S}", [(2,)]),
    (f"SELECT max_by(formula, n_atoms), max_by(failure, n_atoms), min_by(failure, n_atoms) {S}", [("SrTiO3", None, "out_of_walltime")]),
    (f"SELECT listagg(formula, ', ') WITHIN GROUP (ORDER BY formula) {S}", [("BaTiO3, CaO, SrTiO3",)]),
    (f"SELECT listagg(formula) WITHIN GROUP (ORDER BY n_atoms) {S}", [("CaOBaTiO3SrTiO3",)]),
    (f"SELECT array_agg(failure ORDER BY n_atoms) {S}", [(["out_of_walltime", None, None],)]),
    (f"SELECT stddev_pop(energy_ev_per_atom), stddev(energy_ev_per_atom) {ONE}", [(0.0, None)]),
    (f"SELECT outcome, count(*), grouping(outcome) {S} GROUP BY ROLLUP (outcome) ORDER BY 3, 1", [("failed", 1, 0), ("ok", 2, 0), (None, 3, 1)]),
    (f"SELECT outcome, n_atoms, count(*) {S} GROUP BY GROUPING SETS ((outcome), (n_atoms), ()) ORDER BY 1, 2", [("failed", None, 1), ("ok", None, 2), (None, 2, 1), (None, 5, 1), (None, 10, 1), (None, None, 3)]),
    ("SELECT array_min(ARRAY[2, 1]), array_min(ARRAY[2, NULL])", [(1, None)]),
    ("SELECT corr(x, y), var_pop(x), var_samp(x), variance(x), round(stddev_samp(x), 6), round(geometric_mean(x), 6) FROM (VALUES (1e0, 2e0), (3e0, 6e0)) AS t (x, y)", [(1, 1, 2, 2, 1.414214, 1.732051)]),
    ("SELECT arbitrary(z), any_value(z), bool_or(x > 1), every(x > 1) FROM (VALUES (1, 'a'), (3, 'a')) AS t (x, z)", [("a", "a", True, False)]),
    # windows
    ("SELECT x, ntile(2) OVER (ORDER BY x), lead(x) OVER (ORDER BY x), first_value(x) OVER (ORDER BY x), last_value(x) OVER (ORDER BY x), nth_value(x, 2) OVER (ORDER BY x) FROM (VALUES 1, 2, 4) AS t (x) ORDER BY x", [(1, 1, 2, 1, 1, None), (2, 1, 4, 1, 2, 2), (4, 2, None, 1, 4, 2)]),
    ("SELECT x, dense_rank() OVER (ORDER BY x), percent_rank() OVER (ORDER BY x), cume_dist() OVER (ORDER BY x) FROM (VALUES 1, 2, 2, 3, 3) AS t (x) ORDER BY x", [(1, 1, 0.0, 0.2), (2, 2, 0.25, 0.6), (2, 2, 0.25, 0.6), (3, 3, 0.75, 1.0), (3, 3, 0.75, 1.0)]),
    (f"SELECT formula, row_number() OVER (ORDER BY n_atoms) {S} ORDER BY 2", [("CaO", 1), ("BaTiO3", 2), ("SrTiO3", 3)]),
    (f"SELECT sum(n_atoms) OVER (ORDER BY n_atoms ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) s {S} ORDER BY s", [(2,), (7,), (15,)]),
    (f"SELECT lag(n_atoms) OVER (ORDER BY n_atoms) l {S} ORDER BY l", [(2,), (5,), (None,)]),
    (f"SELECT rank() OVER (PARTITION BY outcome ORDER BY n_atoms DESC) r {S} ORDER BY r", [(1,), (1,), (2,)]),
    # joins, subqueries, sets
    ("SELECT s.formula, r.outcome FROM screening s LEFT JOIN results r ON s.formula = r.formula AND r.campaign = 'other' ORDER BY 1", [("BaTiO3", "ok"), ("HgO", None)]),
    ("SELECT formula, a.verdict FROM screening a JOIN results b USING (formula) WHERE b.stage = 'relax'", [("BaTiO3", "pass")]),
    ("SELECT count(*) FROM screening, results", [(8,)]),
    (f"SELECT formula {S} AND n_atoms = (SELECT max(n_atoms) FROM results)", [("SrTiO3",)]),
    ("SELECT formula FROM screening s WHERE NOT EXISTS (SELECT 1 FROM results r WHERE r.formula = s.formula)", [("HgO",)]),
    ("SELECT formula FROM screening WHERE formula IN (SELECT formula FROM results)", [("BaTiO3",)]),
    ("WITH t (f, n) AS (SELECT formula, n_atoms FROM results) SELECT f FROM t WHERE n = 2", [("CaO",)]),
    ("SELECT formula FROM results UNION SELECT formula FROM screening ORDER BY 1", [("BaTiO3",), ("CaO",), ("HgO",), ("SrTiO3",)]),
    ("SELECT formula FROM screening EXCEPT SELECT formula FROM results", [("HgO",)]),
    ("SELECT 1 UNION SELECT 2 INTERSECT SELECT 3", [(1,)]),
    ("SELECT 1 UNION ALL SELECT 2.5e0 ORDER BY 1", [(1.0,), (2.5,)]),
    ("SELECT a + 1 FROM (VALUES (1, 'x'), (2, 'y')) AS t (a, b) WHERE b = 'y'", [(3,)]),
    ("VALUES (1, 'a')", [(1, "a")]),
    ("SELECT count(*) FROM attempts", [(0,)]),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "rows"), CASES, ids=[sql for sql, _ in CASES])
def test_an_allowed_query_gives_the_rows_of_athena(
    root: Path, sql: str, rows: list[tuple[object, ...]]
) -> None:
    assert query(sql, [root]).rows == rows


def test_every_function_that_is_allowed_has_an_answer_here() -> None:
    asked = " ".join(file.read_text("utf-8") for file in BATTERY.glob("*.sql")).lower()
    asked += " ".join(sql.lower() for sql, _ in CASES)
    assert [name for name in KNOWN if not re.search(rf"\b{name}\(", asked)] == []


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        (
            "SELECT count(*), formula, sum(n_atoms) AS Total FROM results GROUP BY formula",
            [("_col0", "bigint"), ("formula", "varchar"), ("Total", "bigint")],
        ),
        ("SELECT 1, 2.50, 1e0", [("_col0", "integer"), ("_col1", "decimal(3,2)"), ("_col2", "double")]),
        ("SELECT started_at, elements FROM results", [("started_at", "timestamp(3)"), ("elements", "array(varchar)")]),
    ],
)  # fmt: skip
def test_columns_have_the_names_and_types_of_athena(
    root: Path, sql: str, columns: list[tuple[str, str]]
) -> None:
    assert query(sql, [root]).columns == columns


def test_a_star_ends_with_the_columns_of_the_partition(root: Path) -> None:
    names = [name for name, _ in query("SELECT * FROM results", [root]).columns]
    assert names[0] == "candidate_id"
    assert names[-2:] == ["campaign", "stage"]


def test_a_folder_without_anything_published_answers_with_no_rows(tmp_path: Path) -> None:
    assert query("SELECT formula, outcome FROM results", [tmp_path]).rows == []


def test_tables_are_described_in_the_words_of_athena(root: Path) -> None:
    assert ("results",) in query("SHOW TABLES", [root]).rows
    rows = query("DESCRIBE results", [root]).rows
    assert ("n_atoms", "bigint", "", "Number of atoms in the cell.") in rows
    assert ("stage", "varchar", "partition key") in [row[:3] for row in rows]


def test_duckdb_dialect_runs_duckdb_sql(root: Path) -> None:
    assert query("FROM results SELECT median(n_atoms)", [root], dialect="duckdb").rows == [(5.0,)]
