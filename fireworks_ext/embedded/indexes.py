"""Indexes made, filled and removed."""

# ruff: noqa: S608 - the names put into SQL are our own; values are always bound

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import bson
from pymongo.errors import OperationFailure

from fireworks_ext.embedded.catalog import Catalog
from fireworks_ext.embedded.layout import Index, Layout
from fireworks_ext.embedded.rows import duplicate_key, make_multikey, unsettled
from fireworks_ext.embedded.semantics import index_keys

_IGNORED = frozenset({"background", "cache_for", "comment", "session", "v", "hidden", "maxTimeMS"})
_KEPT = ("unique", "sparse", "partialFilterExpression")
MAX_ORDERS = 6
"""Indexes that queues may add to a collection; each makes every write a little slower."""

_CONFLICT = 86  # IndexKeySpecsConflict
_NOT_FOUND = 27  # IndexNotFound


def described(keys: Any, options: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the name and the description of an index as asked for in pymongo's words.

    Raises
    ------
    OperationFailure
        For kinds of index that the embedded store does not have.
    """
    pairs = index_keys(keys)
    for path, direction in pairs:
        if direction not in (1, -1):
            raise OperationFailure(f"the embedded store has no {direction!r} index (on {path})")
    unknown = {
        name
        for name, value in options.items()
        if name not in _IGNORED and name not in _KEPT and name != "name" and value is not None
    }
    if unknown:
        raise OperationFailure(f"the embedded store has no index option {', '.join(unknown)}")
    kept: dict[str, Any] = {name: options[name] for name in _KEPT if options.get(name)}
    name = options.get("name") or "_".join(f"{path}_{direction}" for path, direction in pairs)
    own = "unique" in kept and len(kept) > 1
    return name, {"key": [[path, int(way)] for path, way in pairs], "own": own, **kept}


def create(
    connection: sqlite3.Connection, catalog: Catalog, where: tuple[str, str], index: tuple[str, Any]
) -> None:
    """Make an index on a collection and fill it; in a transaction.

    Raises
    ------
    DuplicateKeyError
        If it is unique and two documents share a key.
    OperationFailure
        If another index has its name.
    """
    name, options = index
    layout = catalog.created(connection, *where)
    existing = layout.indexes.get(name)
    if existing is not None:
        if _blob(existing) != bson.encode(options):
            raise OperationFailure(
                f"Index with name: {name} already exists with different options", _CONFLICT
            )
        return
    _add_columns(connection, layout, [path for path, _ in options["key"]])
    cursor = connection.execute(
        "INSERT INTO indexes (collection, name, options) VALUES (?, ?, ?)",
        (layout.id, name, bson.encode(options)),
    )
    if options["own"]:
        for place in range(len(options["key"])):
            connection.execute(
                f"ALTER TABLE {layout.table} ADD COLUMN x{cursor.lastrowid}_{place} BLOB"
            )
    catalog.changed(connection)
    layout = fill(connection, catalog, where, set(layout.paths) | {"_id"})
    _build(connection, layout, layout.indexes[name])


def _blob(index: Index) -> bytes:
    keys = [[path, way] for path, way in index.keys]
    return bson.encode({"key": keys, "own": index.own, **index.options})


def _add_columns(connection: sqlite3.Connection, layout: Layout, paths: Sequence[str]) -> None:
    for path in paths:
        if layout.column(path) is None:
            cursor = connection.execute(
                "INSERT OR IGNORE INTO paths (collection, path) VALUES (?, ?)", (layout.id, path)
            )
            if cursor.rowcount:
                connection.execute(
                    f"ALTER TABLE {layout.table} ADD COLUMN p{cursor.lastrowid} BLOB"
                )


def fill(
    connection: sqlite3.Connection, catalog: Catalog, where: tuple[str, str], known: set[str]
) -> Layout:
    """Write the keys of all documents for the paths that are not `known`; in a transaction."""
    layout = catalog.created(connection, *where)
    rows = connection.execute(f"SELECT id, doc FROM {layout.table}").fetchall()
    later: dict[str, dict[int, tuple[bytes, ...]]] = {}
    odd: set[int] = set()
    for row, blob in rows:
        columns, elements = layout.entries(bson.decode(blob))
        new = {
            column: value
            for column, value in columns.items()
            if column.startswith("x") or column not in {layout.column(path) for path in known}
        }
        if new:
            names = ", ".join(f"{column} = ?" for column in new)
            connection.execute(
                f"UPDATE {layout.table} SET {names} WHERE id = ?",
                (*new.values(), row),
            )
        arrays, inexact = unsettled(layout.all_paths, (columns, elements))
        odd.update(path.id for path in inexact)
        for path in arrays:
            later.setdefault(path.path, {})[row] = elements[path.path] or ()
    for path_name, found in later.items():
        path = layout.paths[path_name]
        make_multikey(connection, layout, path)
        for row, values in found.items():
            connection.execute(f"DELETE FROM {path.elements} WHERE id = ?", (row,))
            connection.executemany(
                f"INSERT INTO {path.elements} (v, id) VALUES (?, ?)",
                [(value, row) for value in values],
            )
    connection.executemany("UPDATE paths SET inexact = 1 WHERE id = ?", [(one,) for one in odd])
    if later or odd:
        catalog.changed(connection)
    return catalog.created(connection, *where)


def _build(connection: sqlite3.Connection, layout: Layout, index: Index) -> None:
    unique = "UNIQUE " if index.unique else ""
    columns = ", ".join(
        f"{column} {'ASC' if way > 0 else 'DESC'}"
        for column, (_, way) in zip(index.columns, index.keys, strict=True)
    )
    try:
        connection.execute(f"CREATE {unique}INDEX i{index.id} ON {layout.table} ({columns})")
    except sqlite3.IntegrityError as error:
        raise duplicate_key(index) from error
    if index.unique and len(index.keys) == 1 and (path := layout.paths.get(index.keys[0][0])):
        shared = (
            path.multikey
            and not index.own
            and connection.execute(
                f"SELECT 1 FROM {path.elements} GROUP BY v HAVING count(*) > 1 LIMIT 1"
            ).fetchone()
        )
        if shared:
            raise duplicate_key(index)


def drop(
    connection: sqlite3.Connection, catalog: Catalog, where: tuple[str, str], name: str
) -> None:
    """Remove an index; in a transaction. Its columns stay, for they still narrow a scan."""
    layout = catalog.layout(connection, *where)
    index = layout.indexes.get(name) if layout else None
    if layout is None or index is None:
        raise OperationFailure(f"index not found with name [{name}]", _NOT_FOUND)
    connection.execute(f"DROP INDEX i{index.id}")
    connection.execute("DELETE FROM indexes WHERE id = ?", (index.id,))
    if index.own:
        for column in index.columns:
            connection.execute(f"ALTER TABLE {layout.table} DROP COLUMN {column}")
    catalog.changed(connection)


def order_index(
    connection: sqlite3.Connection,
    layout: Layout,
    fixed: Sequence[str],
    by: Sequence[tuple[str, int]],
) -> None:
    """Make sure that "first by this order, among rows with these columns fixed" is one look-up.

    A queue of work asks that all the time, and a declared index serves only if what follows the
    sorted columns is the row number, which decides between equals: first in, first out.
    """
    if any(column == "id" for column, _ in by):
        return
    fixed = sorted(set(fixed) - {column for column, _ in by})
    if any(_serves(index, fixed, by) for index in layout.indexes.values()):
        return
    ways = [f"{column}{'a' if way > 0 else 'd'}" for column, way in by]
    name = f"o{layout.id}_{'_'.join([*fixed, 'by', *ways])}"
    if name in layout.orders or len(layout.orders) >= MAX_ORDERS:
        return
    columns = [*fixed, *(f"{column} {'ASC' if way > 0 else 'DESC'}" for column, way in by)]
    connection.execute(
        f"CREATE INDEX IF NOT EXISTS {name} ON {layout.table} ({', '.join(columns)})"
    )
    layout.orders.add(name)


def _serves(index: Index, fixed: Sequence[str], by: Sequence[tuple[str, int]]) -> bool:
    """Tell whether a declared index has this order, with the row number after it."""
    ways = [way for _, way in index.keys]
    columns = list(index.columns)
    return (
        not index.own
        and sorted(columns[: len(fixed)]) == list(fixed)
        and list(zip(columns, ways, strict=True))[len(fixed) :] == list(by)
    )
