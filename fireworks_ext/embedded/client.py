"""The embedded store as a pymongo client."""

import os
import weakref
from typing import Any, Self

from fireworks_ext.embedded.catalog import Catalog, databases
from fireworks_ext.embedded.database import EmbeddedDatabase, server_info
from fireworks_ext.embedded.semantics import Document, enable_gridfs_integration
from fireworks_ext.embedded.store import Durability, Store, shared_store

_catalogs: "weakref.WeakKeyDictionary[Store, Catalog]" = weakref.WeakKeyDictionary()
_gridfs: list[bool] = []


class EmbeddedClient:
    """Databases in one file on a local disk, used as one uses pymongo.MongoClient.

    Any number of processes and threads of this machine may use the file together.

    Parameters
    ----------
    path
        The file; it is made, with its directory (mode 0700), if there is none.
    durability
        "FULL": what a call has stored survives a power cut. "NORMAL": it survives the end of any
        process, kill -9 included, but a power cut may lose the last moments.

    Raises
    ------
    UserError
        If the path is on a network file system, or the file cannot be used or is not a store.
    """

    def __init__(self, path: str | os.PathLike[str], durability: Durability = "FULL") -> None:
        self.file = shared_store(path, durability)
        self.catalog = _catalogs.setdefault(self.file, Catalog())
        if not _gridfs:
            enable_gridfs_integration()  # gridfs checks for pymongo's own classes otherwise
            _gridfs.append(True)

    def __getitem__(self, name: str) -> EmbeddedDatabase:
        return EmbeddedDatabase(self, name)

    def __getattr__(self, name: str) -> EmbeddedDatabase:
        if name.startswith("_"):
            raise AttributeError(f"EmbeddedClient has no attribute {name!r}")
        return self[name]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, EmbeddedClient):
            return NotImplemented
        return self.file is other.file

    def __hash__(self) -> int:
        return hash(str(self.file.path))

    def __repr__(self) -> str:
        return f"EmbeddedClient({str(self.file.path)!r})"

    @property
    def address(self) -> tuple[str, int]:
        """The path in place of a host; there is no port."""
        return str(self.file.path), 0

    def get_database(self, name: str, **_: Any) -> EmbeddedDatabase:
        """Return a database, which comes into being with its first collection."""
        return self[name]

    def list_database_names(self, **_: Any) -> list[str]:
        """Return the names of the databases that have a collection."""
        with self.file.reading() as connection:
            return databases(connection)

    def drop_database(self, name_or_database: Any, **_: Any) -> None:
        """Remove a database with all of its collections."""
        name = getattr(name_or_database, "name", name_or_database)
        database = self[name]
        for collection in database.list_collection_names():
            database.drop_collection(collection)

    def server_info(self) -> Document:
        """Return what a server says about itself."""
        return server_info()

    def start_session(self, *_: Any, **__: Any) -> None:
        """Refuse: there are no sessions.

        Raises
        ------
        NotImplementedError
            Always.
        """
        raise NotImplementedError("the embedded store has no sessions")

    def close(self) -> None:
        """Close the file in this process; using the client again opens it again."""
        self.file.close()
