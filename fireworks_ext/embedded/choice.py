"""Which of several conditions rows are looked up by: the one that is seen to name few.

SQLite prefers `state = ?` to `key IN (?, ?)`, whatever the tables hold. Its statistics (ANALYZE)
would not help: they are averages, and of a hundred thousand rows one waits for each of a few keys
and all others for none.
"""

# ruff: noqa: S608 - the names put into SQL are our own; values are always bound

from dataclasses import replace
from sqlite3 import Connection

from fireworks_ext.embedded.planner import Condition, Plan

FEW = 100
"""Rows that are found, and sorted, in no time; with those a list of values may name."""


def chosen(connection: Connection, query: Plan) -> Plan:
    """Return a plan that looks rows up by one condition, if there is a choice and it names few."""
    ways = [one for one in query.conditions if one.rows]
    if len(ways) < 2:  # noqa: PLR2004  (no choice)
        return query
    for way in sorted(ways, key=lambda one: not one.unique):
        if way.unique or _names_few(connection, way):
            conditions = [
                one if one is way else replace(one, sql=f"+{one.sql}") for one in query.conditions
            ]
            return replace(query, conditions=tuple(conditions))
    return query


def _names_few(connection: Connection, way: Condition) -> bool:
    most = FEW + len(way.values)
    sql = f"SELECT count(*) FROM (SELECT 1 FROM {way.rows} LIMIT ?)"
    (number,) = connection.execute(sql, (*way.values, most + 1)).fetchone()
    return bool(number <= most)
