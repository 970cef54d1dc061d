"""What every rule asks of a node of the tree: that all its parts are known, and which it means."""

from __future__ import annotations

from typing import Any

from sqlglot import ErrorLevel, exp

from runner.sql.refusal import Refused, refuse

_ONE_LINE = 60
_HINTS = {
    "ILike": "write lower(x) LIKE 'pattern in small letters'",
    "AtTimeZone": "times in the tables are UTC and have no zone",
    "Tuple": "rows of values only stand in VALUES and IN; write ROW(a, b)",
    "Interval": "write INTERVAL '1' DAY (year, month, day, hour, minute, second)",
    "Lambda": "a lambda only stands in functions of arrays and maps",
    "Any": "write x IN (SELECT ...)",
    "All": "write x > (SELECT max(...) ...)",
    "Distinct": "DISTINCT stands after SELECT or inside count()",
    "Star": "write the columns, or SELECT *",
}
_BY_CHANCE = ("TABLESAMPLE", "rows taken by chance differ each time; write WHERE or LIMIT")
_PARTS = {
    ("Table", "sample"): _BY_CHANCE,
    ("Subquery", "sample"): _BY_CHANCE,
    ("Table", "version"): ("FOR VERSION or TIMESTAMP", "tables are as they were last published"),
    ("Star", "except_"): ("* EXCEPT or EXCLUDE", "Athena does not know it; name the columns"),
    ("Star", "replace"): ("* REPLACE", "Athena does not know it; name the columns"),
    ("Star", "rename"): ("* RENAME", "Athena does not know it; name the columns"),
    ("Distinct", "on"): (
        "DISTINCT ON",
        "Athena does not know it; GROUP BY the columns and write max_by(x, y) or min_by(x, y)",
    ),
    ("Select", "locks"): ("FOR UPDATE", "queries only read; leave it out"),
    ("Table", "pivots"): ("PIVOT", "write sum(CASE WHEN key = 'a' THEN x END) AS a"),
    ("Group", "all"): ("GROUP BY ALL", "name the columns"),
}
"""Parts of grammar without a rule: as they are written, and what to do."""


def only(node: Any, *known: str) -> None:
    """Refuse a node that has parts which its rule does not look at."""
    for name, value in node.args.items():
        if name not in known and value not in (None, False, []):
            part = name.rstrip("_").replace("_", " ").upper()
            unknown = (f"{part} in '{_shown(node)}'", "not known to give Athena's answer")
            raise refuse(*_PARTS.get((type(node).__name__, name), unknown))


def refused_node(node: Any) -> Refused:
    """Return the error for grammar without a rule."""
    return refuse(
        f"'{_shown(node)}'",
        _HINTS.get(type(node).__name__, "not known to give Athena's answer here; run it in Athena"),
    )


def _shown(node: Any) -> str:
    """Return it as SQL of one line, cut where it is long."""
    if isinstance(node, exp.Expression):
        what = node.sql("trino", unsupported_level=ErrorLevel.IGNORE)  # else it logs
    else:
        what = str(node)
    return what if len(what) <= _ONE_LINE else what[: _ONE_LINE - 3] + "..."


def direction(node: Any) -> str:
    """Return direction and place of nulls of an ORDER BY element; nulls come last by default."""
    nulls = "FIRST" if node.args.get("nulls_first") else "LAST"
    return f"{' DESC' if node.args.get('desc') else ' ASC'} NULLS {nulls}"
