"""What every rule asks of a node of the tree: that all its parts are known, and which it means."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

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
    "TableSample": "rows taken by chance differ each time; write WHERE or LIMIT",
}


def only(node: Any, *known: str) -> None:
    """Refuse a node that has parts which its rule does not look at."""
    for name, value in node.args.items():
        if name not in known and value not in (None, False, []):
            part = name.rstrip("_").replace("_", " ").upper()
            raise refuse(f"{part} in {type(node).__name__}", "not known to give Athena's answer")


def refused_node(node: Any) -> Refused:
    """Return the error for grammar without a rule."""
    name = type(node).__name__
    what = node.sql("trino") if isinstance(node, exp.Expression) else str(node)
    shown = what if len(what) <= _ONE_LINE else what[: _ONE_LINE - 3] + "..."
    return refuse(
        f"{name} ({shown})",
        _HINTS.get(name, "not known to give Athena's answer here; run it in Athena"),
    )


def direction(node: Any) -> str:
    """Return direction and place of nulls of an ORDER BY element; nulls come last by default."""
    nulls = "FIRST" if node.args.get("nulls_first") else "LAST"
    return f"{' DESC' if node.args.get('desc') else ' ASC'} NULLS {nulls}"
