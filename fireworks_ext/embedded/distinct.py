"""The different values on a path, from the keys where they tell the values."""

# ruff: noqa: S608 - the names put into SQL are our own; values are always bound

from collections.abc import Iterator, Mapping
from sqlite3 import Connection
from typing import Any

import bson

from fireworks_ext.embedded.encoding import decode, encode
from fireworks_ext.embedded.layout import Layout
from fireworks_ext.embedded.planner import Plan, plan
from fireworks_ext.embedded.semantics import NOTHING, Document, candidates

_LEAPS = 300  # different values up to which leaping is sure to be quicker than reading on
_LOOKED_UP = 1000  # keys that tell no value, up to which a document is read for each


def distinct_keys(
    connection: Connection, layout: Layout, path: str, search: Mapping[str, Any]
) -> list[Any] | None:
    """Return the different values on an indexed path, or None where the documents must tell."""
    column = layout.column(path)
    query = plan(layout, search, ())
    if column is None or not query.exact or (path != "_id" and layout.paths[path].multikey):
        return None
    codes = _codes(connection, layout, query, column)
    values: dict[bytes, Any] = {}
    unclear: list[bytes] = []
    for code in codes:
        try:
            values[code] = decode(code)
        except ValueError:
            unclear.append(code)
    if len(unclear) > _LOOKED_UP:
        return None
    for code in unclear:
        condition = f"{query.where} AND " if query.where else ""
        sql = f"SELECT doc FROM {layout.table} WHERE {condition}{column} = ?"
        cursor = connection.execute(sql, (*query.values, code))
        for (blob,) in cursor:
            found = candidates(path, bson.decode(blob))
            if any(value is not NOTHING for value in found):
                values[code] = found[0]
                break
            # A missing field has the key of null: is there a null among them?
        cursor.close()
    return [values[code] for code in codes if code in values]


def _codes(connection: Connection, layout: Layout, query: Plan, column: str) -> list[bytes]:
    """Return the different keys in a column, in their order."""
    table = layout.table
    if not _leads(layout, query, column):
        sql = f"SELECT DISTINCT {column} FROM {table}{query.condition} ORDER BY {column}"
        return [code for (code,) in connection.execute(sql, query.values)]
    condition = f"{query.where} AND " if query.where else ""
    sql = f"SELECT min({column}) FROM {table} WHERE {condition}{column} > ?"
    codes: list[bytes] = []
    code: bytes | None = b""
    while len(codes) < _LEAPS:
        (code,) = connection.execute(sql, (*query.values, code)).fetchone()
        if code is None:
            return codes
        codes.append(code)
    sql = f"SELECT DISTINCT {column} FROM {table} WHERE {condition}{column} > ? ORDER BY {column}"
    return codes + [code for (code,) in connection.execute(sql, (*query.values, code))]


def _leads(layout: Layout, query: Plan, column: str) -> bool:
    """Tell whether an index has the column next after those that the condition holds fixed."""
    if len(query.values) != len(query.fixed):
        return False
    fixed = set(query.fixed)
    return column == "k" or any(
        not index.own
        and set(index.columns[: len(fixed)]) == fixed
        and index.columns[len(fixed) : len(fixed) + 1] == (column,)
        for index in layout.indexes.values()
    )


def distinct_values(documents: Iterator[Document], path: str) -> list[Any]:
    """Return the different values on a path; arrays count by element."""
    found: dict[bytes, Any] = {}
    for document in documents:
        for value in candidates(path, document):
            if value is not NOTHING:
                for one in value if isinstance(value, list) else [value]:
                    found.setdefault(encode(one), one)
    return list(found.values())
