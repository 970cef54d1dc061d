"""One SQLite file: its connection, its transactions, and what a fork does to both.

There is one connection per process, behind a re-entrant lock, rather than one per thread: it is
what lets a fork be made safe. SQLite keeps a process-wide record of the POSIX locks it holds, a
child inherits the record but not the locks (https://www.sqlite.org/howtocorrupt.html, 2.6), and
a child that opens a connection of its own beside an inherited one would believe itself protected
and write into a log that its parent deletes. So every connection is closed just before a fork,
when no operation is under way, and both sides open their own when they next need it.
"""

import os
import sqlite3
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Literal, TypeAlias

from fireworks_ext.embedded.errors import StoreError, translated
from fireworks_ext.embedded.filesystem import mounts, refuse_network
from fireworks_ext.embedded.turns import Turns
from schemas.errors import UserError

APPLICATION_ID = 0x6D636370
"""Marks the SQLite file as ours (https://www.sqlite.org/fileformat2.html, "Application ID")."""

STORE_VERSION = 1
BUSY_TIMEOUT_S = 120.0

Durability: TypeAlias = Literal["FULL", "NORMAL"]

_TABLES = """
CREATE TABLE revision (value INTEGER NOT NULL);
INSERT INTO revision VALUES (1);
CREATE TABLE collections (
    id INTEGER PRIMARY KEY, db TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (db, name)
);
CREATE TABLE paths (
    id INTEGER PRIMARY KEY, collection INTEGER NOT NULL, path TEXT NOT NULL,
    multikey INTEGER NOT NULL DEFAULT 0, inexact INTEGER NOT NULL DEFAULT 0,
    UNIQUE (collection, path)
);
CREATE TABLE indexes (
    id INTEGER PRIMARY KEY, collection INTEGER NOT NULL, name TEXT NOT NULL,
    options BLOB NOT NULL, UNIQUE (collection, name)
);
"""


class Store:
    """A store file, opened at most once in each process."""

    def __init__(self, path: Path, durability: Durability = "FULL") -> None:
        self.path = path
        self.durability = durability
        self.lock = RLock()
        self._connection: sqlite3.Connection | None = None
        self._depth = 0
        self._torn = False  # forked in the middle of a transaction
        self._turns = Turns(path)
        _stores.add(self)

    def __del__(self) -> None:
        connection = getattr(self, "_connection", None)
        if connection is not None:
            connection.close()
            self._turns.close()

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection of this process; opened on first use. Hold the lock while using it."""
        if self._connection is None:
            if self._torn:
                raise StoreError(f"{self.path}: this process was forked inside an operation")
            self._connection = _opened(self.path, self.durability)
        return self._connection

    @property
    def writing(self) -> bool:
        """Whether this thread, holding the lock, is inside a transaction."""
        return self._depth > 0

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Hold the lock for some statements; SQLite's errors leave as the store's."""
        with self.lock:
            try:
                yield self.connection
            except sqlite3.Error as error:
                raise translated(error, str(self.path)) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Make everything inside one write: all of it is stored at the end, or none of it."""
        with self.lock:
            connection = self.connection
            if self._depth:
                yield connection
                return
            self._turns.take()
            try:
                connection.execute("BEGIN IMMEDIATE")
                self._depth = 1
                yield connection
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                _roll_back(connection)
                raise translated(error, str(self.path)) from error
            except BaseException:
                _roll_back(connection)
                raise
            finally:
                self._depth = 0
                self._turns.give()

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo, when an error leaves it, only what was done inside; in a transaction."""
        connection = self.connection
        connection.execute("SAVEPOINT step")
        try:
            yield
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK TO step")
                connection.execute("RELEASE step")
            raise
        connection.execute("RELEASE step")

    def close(self) -> None:
        """Close this process's connection; the next operation opens another."""
        with self.lock:
            if self._connection is not None and not self._depth:
                self._connection.close()
                self._connection = None
                self._turns.close()

    def before_fork(self) -> None:
        """Wait for the operation under way in another thread, and leave nothing open."""
        self.lock.acquire()
        self.close()

    def after_fork_in_child(self) -> None:
        """Start afresh; an open transaction stays the parent's."""
        if self._connection is not None:
            _inherited.append(self._connection)  # closing it would disturb the parent's locks
            self._connection, self._torn = None, True
        self._depth = 0
        self._turns.close()  # which gives nobody's turn away: such locks are a process's own
        self.lock = RLock()


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:  # SQLite rolls back by itself when the disk is full
        connection.execute("ROLLBACK")


_stores: "weakref.WeakSet[Store]" = weakref.WeakSet()
_shared: "weakref.WeakValueDictionary[str, Store]" = weakref.WeakValueDictionary()
_shared_lock = RLock()
_forking: list[Store] = []
_inherited: list[sqlite3.Connection] = []


def _before_fork() -> None:
    _shared_lock.acquire()
    _forking[:] = list(_stores)
    for store in _forking:
        store.before_fork()


def _after_fork_in_parent() -> None:
    for store in _forking:
        store.lock.release()
    _forking.clear()
    _shared_lock.release()


def _after_fork_in_child() -> None:
    for store in _forking:
        store.after_fork_in_child()
    _forking.clear()
    _shared_lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )


def shared_store(path: str | os.PathLike[str], durability: Durability = "FULL") -> Store:
    """Return this process's store for a path: one per file, whichever way the path is written.

    Raises
    ------
    UserError
        If the path is on a network file system, cannot be used, or is not such a store.
    """
    real = Path(os.path.realpath(Path(path).expanduser()))
    with _shared_lock:
        store = _shared.get(str(real))
        if store is None:
            refuse_network(real, mounts())
            _make_parent(real)
            store = Store(real, durability)
            try:
                with store.reading():
                    pass
            except StoreError as error:
                raise UserError(str(error)) from error
            _shared[str(real)] = store
        elif durability == "FULL" and store.durability != "FULL":
            store.durability = "FULL"  # the stronger promise holds for both
            store.close()
    return store


def _make_parent(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{path.parent}: this directory for the embedded store cannot be made "
            f"({error.strerror}); name another path"
        ) from error
    if path.is_dir():
        raise UserError(f"{path}: this is a directory; name a file for the embedded store")


def _opened(path: Path, durability: Durability) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,  # transactions are begun and ended here
        check_same_thread=False,  # the store's lock stands guard
        cached_statements=1000,
    )
    try:
        _check(connection, path)
        _use_log(connection)
        # FULL: a commit is on the disk when it returns, so a power cut loses nothing either.
        connection.execute(f"PRAGMA synchronous = {durability}")
        connection.execute("PRAGMA journal_size_limit = 67108864")
    except BaseException:
        connection.close()
        raise
    return connection


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Lay out a new file; refuse one that is not ours or is newer than this program."""
    if _pragma(connection, "application_id") != APPLICATION_ID:
        connection.execute("BEGIN IMMEDIATE")  # two processes may find a new file together
        if _pragma(connection, "application_id") != APPLICATION_ID:
            if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise UserError(
                    f"{path}: this is an SQLite file, but not an embedded store; "
                    "name another path for the store"
                )
            for statement in _TABLES.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {STORE_VERSION}")
        connection.execute("COMMIT")
    version = _pragma(connection, "user_version")
    if version != STORE_VERSION:
        raise UserError(
            f"{path}: this store has version {version}, and this program reads version "
            f"{STORE_VERSION}; use the program that wrote it, or another path"
        )


def _use_log(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging, for which SQLite does not wait by itself."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
            continue
        if mode != "wal":
            raise StoreError(f"this disk does not allow a write-ahead log (journal is '{mode}')")
        return
