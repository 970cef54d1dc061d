"""Which collections, indexed paths and indexes a store has, remembered between operations."""

# ruff: noqa: S608 - the names put into SQL are our own; values are always bound

import sqlite3

import bson

from fireworks_ext.embedded.layout import Index, Layout, PathColumn


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
