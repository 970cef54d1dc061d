"""Documents as rows: written together with every key under which they are found."""

# ruff: noqa: S608 - the names put into SQL are our own; values are always bound

import re
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import bson
from pymongo.errors import DocumentTooLarge, DuplicateKeyError

from fireworks_ext.embedded.encoding import OPAQUE
from fireworks_ext.embedded.layout import Elements, Entries, Index, Layout, PathColumn
from fireworks_ext.embedded.semantics import Document

Row: TypeAlias = tuple[bytes, bytes, Entries]
"""A document to write: the key of its _id, its BSON, and all other keys."""

MAX_BSON_BYTES = 16 * 1024 * 1024
"""MongoDB's limit on one document, kept so that a store can move to a server."""

_FAILED = re.compile(r"UNIQUE constraint failed: (.+)")


def packed(document: Document) -> bytes:
    """Return a document as BSON.

    Raises
    ------
    DocumentTooLarge
        Above 16 MB, as MongoDB's driver does; FireWorks then falls back to GridFS.
    """
    blob = bson.encode(document)
    if len(blob) > MAX_BSON_BYTES:
        raise DocumentTooLarge(
            f"BSON document too large ({len(blob)} bytes); "
            f"a document may have at most {MAX_BSON_BYTES} bytes"
        )
    return blob


def unsettled(
    paths: Iterable[PathColumn], entries: Entries
) -> tuple[list[PathColumn], list[PathColumn]]:
    """Return the paths that this document is the first to have an array or an odd value on."""
    columns, elements = entries
    arrays, odd = [], []
    for path in paths:
        if elements and not path.multikey and elements.get(path.path) is not None:
            arrays.append(path)
        code = columns[path.column]
        if code is not None and code[0] in OPAQUE and not path.inexact:
            odd.append(path)
    return arrays, odd


def make_multikey(connection: sqlite3.Connection, layout: Layout, path: PathColumn) -> None:
    """Give a path its table of elements, so far one for each document."""
    table = path.elements
    connection.execute(
        f"CREATE TABLE {table} (v BLOB NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (v, id))"
        " WITHOUT ROWID"
    )
    connection.execute(f"CREATE INDEX {table}_id ON {table} (id)")
    connection.execute(
        f"INSERT INTO {table} SELECT {path.column}, id FROM {layout.table}"
        f" WHERE {path.column} IS NOT NULL"
    )
    connection.execute("UPDATE paths SET multikey = 1 WHERE id = ?", (path.id,))


def insert(connection: sqlite3.Connection, layout: Layout, row: Row) -> None:
    """Write a new row."""
    key, blob, entries = row
    _refuse_shared_elements(connection, layout, entries, None)
    try:
        cursor = connection.execute(layout.insertion, (None, key, blob, *entries[0].values()))
    except sqlite3.IntegrityError as error:
        raise _duplicate(layout, error) from error
    _add_all_elements(connection, layout, [(int(cursor.lastrowid or 0), entries)])


def insert_many(
    connection: sqlite3.Connection, layout: Layout, new: Sequence[Row], *, ordered: bool
) -> dict[int, DuplicateKeyError]:
    """Write new rows, and return the errors of those that are duplicates by their place.

    If `ordered`, the first duplicate ends it. SQLite's own indexes decide, but under a layout
    with `shared_indexes`.
    """
    if layout.shared_indexes:
        return _insert_one_by_one(connection, layout, new, ordered=ordered)
    (last,) = connection.execute(f"SELECT coalesce(max(id), 0) FROM {layout.table}").fetchone()
    values = [
        (number, key, blob, *entries[0].values())
        for number, (key, blob, entries) in enumerate(new, last + 1)
    ]
    errors: dict[int, DuplicateKeyError] = {}
    start = 0
    while start < len(new):
        before = connection.total_changes
        try:
            connection.executemany(layout.insertion, values[start:] if start else values)
            start = len(new)
        except sqlite3.IntegrityError as error:
            # Each row is a statement of its own: those before the failed one are written.
            failed = start + connection.total_changes - before
            errors[failed] = _duplicate(layout, error)
            start = failed + 1
            if ordered:
                new = new[:failed]
    _add_all_elements(
        connection,
        layout,
        [(last + 1 + place, row[2]) for place, row in enumerate(new) if place not in errors],
    )
    return errors


