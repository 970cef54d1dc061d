"""What to write instead of functions that would answer otherwise, or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runner.sql.refusal import Refused, refuse
from schemas.errors import suggestion

HINTS: Mapping[str, str] = {
    "approx_distinct": "it is an estimate that differs between systems; write count(DISTINCT x)",
    "approx_percentile": "it is an estimate that differs between systems; sort and take a row "
    "with row_number()",
    "array_union": "the order of its elements differs; write array_sort(array_distinct(...))",
    "array_except": "the order of its elements differs; write filter(a, x -> NOT contains(b, x))",
    "array_intersect": "the order of its elements differs; write filter(a, x -> contains(b, x))",
    "any_match": "write cardinality(filter(a, x -> condition)) > 0",
    "all_match": "write cardinality(filter(a, x -> NOT condition)) = 0",
    "none_match": "write cardinality(filter(a, x -> condition)) = 0",
    "reduce": "DuckDB leaves out its last step; UNNEST the array and aggregate",
    "substring": "write substr(x, start, length)",
    "position": "write strpos(x, part)",
    "format": "its patterns mean something else in DuckDB; write CAST and ||",
    "repeat": "it makes an array in Athena and a text in DuckDB; write lpad('', n, x)",
    "sha1": "its type differs (binary in Athena); hash outside the query",
    "sha256": "its type differs (binary in Athena); hash outside the query",
    "sha512": "DuckDB has none; hash outside the query",
    "md5": "its type differs (binary in Athena); hash outside the query",
    "url_encode": "a blank is encoded otherwise; do it outside the query",
    "url_decode": "a blank is decoded otherwise; do it outside the query",
    "to_base": "its letters differ in case; do it outside the query",
    "json_query": "DuckDB reads its path otherwise; write json_extract_scalar(column, '$.name')",
    "json_value": "DuckDB reads its path otherwise; write json_extract_scalar(column, '$.name')",
    "json_exists": "write json_extract_scalar(column, '$.name') IS NOT NULL",
    "json_parse": "write json_extract_scalar, or CAST(json_extract(column, path) AS double)",
    "json_format": "JSON columns are canonical text already; use the column itself",
    "json_extract": "write CAST(json_extract(column, path) AS double), bigint or array(double); "
    "for text json_extract_scalar",
    "json_array_get": "write json_extract_scalar(column, '$[0]')",
    "skewness": "it is the population's in Athena and the sample's in DuckDB",
    "kurtosis": "it is not known to agree",
    "cbrt": "its last digit differs, so that cbrt(27) = 3 fails here; write power(x, 1e0 / 3)",
    "log2": "its last digit differs; write ln(x) / ln(2)",
    "nan": "NaN compares otherwise in Athena; published tables hold NULL instead",
    "infinity": "published tables hold NULL instead of infinities",
    "is_nan": "published tables hold NULL instead; write x IS NULL",
    "is_finite": "published tables hold NULL instead; write x IS NOT NULL",
    "typeof": "the names of types differ; DESCRIBE the table",
    "try": "its reach differs; write TRY_CAST, nullif or CASE",
    "now": "it has a time zone; write localtimestamp, which is UTC",
    "from_unixtime": "it has a time zone; write date_add('second', n, TIMESTAMP '1970-01-01')",
    "from_iso8601_timestamp": "it has a time zone; write TIMESTAMP '2026-01-31 10:00:00'",
    "at_timezone": "times in the tables are UTC and have no zone",
    "to_iso8601": "write date_format(t, '%Y-%m-%dT%H:%i:%s')",
    "random": "its numbers are never the same twice",
    "rand": "its numbers are never the same twice",
    "uuid": "its values are never the same twice",
    "ifnull": "Athena does not know it; write coalesce(x, y)",
    "nvl": "Athena does not know it; write coalesce(x, y)",
    "strftime": "Athena does not know it; write date_format(t, '%Y-%m-%d')",
    "len": "Athena does not know it; write length(text) or cardinality(array)",
    "string_agg": "Athena does not know it; write listagg(x, ',') WITHIN GROUP (ORDER BY x)",
    "group_concat": "Athena does not know it; write listagg(x, ',') WITHIN GROUP (ORDER BY x)",
    "median": "Athena does not know it; sort and take a row with row_number()",
    "percentile_cont": "Athena does not know it; sort and take a row with row_number()",
    "quantile_cont": "Athena does not know it; sort and take a row with row_number()",
    "mode": "Athena does not know it; write GROUP BY x ORDER BY count(*) DESC LIMIT 1",
    "list_contains": "Athena does not know it; write contains(array, x)",
    "left": "Athena does not know it; write substr(x, 1, n)",
    "right": "Athena does not know it; write substr(x, -n)",
    "datediff": "Athena does not know it; write date_diff('day', a, b)",
    "dateadd": "Athena does not know it; write date_add('day', n, t)",
    "unnest": "it stands in FROM: CROSS JOIN UNNEST(elements) AS t (element)",
    "map_agg": "DuckDB has none; write array_agg for keys and for values",
}


def unknown_function(name: str, known: Sequence[str]) -> Refused:
    """Return the error for a function that is not known to give Athena's answer."""
    if name in HINTS:
        return refuse(f"{name}()", HINTS[name])
    return refuse(
        f"{name}()",
        "not known to give Athena's answer here; run the query in Athena, or with "
        f"--dialect duckdb{suggestion(name, known) if _near(name, known) else ''}",
    )


def _near(name: str, known: Sequence[str]) -> bool:
    return "did you mean" in suggestion(name, known)
