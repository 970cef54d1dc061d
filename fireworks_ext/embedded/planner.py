"""The part of a filter and of a sort that SQLite can do with its indexes.

What is pushed down is always a necessary condition: every document that the filter accepts is
among the candidates, and the caller checks each candidate against the filter. `exact` says that
the converse holds too.
"""

# ruff: noqa: S608 - the names put into SQL are our own; values are always bound

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bson import ObjectId

from fireworks_ext.embedded.encoding import TEXT, encode, searchable
from fireworks_ext.embedded.layout import Layout
from fireworks_ext.embedded.semantics import Sort

MAX_VALUES = 24_000
"""SQLite binds at most 32766 values by default (https://www.sqlite.org/limits.html, 9)."""

_PADDED = 8192  # values; beyond that, padding costs more than preparing

_RANGES = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that SQLite decides of a filter."""

    sql: str  # a unary plus before it keeps SQLite from looking rows up by it
    values: tuple[bytes, ...]
    rows: str = ""  # what to select the rows from that it names, if an index knows them
    unique: bool = False  # names one row for each of its values


@dataclass(frozen=True, slots=True)
class Plan:
    """How to find the candidates of a query."""

    conditions: tuple[Condition, ...]  # none for all rows
    order: str | None  # an SQL order, None if Python has to sort
    rest: Mapping[str, Any]  # the part of the filter that the condition does not decide
    fixed: tuple[str, ...]  # columns that the condition holds at one value
    by: tuple[tuple[str, int], ...]  # the columns of the order

    @property
    def exact(self) -> bool:
        """Whether the filter accepts every candidate."""
        return not self.rest

    @property
    def where(self) -> str:
        """The SQL of all conditions, "" for all rows."""
        return " AND ".join([one.sql for one in self.conditions])

    @property
    def values(self) -> tuple[bytes, ...]:
        """The values of all conditions."""
        return tuple([value for one in self.conditions for value in one.values])

    @property
    def condition(self) -> str:
        """The SQL that narrows the rows down to the candidates."""
        return f" WHERE {self.where}" if self.conditions else ""

    def select(self, layout: Layout) -> str:
        """Return the SQL that yields the candidates: the number of the row and the document."""
        order = self.order or "id"
        return f"SELECT id, doc FROM {layout.table}{self.condition} ORDER BY {order}"

    def numbers(self, layout: Layout) -> str:
        """Return the SQL that yields the numbers of the candidates' rows."""
        return f"SELECT id FROM {layout.table}{self.condition} ORDER BY {self.order or 'id'}"

    def among(self, layout: Layout) -> str:
        """Return the SQL for those candidates whose numbers a JSON list names: its first value."""
        # A cross join is done in the order written: for each number, one row is looked up.
        return (
            "SELECT id, doc FROM (SELECT value AS wanted FROM json_each(?))"
            f" CROSS JOIN {layout.table} ON id = wanted{self.condition}"
        )


@dataclass(slots=True)
class _Conditions:
    all: list[Condition]
    fixed: list[str]
    number: int = 0  # of values

    def add(self, sql: str, *values: bytes, rows: str = "", unique: bool = False) -> None:
        self.all.append(Condition(sql, values, rows, unique))
        self.number += len(values)


