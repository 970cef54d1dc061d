"""What a collection does inside one transaction, and how it reads."""

# ruff: noqa: S608 - the names put into SQL are our own; values are always bound

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from sqlite3 import Connection
from typing import TYPE_CHECKING, Any

import bson
from bson import ObjectId
from pymongo.common import validate_is_document_type, validate_is_mapping
from pymongo.errors import WriteError

from fireworks_ext.embedded import rows
from fireworks_ext.embedded.catalog import Entries, Layout
from fireworks_ext.embedded.encoding import encode
from fireworks_ext.embedded.indexes import order_index
from fireworks_ext.embedded.planner import Plan, plan
from fireworks_ext.embedded.semantics import (
    Document,
    Found,
    Semantics,
    Sort,
    matches,
    naive,
    ordered,
    validate_fields,
)

if TYPE_CHECKING:
    from fireworks_ext.embedded.database import EmbeddedDatabase

_IMMUTABLE_FIELD = 66
_UNSUPPORTED = ("session", "array_filters", "collation", "let")
_LONG_LIST = 100  # mongomock checks `$in` value by value, so a long exact list is not re-checked


def refuse_options(options: Mapping[str, Any]) -> None:
    """Raise for those of pymongo's options that would change the result."""
    for name in _UNSUPPORTED:
        if options.get(name):
            raise NotImplementedError(f"the embedded store does not support `{name}`")


