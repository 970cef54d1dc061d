"""Which collections, indexed paths and indexes a store has, and the tables that hold them.

A collection is a table of BSON rows. Each indexed path adds one column of sort keys; a path on
which some document has an array (multikey) also has a table with one row per element.
"""

# ruff: noqa: S608 - the names put into SQL are our own; values are always bound

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import bson

from fireworks_ext.embedded.encoding import EMPTY, NULL, OPAQUE, encode
from fireworks_ext.embedded.semantics import NOTHING, Document, candidates, matches

Elements: TypeAlias = tuple[bytes, ...] | None
Entries: TypeAlias = tuple[dict[str, bytes | None], dict[str, Elements]]
"""The keys of one document: by column, and by multikey path its elements."""


@dataclass(frozen=True, slots=True)
class PathColumn:
    """An indexed path: its column of sort keys, and its table of elements if it is multikey."""

    id: int
    path: str
    multikey: bool
    inexact: bool  # some value has no useful order

    @property
    def column(self) -> str:
        """The column of sort keys in the table of the collection."""
        return f"p{self.id}"

    @property
    def elements(self) -> str:
        """The table of array elements."""
        return f"m{self.id}"

    def keys(self, document: Document) -> tuple[bytes, Elements]:
        """Return the sort key of a document on this path, and its elements if it has an array."""
        value: Any = document
        for part in self.path.split("."):
            if isinstance(value, dict):
                value = value.get(part, NOTHING)
            elif isinstance(value, list):
                return self._array_keys(document)
            else:
                return NULL, None
            if value is NOTHING:
                return NULL, None
        if isinstance(value, list):
            return self._array_keys(document)
        return encode(value), None

    def _array_keys(self, document: Document) -> tuple[bytes, Elements]:
        found = candidates(self.path, document)
        elements: set[bytes] = set()
        for value in found:
            if isinstance(value, list):
                elements.update(map(encode, value))
            else:
                elements.add(NULL if value is NOTHING else encode(value))
        first = found[0] if found else NOTHING
        if isinstance(first, list):
            first = first[0] if first else EMPTY
        if first is EMPTY:
            return EMPTY, tuple(sorted(elements))
        return (NULL if first is NOTHING else encode(first)), tuple(sorted(elements))


@dataclass(frozen=True, slots=True)
class Index:
    """An index as it was asked for, and the columns it stands on."""

    id: int
    name: str
    keys: tuple[tuple[str, int], ...]
    options: Mapping[str, Any]
    columns: tuple[str, ...]
    own: bool  # columns of its own, null for the documents that it leaves out

    @property
    def unique(self) -> bool:
        """Whether no two documents may share a key."""
        return bool(self.options.get("unique"))

    def covers(self, document: Document, values: Iterable[bytes]) -> bool:
        """Tell whether a sparse or partial index holds this document."""
        if self.options.get("sparse") and all(value == NULL for value in values):
            return False
        partial = self.options.get("partialFilterExpression")
        return partial is None or matches(partial, document)

    def information(self) -> Document:
        """Return the index as `index_information` shows it."""
        return {"v": 2, "key": list(self.keys), **self.options}


@dataclass(frozen=True, slots=True)
class Layout:
    """The tables of one collection."""

    id: int
    paths: Mapping[str, PathColumn]
    indexes: Mapping[str, Index]
    orders: set[str] = field(default_factory=set)

    @property
    def table(self) -> str:
        """The table that holds the documents."""
        return f"d{self.id}"

    def entries(self, document: Document) -> Entries:
        """Return every key under which a document is found."""
        columns: dict[str, bytes | None] = {}
        elements: dict[str, Elements] = {}
        for path in self.paths.values():
            columns[path.column], found = path.keys(document)
            if found is not None or path.multikey:
                elements[path.path] = found
        for index in self.indexes.values():
            if index.own:
                values = [
                    encode(document.get("_id"))
                    if path == "_id"
                    else self.paths[path].keys(document)[0]
                    for path, _ in index.keys
                ]
                covered = index.covers(document, values)
                for column, value in zip(index.columns, values, strict=True):
                    columns[column] = value if covered else None
        return columns, elements

    def column(self, path: str) -> str | None:
        """Return the column of sort keys for a path, if it has one."""
        if path == "_id":
            return "k"
        found = self.paths.get(path)
        return found.column if found else None