def plan(layout: Layout, search: Mapping[str, Any], sort: Sort) -> Plan:
    """Return how to find the documents that a filter may accept, in order if possible."""
    conditions = _Conditions([], [])
    rest = _add_filter(conditions, layout, search)
    by = _order(layout, sort)
    order = None
    if by is not None:
        order = ", ".join([f"{column} {'ASC' if way > 0 else 'DESC'}" for column, way in by])
        order = f"{order}, id" if order and by[-1][0] != "id" else order or "id"
    return Plan(
        tuple(conditions.all),
        order,
        rest,
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


def _add_filter(found: _Conditions, layout: Layout, search: Mapping[str, Any]) -> Mapping[str, Any]:
    """Add what the columns can decide of a filter, and return the part that they do not."""
    rest = {}
    for key, wanted in search.items():
        if key == "$and" and _filters(wanted):
            decided = True
            for part in wanted:
                decided &= not _add_filter(found, layout, part)
        elif key == "$or" and _filters(wanted):
            decided = _add_branches(found, layout, wanted)
        elif key.startswith("$") or layout.column(key) is None:
            decided = False
        else:
            decided = _add_field(found, layout, key, wanted)
        if not decided:
            rest[key] = wanted
    return rest


def _filters(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)


def _add_branches(
    found: _Conditions, layout: Layout, branches: Sequence[Mapping[str, Any]]
) -> bool:
    inner = [_Conditions([], []) for _ in branches]
    decided = [
        not _add_filter(one, layout, part) for one, part in zip(inner, branches, strict=True)
    ]
    if not all(one.all for one in inner):
        return False
    either = [" AND ".join([part.sql for part in one.all]) for one in inner]
    found.add(
        f"({' OR '.join(f'({sql})' for sql in either)})",
        *(value for one in inner for part in one.all for value in part.values),
    )
    return all(decided)


def _add_field(found: _Conditions, layout: Layout, path: str, wanted: Any) -> bool:
    """Add the condition on one path, and tell whether it is all that the filter says of it."""
    if not (isinstance(wanted, dict) and wanted and all(key.startswith("$") for key in wanted)):
        return _add_values(found, layout, path, [wanted])
    # On an array, several conditions have to hold for one of the values that a path leads to.
    decided = len(wanted) == 1 or not _multikey(layout, path)
    for operator, value in wanted.items():
        if operator == "$eq":
            decided &= _add_values(found, layout, path, [value])
        elif operator == "$in" and isinstance(value, list):
            decided &= _add_values(found, layout, path, value)
        elif operator == "$ne":
            decided &= _add_others(found, layout, path, [value])
        elif operator == "$nin" and isinstance(value, list):
            decided &= _add_others(found, layout, path, value)
        elif operator in _RANGES and value is not None and searchable(value):
            decided &= _add_range(found, layout, path, _RANGES[operator], encode(value))
        else:
            decided = False
    return decided


def _multikey(layout: Layout, path: str) -> bool:
    return path in layout.paths and layout.paths[path].multikey


def _codes(found: _Conditions, wanted: list[Any], *, multikey: bool) -> list[bytes] | None:
    """Return the keys of these values, or None if the keys cannot tell them."""
    codes: dict[bytes, None] = {}
    if set(map(type, wanted)) == {str} and "".join(wanted).isascii():  # keys, by thousands
        codes = dict.fromkeys(map(TEXT.__add__, map(str.encode, wanted)))
        return None if found.number + len(codes) > MAX_VALUES else list(codes)
    for value in wanted:
        if not searchable(value):
            return None
        for same in _equals(value, multikey=multikey):
            codes[encode(same)] = None
    return None if found.number + len(codes) > MAX_VALUES else list(codes)


def _marks(codes: list[bytes]) -> str:
    """Return as many marks as there are keys, and some keys again to have fewer different texts.

    SQLite prepares each text anew: lists of all lengths would make that most of the work.
    """
    length = 1 << (len(codes) - 1).bit_length()
    if length <= _PADDED:
        codes.extend(codes[-1:] * (length - len(codes)))
    return ", ".join("?" * len(codes))


def _add_values(found: _Conditions, layout: Layout, path: str, wanted: list[Any]) -> bool:
    """Add: the value is one of these."""
    multikey = _multikey(layout, path)
    codes = _codes(found, wanted, multikey=multikey)
    if codes is None:
        return False
    if not codes:
        found.add("0")
        return True
    marks = "= ?" if len(codes) == 1 else f"IN ({_marks(codes)})"
    if multikey:
        rows = f"{layout.paths[path].elements} WHERE v {marks}"
        found.add(f"id IN (SELECT id FROM {rows})", *codes, rows=rows)
        return not any(value is None or isinstance(value, ObjectId) for value in wanted)
    column = str(layout.column(path))
    sql = f"{column} {marks}"
    rows = f"{layout.table} WHERE {sql}" if column in layout.leading else ""
    found.add(sql, *codes, rows=rows, unique=column in layout.identifying)
    if len(codes) == 1:
        found.fixed.append(column)
    # Null is the key of a missing field as well, and of one in what is no document, where
    # mongomock finds nothing at all.
    return None not in wanted or "." not in path


def _add_others(found: _Conditions, layout: Layout, path: str, unwanted: list[Any]) -> bool:
    """Add: the value is none of these."""
    if _multikey(layout, path) or None in unwanted:
        return False
    codes = _codes(found, unwanted, multikey=False)
    if codes:
        found.add(f"{layout.column(path)} NOT IN ({_marks(codes)})", *codes)
    return codes is not None


def _equals(value: Any, *, multikey: bool) -> list[Any]:
    """Return the values that mongomock takes for the same, as Python does with True and 1."""
    if isinstance(value, (bool, int, float)) and value in (0, 1):
        return [int(value), bool(value)]
    if isinstance(value, ObjectId) and multikey:
        return [value, str(value)]
    return [value]


def _add_range(found: _Conditions, layout: Layout, path: str, sign: str, code: bytes) -> bool:
    """Add a bound, and the end of the values of the same class: others do not compare."""
    low, high = code[:1], bytes([code[0] + 1])
    bounds = ((sign, code), ("<", high)) if sign.startswith(">") else ((">=", low), (sign, code))
    if _multikey(layout, path):
        table = layout.paths[path].elements
        inner = " AND ".join([f"v {compares} ?" for compares, _ in bounds])
        found.add(f"id IN (SELECT id FROM {table} WHERE {inner})", *(bound for _, bound in bounds))
        return False
    for compares, bound in bounds:
        found.add(f"{layout.column(path)} {compares} ?", bound)
    return True
