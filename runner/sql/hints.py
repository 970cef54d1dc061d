"""What to write instead of functions that would answer otherwise, or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runner.sql.refusal import Refused, refuse
from schemas.errors import suggestion

HINTS: Mapping[str, str] = {
    "approx_distinct": "it is an estimate that differs between systems; write count(DISTINCT x)",
    "approx_percentile": "it is an estimate that differs between systems; the median itself is "
    "element_at(array_sort(array_agg(x)), (count(x) + 1) / 2)",
    "sha512": "DuckDB has none; hash outside the query",
    "url_decode": "a blank is decoded otherwise; do it outside the query",
    "json_query": "DuckDB reads its path otherwise; write json_extract_scalar(column, '$.name')",
    "json_value": "DuckDB reads its path otherwise; write json_extract_scalar(column, '$.name')",
    "json_exists": "write json_extract_scalar(column, '$.name') IS NOT NULL",
    "json_array_get": "write json_extract_scalar(column, '$[0]')",
    "combinations": "not known to agree; join the unnested array with itself",
    "entropy": "not known to agree; write sum(p * log2(p)) over the shares",
    "json_array_contains": "write contains(CAST(json_parse(x) AS array(varchar)), 'text')",
    "map_union": "not known to agree; UNNEST the maps, GROUP BY the key and write map_agg",
    "map_zip_with": "not known to agree; write transform_values(a, (k, v) -> v + element_at(b, k))",
    "ngrams": "not known to agree; write slice(array, i, n)",
    "normalize": "it is only needed for letters beyond ASCII; do it outside the query",
    "parse_duration": "write INTERVAL '90' MINUTE",
    "position": "write position(part IN x), or strpos(x, part)",
    "shuffle": "its order is never the same twice",
    "with_timezone": "times in the tables are UTC; write t AT TIME ZONE 'UTC'",
    "kurtosis": "it is not known to agree",
    "nan": "NaN compares otherwise in Athena; published tables hold NULL instead",
    "infinity": "published tables hold NULL instead of infinities",
    "typeof": "the names of types differ; DESCRIBE the table",
    "random": "its numbers are never the same twice",
    "rand": "its numbers are never the same twice",
    "uuid": "its values are never the same twice",
    "ifnull": "Athena does not know it; write coalesce(x, y)",
    "nvl": "Athena does not know it; write coalesce(x, y)",
    "strftime": "Athena does not know it; write date_format(t, '%Y-%m-%d')",
    "len": "Athena does not know it; write length(text) or cardinality(array)",
    "string_agg": "Athena does not know it; write listagg(x, ',') WITHIN GROUP (ORDER BY x)",
    "group_concat": "Athena does not know it; write listagg(x, ',') WITHIN GROUP (ORDER BY x)",
    "median": "Athena does not know it; the median is "
    "element_at(array_sort(array_agg(x)), (count(x) + 1) / 2)",
    "percentile_cont": "Athena does not know it; the median is "
    "element_at(array_sort(array_agg(x)), (count(x) + 1) / 2)",
    "quantile_cont": "Athena does not know it; the median is "
    "element_at(array_sort(array_agg(x)), (count(x) + 1) / 2)",
    "mode": "Athena does not know it; write GROUP BY x ORDER BY count(*) DESC LIMIT 1",
    "list_contains": "Athena does not know it; write contains(array, x)",
    "left": "Athena does not know it; write substr(x, 1, n)",
    "right": "Athena does not know it; write substr(x, -n)",
    "datediff": "Athena does not know it; write date_diff('day', a, b)",
    "dateadd": "Athena does not know it; write date_add('day', n, t)",
    "unnest": "it stands in FROM: CROSS JOIN UNNEST(elements) AS t (element)",
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
