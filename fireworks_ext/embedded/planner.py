"""The part of a filter and of a sort that SQLite can do with its indexes.

What is pushed down is always a necessary condition: every document that the filter accepts is
among the candidates, and the caller checks each candidate against the filter. `exact` says that
the converse holds too.
"""

# ruff: noqa: S608 - the names put into SQL are our own; values are always bound

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bson import ObjectId
from bson.regex import Regex

from fireworks_ext.embedded.catalog import Layout
from fireworks_ext.embedded.encoding import encode, searchable
from fireworks_ext.embedded.semantics import Sort

MAX_VALUES = 30_000
"""SQLite binds at most 32766 values by default (https://www.sqlite.org/limits.html, 9)."""

_RANGES = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}


@dataclass(frozen=True, slots=True)
class Plan:
    """How to find the candidates of a query."""

    where: str  # an SQL condition, "" for all rows
    values: tuple[bytes, ...]
    order: str | None  # an SQL order, None if Python has to sort
    exact: bool
    fixed: tuple[str, ...]  # columns that the condition holds at one value
    by: tuple[tuple[str, int], ...]  # the columns of the order

    def select(self, layout: Layout, what: str = "id, doc") -> str:
        """Return the SQL that yields the candidates."""
        where = f" WHERE {self.where}" if self.where else ""
        return f"SELECT {what} FROM {layout.table}{where} ORDER BY {self.order or 'id'}"


@dataclass(slots=True)
class _Conditions:
    sql: list[str]
    values: list[bytes]
    fixed: list[str]
    exact: bool = True

    def add(self, sql: str, *values: bytes) -> None:
        self.sql.append(sql)
        self.values.extend(values)


def plan(layout: Layout, search: Mapping[str, Any], sort: Sort) -> Plan:
    """Return how to find the documents that a filter may accept, in order if possible."""
    conditions = _conditions(layout, search)
    by = _order(layout, sort)
    order = None
    if by is not None:
        order = ", ".join([f"{column} {'ASC' if way > 0 else 'DESC'}" for column, way in by])
        order = f"{order}, id" if order and by[-1][0] != "id" else order or "id"
    return Plan(
        " AND ".join(conditions.sql),
        tuple(conditions.values),
        order,
        conditions.exact,
        tuple(conditions.fixed),
        tuple(by or ()),
    )


def _order(layout: Layout, sort: Sort) -> list[tuple[str, int]] | None:
    by = []
    for path, direction in sort:
        if path == "$natural":
            by.append(("id", direction))
            break
        column = layout.column(path)
        if column is None or (path in layout.paths and layout.paths[path].inexact):
            return None
        by.append((column, direction))
    return by


def _conditions(layout: Layout, search: Mapping[str, Any]) -> _Conditions:
    found = _Conditions([], [], [])
    for key, wanted in search.items():
        if key == "$and" and _filters(wanted):
            for part in wanted:
                inner = _conditions(layout, part)
                found.sql.extend(inner.sql)
                found.values.extend(inner.values)
                found.fixed.extend(inner.fixed)
                found.exact &= inner.exact
        elif key == "$or" and _filters(wanted):
            branches = [_conditions(layout, part) for part in wanted]
            if all(branch.sql for branch in branches):
                found.add(
                    "(" + " OR ".join(f"({' AND '.join(b.sql)})" for b in branches) + ")",
                    *(value for branch in branches for value in branch.values),
                )
                found.exact &= all(branch.exact for branch in branches)
            else:
                found.exact = False
        elif key.startswith("$") or layout.column(key) is None:
            found.exact = False
        else:
            _add_field(found, layout, key, wanted)
    return found


def _filters(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)


def _add_field(found: _Conditions, layout: Layout, path: str, wanted: Any) -> None:
    if isinstance(wanted, dict) and wanted and all(key.startswith("$") for key in wanted):
        for operator, value in wanted.items():
            if operator == "$eq":
                _add_values(found, layout, path, [value])
            elif operator == "$in" and isinstance(value, (list, tuple)):
                _add_values(found, layout, path, list(value))
            elif operator in _RANGES and value is not None and searchable(value):
                _add_range(found, layout, path, _RANGES[operator], encode(value))
            else:
                found.exact = False
        return
    _add_values(found, layout, path, [wanted])


def _add_values(found: _Conditions, layout: Layout, path: str, wanted: list[Any]) -> None:
    """Add: the value is one of these."""
    codes: dict[bytes, None] = {}
    multikey = path in layout.paths and layout.paths[path].multikey
    for value in wanted:
        if isinstance(value, (re.Pattern, Regex)) or not searchable(value):
            found.exact = False
            return
        for same in _equals(value, multikey=multikey):
            codes[encode(same)] = None
    if multikey or None in wanted:
        found.exact = False
    if len(found.values) + len(codes) > MAX_VALUES:
        found.exact = False
        return
    if not codes:
        found.add("0")
        return
    marks = "= ?" if len(codes) == 1 else f"IN ({', '.join('?' * len(codes))})"
    column = layout.column(path)
    if multikey:
        table = layout.paths[path].elements
        found.add(f"id IN (SELECT id FROM {table} WHERE v {marks})", *codes)
    else:
        found.add(f"{column} {marks}", *codes)
        if len(codes) == 1:
            found.fixed.append(str(column))


def _equals(value: Any, *, multikey: bool) -> list[Any]:
    """Return the values that mongomock takes for the same, as Python does with True and 1."""
    if isinstance(value, (bool, int, float)) and value in (0, 1):
        return [int(value), bool(value)]
    if isinstance(value, ObjectId) and multikey:
        return [value, str(value)]
    return [value]


def _add_range(found: _Conditions, layout: Layout, path: str, sign: str, code: bytes) -> None:
    """Add a bound, and the end of the values of the same class: others do not compare."""
    low, high = code[:1], bytes([code[0] + 1])
    if sign.startswith(">"):
        condition, values = f"{{0}} {sign} ? AND {{0}} < ?", (code, high)
    else:
        condition, values = f"{{0}} >= ? AND {{0}} {sign} ?", (low, code)
    found.exact = False
    if path in layout.paths and layout.paths[path].multikey:
        table = layout.paths[path].elements
        inner = condition.format("v")
        found.add(f"id IN (SELECT id FROM {table} WHERE {inner})", *values)
    else:
        found.add(condition.format(layout.column(path)), *values)
