"""What a collection does inside one transaction."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from sqlite3 import Connection
from typing import Any

import bson
from bson import ObjectId
from pymongo.common import validate_is_document_type, validate_is_mapping
from pymongo.errors import WriteError

from fireworks_ext.embedded import rows
from fireworks_ext.embedded.encoding import encode
from fireworks_ext.embedded.layout import Entries, Layout, PathColumn
from fireworks_ext.embedded.reads import Reads
from fireworks_ext.embedded.semantics import (
    Document,
    Sort,
    naive,
    validate_names,
)
from fireworks_ext.embedded.updates import Update

_IMMUTABLE_FIELD = 66
_UNSUPPORTED = ("session", "array_filters", "collation", "let")


def refuse_options(options: Mapping[str, Any]) -> None:
    """Raise for those of pymongo's options that would change the result."""
    for name in _UNSUPPORTED:
        if options.get(name):
            raise NotImplementedError(f"the embedded store does not support `{name}`")


class Table(Reads):
    """The writes that a collection's methods are made of."""

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
        connection = self.file.connection
        rows.insert(connection, *self.prepared(document))
        return document["_id"]

    def prepared(self, document: Any) -> tuple[Layout, rows.Row]:
        """Return what to write for a new document, in a layout made ready for it."""
        validate_is_document_type("document", document)
        if "_id" not in document:
            document["_id"] = ObjectId()  # in the caller's document, as pymongo does
        validate_names(document)
        blob = rows.packed(document)
        stored = bson.decode(blob)
        layout = self.catalog.created(self.file.connection, *self.place)
        layout, entries = self._settled(layout, stored, layout.all_paths)
        return layout, (encode(stored["_id"]), blob, entries)

    def _settled(
        self, layout: Layout, document: Document, paths: Sequence[PathColumn]
    ) -> tuple[Layout, Entries]:
        """Return keys of a document, having made room for kinds of value not seen before."""
        entries = layout.entries(document, paths)
        arrays, odd = rows.unsettled(paths, entries)
        if not arrays and not odd:
            return layout, entries
        connection = self.file.connection
        for path in arrays:
            rows.make_multikey(connection, layout, path)
        for path in odd:
            connection.execute("UPDATE paths SET inexact = 1 WHERE id = ?", (path.id,))
        self.catalog.changed(connection)
        layout = self.catalog.created(connection, *self.place)
        return layout, layout.entries(document, [layout.paths[path.path] for path in paths])

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
        search, update = naive(search), Update(update)
        matched = modified = 0
        before: bytes | None = None
        after: bytes | None = None
        for row, document, blob in self._found(search, sort, 0 if many else 1):
            matched += 1
            before, after = blob, self._changed(row, document, blob, search, update)
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
        self, row: int, document: Document, old: bytes, search: Mapping[str, Any], update: Update
    ) -> bytes:
        connection = self.file.connection
        layout = self.catalog.created(connection, *self.place)
        paths = layout.touched(update.fields)
        before, identity = layout.entries(document, paths), document["_id"]
        quick = update.applied(document, inserted=False)
        if not quick:
            document = bson.decode(old)
            self._modify(document, search, update.given, inserted=False)
        if update.changes_id and not _is(document, identity):
            raise WriteError(
                "After applying the update, the (immutable) field '_id' was found to have been "
                f"altered to _id: {document.get('_id')}",
                _IMMUTABLE_FIELD,
            )
        blob = rows.packed(document)
        if blob != old:
            settled = document if quick else bson.decode(blob)
            layout, after = self._settled(layout, settled, paths)
            rows.update(connection, layout, row, blob, before, after)
        return blob

    def _upserted(self, search: Mapping[str, Any], update: Update) -> tuple[Any, bytes]:
        given = search.get("_id")
        if given is None and isinstance(update.given, Mapping):
            given = update.given.get("_id")
        new_id = ObjectId() if given is None else given
        document = self._seed(naive(search), new_id)
        if not update.applied(document, inserted=True):
            document = self._seed(search, new_id)
            self._modify(document, document, update.given, inserted=True)
        layout, row = self.prepared(document)
        rows.insert(self.file.connection, layout, row)
        return document["_id"], row[1]

    def remove(self, search: Any, *, many: bool, sort: Sort = ()) -> dict[str, Any]:
        """Delete documents; inside `writing`. Returns pymongo's raw result and the last BSON."""
        validate_is_mapping("filter", search)
        removed, before = 0, None
        connection = self.file.connection
        for row, _, blob in self._found(naive(search), sort, 0 if many else 1):
            rows.delete(connection, self.catalog.created(connection, *self.place), row)
            removed, before = removed + 1, blob
        return {"n": removed, "ok": 1.0, "before": before}


def _is(document: Document, identity: Any) -> bool:
    return "_id" in document and encode(document["_id"]) == encode(identity)