def _insert_one_by_one(
    connection: sqlite3.Connection, layout: Layout, new: Sequence[Row], *, ordered: bool
) -> dict[int, DuplicateKeyError]:
    errors: dict[int, DuplicateKeyError] = {}
    for place, row in enumerate(new):
        try:
            insert(connection, layout, row)
        except DuplicateKeyError as error:
            errors[place] = error
            if ordered:
                break
    return errors


def update(
    connection: sqlite3.Connection,
    layout: Layout,
    row: int,
    blob: bytes,
    before: Entries,
    after: Entries,
) -> None:
    """Write a changed document, and those of its keys that changed."""
    _refuse_shared_elements(connection, layout, after, row)
    old = before[0]
    changes = {column: value for column, value in after[0].items() if old.get(column) != value}
    names = "".join([f", {column} = ?" for column in changes])
    sql = f"UPDATE {layout.table} SET doc = ?{names} WHERE id = ?"
    try:
        connection.execute(sql, (blob, *changes.values(), row))
    except sqlite3.IntegrityError as error:
        raise _duplicate(layout, error) from error
    for name in after[1]:
        path = layout.paths[name]
        if (new := _elements(path, after)) != _elements(path, before):
            connection.execute(f"DELETE FROM {path.elements} WHERE id = ?", (row,))
            _add_elements(connection, path, [(value, row) for value in new])


def delete(connection: sqlite3.Connection, layout: Layout, row: int) -> None:
    """Remove a row and its keys."""
    connection.execute(f"DELETE FROM {layout.table} WHERE id = ?", (row,))
    for path in layout.paths.values():
        if path.multikey:
            connection.execute(f"DELETE FROM {path.elements} WHERE id = ?", (row,))


def _elements(path: PathColumn, entries: Entries) -> tuple[bytes, ...]:
    columns, elements = entries
    found: Elements = elements.get(path.path)
    if found is not None:
        return found
    code = columns.get(path.column)
    return () if code is None else (code,)


def _add_all_elements(
    connection: sqlite3.Connection, layout: Layout, new: Sequence[tuple[int, Entries]]
) -> None:
    for path in layout.all_paths:
        if path.multikey:
            pairs = [(value, row) for row, entries in new for value in _elements(path, entries)]
            _add_elements(connection, path, pairs)


def _add_elements(
    connection: sqlite3.Connection, path: PathColumn, pairs: Iterable[tuple[bytes, int]]
) -> None:
    connection.executemany(f"INSERT INTO {path.elements} (v, id) VALUES (?, ?)", pairs)


def _refuse_shared_elements(
    connection: sqlite3.Connection, layout: Layout, entries: Entries, row: int | None
) -> None:
    """Raise if another document shares an array element under a unique index.

    SQLite's own unique index sees the first element only.
    """
    for index in layout.shared_indexes:
        paths = [layout.paths.get(path) for path, _ in index.keys]
        conditions: list[str] = []
        values: list[Any] = []
        for column, path in zip(index.columns, paths, strict=True):
            elements = _elements(path, entries) if path is not None and path.multikey else ()
            if path is not None and elements:
                marks = ", ".join("?" * len(elements))
                conditions.append(f"id IN (SELECT id FROM {path.elements} WHERE v IN ({marks}))")
                values.extend(elements)
            else:
                conditions.append(f"{column} = ?")
                values.append(entries[0].get(column))
        where = " AND ".join(conditions)
        sql = f"SELECT 1 FROM {layout.table} WHERE {where} AND id IS NOT ? LIMIT 1"
        if connection.execute(sql, (*values, row)).fetchone():
            raise duplicate_key(index)


def duplicate_key(index: Index | None) -> DuplicateKeyError:
    """Return the error for a document that shares its key under a unique index."""
    name = index.name if index else "_id_"
    pattern = dict(index.keys) if index else {"_id": 1}
    message = f"E11000 duplicate key error: index: {name} on {', '.join(pattern)}"
    return DuplicateKeyError(
        message, 11000, {"code": 11000, "errmsg": message, "keyPattern": pattern}
    )


def _duplicate(layout: Layout, error: sqlite3.IntegrityError) -> DuplicateKeyError:
    failed = _FAILED.search(str(error))
    columns = tuple(name.split(".")[-1] for name in failed[1].split(", ")) if failed else ()
    for index in layout.indexes.values():
        if index.unique and index.columns == columns:
            return duplicate_key(index)
    return duplicate_key(None)
