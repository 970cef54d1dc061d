"""A database of the embedded store: a name for some collections."""

# ruff: noqa: A002, FBT001, FBT002, N803 - pymongo's names and signatures

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pymongo.errors import CollectionInvalid, OperationFailure
from pymongo.write_concern import WriteConcern

from fireworks_ext.embedded.catalog import names
from fireworks_ext.embedded.collection import EmbeddedCollection
from fireworks_ext.embedded.semantics import Document, MongomockDatabase, matches

if TYPE_CHECKING:
    from fireworks_ext.embedded.client import EmbeddedClient

_NAMESPACE_NOT_FOUND = 26
_NAMESPACE_EXISTS = 48
_COMMAND_NOT_FOUND = 59
_VERSION = "5.0.0"
"""The server whose behaviour is imitated: what DocumentDB 5.0 and mongomock have in common."""


class EmbeddedDatabase(MongomockDatabase):
    """Collections by name, as attribute or item."""

    def __init__(self, client: "EmbeddedClient", name: str) -> None:
        super().__init__(client, name, _store=None)
        self.file = client.file
        self.catalog = client.catalog
        self.write_concern = WriteConcern()

    def __hash__(self) -> int:
        return hash((str(self.file.path), self.name))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, EmbeddedDatabase):
            return NotImplemented
        return self.file is other.file and self.name == other.name

    def __repr__(self) -> str:
        return f"EmbeddedDatabase({str(self.file.path)!r}, {self.name!r})"

    def get_collection(self, name: str, **_: Any) -> EmbeddedCollection:
        """Return a collection, which comes into being with its first document or index."""
        self._ensure_valid_collection_name(name)
        return EmbeddedCollection(self, name)

    def with_options(self, *_: Any, **__: Any) -> "EmbeddedDatabase":
        """Return the database: concerns and preferences have no meaning on one machine."""
        return self

    def list_collection_names(
        self,
        filter: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> list[str]:
        """Return the names of the collections."""
        with self.file.reading() as connection:
            found = names(connection, self.name)
        return [name for name in found if matches(filter or {}, {"name": name})]

    def list_collections(
        self,
        filter: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> Any:
        """Return an iterator over the collections, described."""
        return iter(
            [
                {"name": name, "type": "collection", "options": {}}
                for name in self.list_collection_names(filter)
            ]
        )

    def create_collection(self, name: str, **options: Any) -> EmbeddedCollection:
        """Make an empty collection."""
        if options:
            raise OperationFailure(f"the embedded store has no collection options {list(options)}")
        collection = self.get_collection(name)
        with collection.writing() as connection:
            if self.catalog.layout(connection, self.name, name) is not None:
                raise CollectionInvalid(f"collection {name} already exists")
            self.catalog.created(connection, self.name, name)
        return collection

    def drop_collection(self, name_or_collection: Any, **_: Any) -> None:
        """Remove a collection with its documents and indexes."""
        name = getattr(name_or_collection, "name", name_or_collection)
        self.get_collection(name).drop()

    def rename_collection(
        self,
        name: str,
        new_name: str,
        dropTarget: bool = False,
        **_: Any,
    ) -> Document:
        """Give a collection another name."""
        self._ensure_valid_collection_name(new_name)
        with self.get_collection(name).writing() as connection:
            if self.catalog.layout(connection, self.name, name) is None:
                raise OperationFailure(
                    f'The collection "{name}" does not exist.', _NAMESPACE_NOT_FOUND
                )
            if self.catalog.layout(connection, self.name, new_name) is not None:
                if not dropTarget:
                    raise OperationFailure(
                        f'The target collection "{new_name}" already exists', _NAMESPACE_EXISTS
                    )
                self.catalog.dropped(connection, self.name, new_name)
            self.catalog.renamed(connection, self.name, name, new_name)
        return {"ok": 1.0}

    def command(self, command: Any, *_: Any, **__: Any) -> Document:
        """Run one of the commands that have a meaning here.

        Raises
        ------
        OperationFailure
            For all others.
        """
        name = command if isinstance(command, str) else next(iter(command), "")
        if name in ("ping", "hello", "ismaster", "isMaster"):
            return {"ok": 1.0, "isWritablePrimary": True}
        if name in ("buildInfo", "buildinfo"):
            return server_info()
        if name == "compact":
            with self.file.reading() as connection:
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return {"ok": 1.0}
        raise OperationFailure(f"no such command: '{name}'", _COMMAND_NOT_FOUND)


def server_info() -> Document:
    """Return what a server says about itself."""
    return {
        "version": _VERSION,
        "versionArray": [int(part) for part in _VERSION.split(".")] + [0],
        "maxBsonObjectSize": 16 * 1024 * 1024,
        "ok": 1.0,
    }
