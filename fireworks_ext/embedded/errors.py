"""What can go wrong with a store, as errors that code written for pymongo already catches."""

import sqlite3

from pymongo.errors import PyMongoError

from schemas.errors import UserError


class StoreError(PyMongoError):
    """The embedded store could not do what was asked; nothing of the operation was written."""


class StoreFullError(StoreError):
    """The disk (or quota) that holds the store is full; nothing of the operation was written."""


class StoreBusyError(StoreError):
    """Another process kept the store locked for longer than the busy time-out."""


class StoreCorruptError(StoreError, UserError):
    """The file is damaged or is not an embedded store."""


def translated(error: sqlite3.Error, path: str) -> Exception:
    """Return the error to raise in place of SQLite's own."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the primary code
    if code == sqlite3.SQLITE_FULL:
        return StoreFullError(
            f"{path}: the disk is full, so nothing of this operation was stored; "
            "free some space and repeat it"
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreBusyError(f"{path}: another process holds the store locked ({error})")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StoreCorruptError(
            f"{path}: not a usable embedded store ({error}); "
            "restore it from a backup or name another path"
        )
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return StoreError(f"{path}: the store cannot be opened for writing ({error})")
    if isinstance(error, sqlite3.DatabaseError):
        return StoreError(f"{path}: {error}")
    return error