class Table(Semantics):
    """The reads and writes that a collection's methods are made of."""

    def __init__(self, database: "EmbeddedDatabase", name: str) -> None:
        super().__init__(database, name, _db_store=None)
        self.place = (database.name, name)
        self.file = database.file
        self.catalog = database.catalog

    def __hash__(self) -> int:
        return hash((str(self.file.path), self.place))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Table):
            return NotImplemented
        return self.file is other.file and self.place == other.place

    def layout(self) -> Layout | None:
        """Return the tables of the collection, or None before its first write."""
        with self.file.reading() as connection:
            if not self.file.writing:
                self.catalog.refresh(connection)
            return self.catalog.layout(connection, *self.place)

    # Reading

    def read(
        self, search: Mapping[str, Any], sort: Sort, skip: int, limit: int
    ) -> Iterator[Document]:
        """Yield the documents that a filter accepts; a limit of 0 is none."""
        found = self._found(search, sort, skip + limit if limit else 0)
        return (document for _, document, _ in islice(found, skip, None))

    def _found(self, search: Mapping[str, Any], sort: Sort, most: int) -> Iterator[Found]:
        """Yield stored documents, at most `most` (0 is all).

        The rows are read before the first is yielded, so what the caller writes meanwhile
        changes nothing; without a limit they are decoded one by one.
        """
        with self.file.reading() as connection:
            while True:
                try:
                    found = self._look(connection, search, sort, most)
                except Exception:
                    # Was it that another process changed the tables since we last looked?
                    if self.file.writing or not self.catalog.refresh(connection):
                        raise
                else:
                    if self.file.writing or not self.catalog.refresh(connection):
                        return found

    def _look(
        self, connection: Connection, search: Mapping[str, Any], sort: Sort, most: int
    ) -> Iterator[Found]:
        layout = self.catalog.layout(connection, *self.place)
        if layout is None:
            matches(search, {})  # a wrong filter is an error even if there is nothing to find
            return iter(())
        query = plan(layout, search, sort)
        if most and sort and self.file.writing and query.order:
            order_index(connection, layout, query.fixed, query.by)
        cursor = connection.execute(query.select(layout), query.values)
        if most and query.order:
            first = list(islice(_checked(cursor, search, query), most))
            cursor.close()
            return iter(first)
        raw = cursor.fetchall()
        if not raw and _is_empty(connection, layout):
            matches(search, {})
        found = _checked(raw, search, query)
        if not query.order:
            found = iter(ordered(found, sort))
            return islice(found, most) if most else found
        return found

    def count(self, search: Mapping[str, Any]) -> int:
        """Return how many documents a filter accepts."""
        with self.file.reading() as connection:
            while True:
                layout = self.catalog.layout(connection, *self.place)
                query = plan(layout, search, ()) if layout else None
                if layout is None or query is None or not query.exact:
                    return sum(1 for _ in self._found(search, (), 0))
                sql = query.select(layout, "count(*)")
                try:
                    (number,) = connection.execute(sql, query.values).fetchone()
                except Exception:
                    if self.file.writing or not self.catalog.refresh(connection):
                        raise
                else:
                    if self.file.writing or not self.catalog.refresh(connection):
                        return int(number)

    # Writing

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Make everything inside one transaction."""
        with self.file.lock:
            try:
                with self.file.transaction() as connection:
                    self.catalog.refresh(connection)
                    yield connection
            except BaseException:
                self.catalog.forget()  # it may remember tables that were undone
                raise

    def insert(self, document: Any) -> Any:
        """Store a document and return its _id; inside `writing`."""
        validate_is_document_type("document", document)
        if "_id" not in document:
            document["_id"] = ObjectId()  # in the caller's document, as pymongo does
        validate_fields(document)
        blob = rows.packed(document)
        stored = bson.decode(blob)
        connection = self.file.connection
        layout = self.catalog.created(connection, *self.place)
        layout, entries = self._settled(connection, layout, stored)
        rows.insert(connection, layout, encode(stored["_id"]), blob, entries)
        return document["_id"]

    def _settled(
        self, connection: Connection, layout: Layout, document: Document
    ) -> tuple[Layout, Entries]:
        """Return the keys of a document, having made room for kinds of value not seen before."""
        entries = layout.entries(document)
        arrays, odd = rows.unsettled(layout, entries)
        if not arrays and not odd:
            return layout, entries
        for path in arrays:
            rows.make_multikey(connection, layout, path)
        for path in odd:
            connection.execute("UPDATE paths SET inexact = 1 WHERE id = ?", (path.id,))
        self.catalog.changed(connection)
        layout = self.catalog.created(connection, *self.place)
        return layout, layout.entries(document)

    def change(
        self,
        search: Mapping[str, Any],
        update: Any,
        *,
        sort: Sort = (),
        upsert: bool = False,
        many: bool = False,
    ) -> dict[str, Any]:
        """Update or replace documents; inside `writing`.

        Returns pymongo's raw result, with the BSON of the last document `before` and `after`.
        """
        validate_is_mapping("filter", search)
        search, update = naive(search), naive(update)
        matched = modified = 0
        before: bytes | None = None
        after: bytes | None = None
        for row, document, blob in self._found(search, sort, 0 if many else 1):
            matched += 1
            before, after = blob, self._changed(row, document, search, update)
            modified += before != after
        new_id = None
        if not matched and upsert:
            new_id, after = self._upserted(search, update)
        return {
            "n": matched or int(upsert),
            "nModified": modified,
            "upserted": new_id,
            "updatedExisting": matched > 0,
            "ok": 1.0,
            "before": before,
            "after": after,
        }

    def _changed(
        self, row: int, document: Document, search: Mapping[str, Any], update: Any
    ) -> bytes:
        connection = self.file.connection
        layout = self.catalog.created(connection, *self.place)
        before, identity = layout.entries(document), document["_id"]
        old = rows.packed(document)
        self._modify(document, search, update, inserted=False)
        if "_id" not in document or encode(document["_id"]) != encode(identity):
            raise WriteError(
                "After applying the update, the (immutable) field '_id' was found to have been "
                f"altered to _id: {document.get('_id')}",
                _IMMUTABLE_FIELD,
            )
        blob = rows.packed(document)
        if blob != old:
            layout, after = self._settled(connection, layout, bson.decode(blob))
            rows.update(connection, layout, row, blob, before, after)
        return blob

    def _upserted(self, search: Mapping[str, Any], update: Any) -> tuple[Any, bytes]:
        given = search.get("_id")
        if given is None and isinstance(update, Mapping):
            given = update.get("_id")
        document = self._seed(search, ObjectId() if given is None else given)
        self._modify(document, document, update, inserted=True)
        new_id = self.insert(document)
        return new_id, rows.packed(document)

    def remove(self, search: Any, *, many: bool, sort: Sort = ()) -> dict[str, Any]:
        """Delete documents; inside `writing`. Returns pymongo's raw result and the last BSON."""
        validate_is_mapping("filter", search)
        removed, before = 0, None
        connection = self.file.connection
        for row, _, blob in self._found(naive(search), sort, 0 if many else 1):
            rows.delete(connection, self.catalog.created(connection, *self.place), row)
            removed, before = removed + 1, blob
        return {"n": removed, "ok": 1.0, "before": before}


def _checked(
    raw: Iterable[tuple[int, bytes]], search: Mapping[str, Any], query: Plan
) -> Iterator[Found]:
    trusted = query.exact and len(query.values) > _LONG_LIST
    for row, blob in raw:
        document = bson.decode(blob)
        if trusted or matches(search, document):
            yield row, document, blob


def _is_empty(connection: Connection, layout: Layout) -> bool:
    sql = f"SELECT 1 FROM {layout.table} LIMIT 1"
    return connection.execute(sql).fetchone() is None