class Catalog:
    """The layouts of a store, remembered until any process changes one."""

    def __init__(self) -> None:
        self._revision = -1
        self._layouts: dict[tuple[str, str], Layout | None] = {}

    def refresh(self, connection: sqlite3.Connection) -> bool:
        """Forget what another process has changed; tell whether there was anything."""
        revision = connection.execute("SELECT value FROM revision").fetchone()[0]
        if revision == self._revision:
            return False
        self._layouts.clear()
        self._revision = revision
        return True

    def forget(self) -> None:
        """Forget everything, as after a transaction that was undone."""
        self._layouts.clear()
        self._revision = -1

    def changed(self, connection: sqlite3.Connection) -> None:
        """Tell every process that a layout has changed; in a transaction."""
        connection.execute("UPDATE revision SET value = value + 1")
        self.refresh(connection)

    def layout(self, connection: sqlite3.Connection, db: str, name: str) -> Layout | None:
        """Return the layout of a collection, or None if there is no such collection."""
        key = (db, name)
        if key not in self._layouts:
            self._layouts[key] = _read_layout(connection, db, name)
        return self._layouts[key]

    def created(self, connection: sqlite3.Connection, db: str, name: str) -> Layout:
        """Return the layout of a collection, making the collection if needed; in a transaction."""
        layout = self.layout(connection, db, name)
        if layout is None:
            cursor = connection.execute(
                "INSERT INTO collections (db, name) VALUES (?, ?)", (db, name)
            )
            table = f"d{cursor.lastrowid}"
            connection.execute(
                f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, k BLOB NOT NULL, doc BLOB NOT NULL)"
            )
            connection.execute(f"CREATE UNIQUE INDEX {table}_k ON {table} (k)")
            self.changed(connection)
            layout = self.layout(connection, db, name)
        assert layout is not None  # noqa: S101 - made just above
        return layout

    def dropped(self, connection: sqlite3.Connection, db: str, name: str) -> None:
        """Remove a collection and all of its tables; in a transaction."""
        layout = self.layout(connection, db, name)
        if layout is None:
            return
        for path in layout.paths.values():
            connection.execute(f"DROP TABLE IF EXISTS {path.elements}")
        connection.execute(f"DROP TABLE {layout.table}")
        for table, column in (
            ("paths", "collection"),
            ("indexes", "collection"),
            ("collections", "id"),
        ):
            connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (layout.id,))
        self.changed(connection)

    def renamed(self, connection: sqlite3.Connection, db: str, name: str, new_name: str) -> None:
        """Give a collection another name; in a transaction."""
        connection.execute(
            "UPDATE collections SET name = ? WHERE db = ? AND name = ?", (new_name, db, name)
        )
        self.changed(connection)


def names(connection: sqlite3.Connection, db: str) -> list[str]:
    """Return the names of the collections of a database."""
    rows = connection.execute("SELECT name FROM collections WHERE db = ? ORDER BY id", (db,))
    return [name for (name,) in rows]


def databases(connection: sqlite3.Connection) -> list[str]:
    """Return the names of the databases that have a collection."""
    return [name for (name,) in connection.execute("SELECT DISTINCT db FROM collections")]


def opaque(code: bytes) -> bool:
    """Tell whether a key has no useful order."""
    return code[0] in OPAQUE


def _read_layout(connection: sqlite3.Connection, db: str, name: str) -> Layout | None:
    row = connection.execute(
        "SELECT id FROM collections WHERE db = ? AND name = ?", (db, name)
    ).fetchone()
    if row is None:
        return None
    collection = row[0]
    paths = {
        path: PathColumn(number, path, bool(multikey), bool(inexact))
        for number, path, multikey, inexact in connection.execute(
            "SELECT id, path, multikey, inexact FROM paths WHERE collection = ?", (collection,)
        )
    }
    indexes = {}
    for number, index_name, blob in connection.execute(
        "SELECT id, name, options FROM indexes WHERE collection = ? ORDER BY id", (collection,)
    ):
        options = bson.decode(blob)
        keys = tuple((path, direction) for path, direction in options.pop("key"))
        own = options.pop("own")
        columns = tuple(
            f"x{number}_{place}" if own else "k" if path == "_id" else paths[path].column
            for place, (path, _) in enumerate(keys)
        )
        indexes[index_name] = Index(number, index_name, keys, options, columns, own)
    rows = connection.execute(
        "SELECT name FROM sqlite_master WHERE tbl_name = ? AND name LIKE 'o%'", (f"d{collection}",)
    )
    return Layout(collection, paths, indexes, {order for (order,) in rows})
