"""A collection of the embedded store: pymongo's methods on rows of SQLite."""

# ruff: noqa: A001, A002, FBT001, FBT002 - pymongo's names and signatures

from collections.abc import Mapping, Sequence
from typing import Any

import bson
from pymongo.common import validate_is_mapping, validate_ok_for_replace, validate_ok_for_update
from pymongo.errors import OperationFailure
from pymongo.operations import IndexModel
from pymongo.results import (
    BulkWriteResult,
    DeleteResult,
    InsertManyResult,
    InsertOneResult,
    UpdateResult,
)

from fireworks_ext.embedded import indexes
from fireworks_ext.embedded.aggregation import aggregated
from fireworks_ext.embedded.bulk import BulkWrite, insert_many
from fireworks_ext.embedded.cursor import Cursor
from fireworks_ext.embedded.projection import projector
from fireworks_ext.embedded.semantics import Document, naive, sorting
from fireworks_ext.embedded.table import Table, refuse_options

_NO_FILTER: Mapping[str, Any] = {}


class EmbeddedCollection(Table):
    """A collection; without a sort, documents come in the order of their insertion."""

    def with_options(self, *_: Any, **__: Any) -> "EmbeddedCollection":
        """Return the collection: concerns and preferences have no meaning on one machine."""
        return self

    # Reading

    def find(
        self,
        filter: Mapping[str, Any] | None = None,
        projection: Any = None,
        skip: int = 0,
        limit: int = 0,
        *,
        sort: Any = None,
        **options: Any,
    ) -> Cursor:
        """Return a cursor over the documents that a filter accepts."""
        refuse_options(options)
        search = {} if filter is None else filter
        validate_is_mapping("filter", search)
        return Cursor(
            self,
            projector(self, projection),
            naive(search),
            sorting(sort),
            (skip, limit),
        )

    def _get_dataset(self, spec: Any, sort: Any, fields: Any, as_class: type) -> Any:
        """Answer mongomock's cursor, on which its GridFS integration is built."""
        del as_class
        return iter(self.find(spec, fields, sort=sort))

    def find_one(
        self,
        filter: Any = None,
        projection: Any = None,
        skip: int = 0,
        **options: Any,
    ) -> Document | None:
        """Return the first document that a filter (or an _id) accepts."""
        if filter is not None and not isinstance(filter, Mapping):
            filter = {"_id": filter}
        options.pop("limit", None)
        return next(self.find(filter, projection, skip, 1, **options), None)

    def count_documents(
        self,
        filter: Mapping[str, Any],
        skip: int = 0,
        limit: int | None = None,
        **options: Any,
    ) -> int:
        """Return how many documents a filter accepts."""
        refuse_options(options)
        if limit is not None and limit <= 0:
            raise OperationFailure("the limit must be positive")
        number = max(self.count(naive(filter)) - skip, 0)
        return number if limit is None else min(number, limit)

    def estimated_document_count(self, **_: Any) -> int:
        """Return how many documents there are."""
        return self.count(_NO_FILTER)

    def distinct(
        self,
        key: str,
        filter: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> list[Any]:
        """Return the different values on a path; arrays count by element."""
        refuse_options(options)
        return self.different(key, naive(filter or {}))

    def aggregate(self, pipeline: Any, session: None = None, **options: Any) -> Any:
        """Return a cursor over what comes out of a pipeline."""
        refuse_options({"session": session, **options})
        return aggregated(self, list(pipeline))

    # Writing

    def insert_one(self, document: Any, *_: Any, **options: Any) -> InsertOneResult:
        """Store a document, giving it an _id if it has none."""
        refuse_options(options)
        with self.writing():
            return InsertOneResult(self.insert(document), acknowledged=True)

    def insert_many(
        self,
        documents: Any,
        ordered: bool = True,
        **options: Any,
    ) -> InsertManyResult:
        """Store documents in one transaction; after an error, those before it (or all others)."""
        refuse_options(options)
        return insert_many(self, documents, ordered=ordered)

    def update_one(
        self,
        filter: Mapping[str, Any],
        update: Any,
        upsert: bool = False,
        **options: Any,
    ) -> UpdateResult:
        """Change the first document that a filter accepts."""
        refuse_options(options)
        validate_ok_for_update(update)
        sort = sorting(options.get("sort"))
        with self.writing():
            raw = self.change(filter, update, sort=sort, upsert=upsert)
            return UpdateResult(raw, acknowledged=True)

    def update_many(
        self,
        filter: Mapping[str, Any],
        update: Any,
        upsert: bool = False,
        **options: Any,
    ) -> UpdateResult:
        """Change all documents that a filter accepts; all of them or, on an error, none."""
        refuse_options(options)
        validate_ok_for_update(update)
        with self.writing():
            raw = self.change(filter, update, upsert=upsert, many=True)
            return UpdateResult(raw, acknowledged=True)

    def replace_one(
        self,
        filter: Mapping[str, Any],
        replacement: Any,
        upsert: bool = False,
        **options: Any,
    ) -> UpdateResult:
        """Replace the first document that a filter accepts; it keeps its _id."""
        refuse_options(options)
        validate_ok_for_replace(replacement)
        sort = sorting(options.get("sort"))
        with self.writing():
            raw = self.change(filter, replacement, sort=sort, upsert=upsert)
            return UpdateResult(raw, acknowledged=True)

    def delete_one(
        self,
        filter: Any,
        **options: Any,
    ) -> DeleteResult:
        """Remove the first document that a filter accepts."""
        refuse_options(options)
        with self.writing():
            return DeleteResult(self.remove(filter, many=False), acknowledged=True)

    def delete_many(
        self,
        filter: Any,
        **options: Any,
    ) -> DeleteResult:
        """Remove all documents that a filter accepts."""
        refuse_options(options)
        with self.writing():
            return DeleteResult(self.remove(filter, many=True), acknowledged=True)

    def find_one_and_update(
        self,
        filter: Mapping[str, Any],
        update: Any,
        projection: Any = None,
        sort: Any = None,
        upsert: bool = False,
        return_document: bool = False,
        **options: Any,
    ) -> Document | None:
        """Change the first document that a filter accepts, and return it as before or after."""
        refuse_options(options)
        validate_is_mapping("filter", filter)
        validate_ok_for_update(update)
        return self._find_and_change(filter, update, projection, sort, upsert, return_document)

    def find_one_and_replace(
        self,
        filter: Mapping[str, Any],
        replacement: Any,
        projection: Any = None,
        sort: Any = None,
        upsert: bool = False,
        return_document: bool = False,
        **options: Any,
    ) -> Document | None:
        """Replace the first document that a filter accepts, and return it as before or after."""
        refuse_options(options)
        validate_is_mapping("filter", filter)
        validate_ok_for_replace(replacement)
        return self._find_and_change(filter, replacement, projection, sort, upsert, return_document)

    def _find_and_change(
        self,
        search: Mapping[str, Any],
        update: Any,
        projection: Any,
        sort: Any,
        upsert: bool,
        after: bool,
    ) -> Document | None:
        with self.writing():
            result = self.change(search, update, sort=sorting(sort), upsert=upsert)
        chosen: bytes | None = result["after" if after else "before"]
        return None if chosen is None else projector(self, projection)(bson.decode(chosen))

    def find_one_and_delete(
        self,
        filter: Mapping[str, Any],
        projection: Any = None,
        sort: Any = None,
        **options: Any,
    ) -> Document | None:
        """Remove the first document that a filter accepts, and return it."""
        refuse_options(options)
        validate_is_mapping("filter", filter)
        with self.writing():
            removed = self.remove(filter, sort=sorting(sort), many=False)["before"]
        return None if removed is None else projector(self, projection)(bson.decode(removed))

    def bulk_write(
        self,
        requests: Sequence[Any],
        ordered: bool = True,
        **options: Any,
    ) -> BulkWriteResult:
        """Do pymongo's write operations in one transaction, which each failed one leaves out."""
        refuse_options(options)
        return BulkWrite(self, ordered=ordered).execute(requests)

    # Indexes and the collection itself

    def create_index(self, keys: Any, *_: Any, **options: Any) -> str:
        """Make an index and return its name."""
        name, description = indexes.described(keys, options)
        with self.writing() as connection:
            indexes.create(connection, self.catalog, self.place, (name, description))
        return name

    def create_indexes(self, models: Sequence[IndexModel], **_: Any) -> list[str]:
        """Make several indexes and return their names."""
        return [
            self.create_index(
                list(model.document["key"].items()),
                **{name: value for name, value in model.document.items() if name != "key"},
            )
            for model in models
        ]

    def drop_index(self, index_or_name: Any, **_: Any) -> None:
        """Remove an index, by name or by keys."""
        name = index_or_name
        if not isinstance(name, str):
            name, _options = indexes.described(index_or_name, {})
        with self.writing() as connection:
            indexes.drop(connection, self.catalog, self.place, name)

    def drop_indexes(self, **_: Any) -> None:
        """Remove all indexes but that of _id."""
        for name in self.index_information():
            if name != "_id_":
                self.drop_index(name)

    def index_information(self, **_: Any) -> dict[str, Document]:
        """Return the indexes by name."""
        layout = self.layout()
        if layout is None:
            return {}
        information: dict[str, Document] = {"_id_": {"v": 2, "key": [("_id", 1)]}}
        information.update({name: one.information() for name, one in layout.indexes.items()})
        return information

    def list_indexes(self, **_: Any) -> Any:
        """Return an iterator over the indexes."""
        return iter(
            [
                {**information, "key": dict(information["key"]), "name": name}
                for name, information in self.index_information().items()
            ]
        )

    def drop(self, **_: Any) -> None:
        """Remove the collection with its documents and indexes."""
        with self.writing() as connection:
            self.catalog.dropped(connection, *self.place)

    def rename(self, new_name: str, **options: Any) -> Document:
        """Give the collection another name."""
        result: Document = self.database.rename_collection(self.name, new_name, **options)
        return result
