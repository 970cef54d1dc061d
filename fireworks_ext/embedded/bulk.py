"""Many writes in one transaction, reported as pymongo reports them."""

# ruff: noqa: FBT001, FBT002 - pymongo calls these methods so

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pymongo.common import validate_ok_for_replace, validate_ok_for_update
from pymongo.errors import BulkWriteError, InvalidOperation, WriteError
from pymongo.results import BulkWriteResult, InsertManyResult

from fireworks_ext.embedded import rows
from fireworks_ext.embedded.layout import Layout
from fireworks_ext.embedded.semantics import sorting

if TYPE_CHECKING:
    from fireworks_ext.embedded.table import Table

ROWS_AT_ONCE = 1000


def insert_many(table: "Table", documents: Any, *, ordered: bool) -> InsertManyResult:
    """Store documents; a duplicate ends it if `ordered`, and is left out otherwise.

    Raises
    ------
    BulkWriteError
        With the documents that were left out.
    """
    if not isinstance(documents, Iterable) or isinstance(documents, Mapping) or not documents:
        raise TypeError("documents must be a non-empty list")
    writer = _Inserts(table, ordered=ordered)
    with table.writing():
        for position, document in enumerate(documents):
            writer.add(position, document)
            if writer.ended:
                break
        writer.write()
    if writer.errors:
        raise BulkWriteError(_result(nInserted=len(writer.ids), writeErrors=writer.errors))
    return InsertManyResult(writer.ids, acknowledged=True)


class _Inserts:
    """New documents, written many at a time."""

    def __init__(self, table: "Table", *, ordered: bool) -> None:
        self._table = table
        self._ordered = ordered
        self._waiting: list[tuple[int, Any, rows.Row]] = []
        self._layout: Layout | None = None
        self.ids: list[Any] = []
        self.errors: list[dict[str, Any]] = []

    @property
    def ended(self) -> bool:
        """Whether an error has ended the writing."""
        return self._ordered and bool(self.errors)

    def add(self, position: int, document: Any) -> None:
        """Take a document, and write those that wait if they are many."""
        self._layout, row = self._table.prepared(document)
        self._waiting.append((position, document, row))
        if len(self._waiting) >= ROWS_AT_ONCE:
            self.write()

    def write(self) -> None:
        """Write the documents that wait."""
        waiting, self._waiting = self._waiting, []
        if self._layout is None or self.ended:
            return
        failed = rows.insert_many(
            self._table.file.connection,
            self._layout,
            [row for _, _, row in waiting],
            ordered=self._ordered,
        )
        for place, (position, document, _) in enumerate(waiting):
            if place not in failed:
                self.ids.append(document["_id"])
                continue
            self.errors.append(_described(position, failed[place], document))
            if self._ordered:
                break


def _described(position: int, error: WriteError, operation: Any) -> dict[str, Any]:
    details = dict(error.details or {})
    details.update(index=position, code=error.code, errmsg=str(error), op=operation)
    return details


def _result(**given: Any) -> dict[str, Any]:
    result: dict[str, Any] = {
        "writeErrors": [],
        "writeConcernErrors": [],
        "nInserted": 0,
        "nUpserted": 0,
        "nMatched": 0,
        "nModified": 0,
        "nRemoved": 0,
        "upserted": [],
    }
    return {**result, **given}


class BulkWrite:
    """Carries out pymongo's operations; each hands itself over by one of the `add_` methods."""

    def __init__(self, table: "Table", *, ordered: bool) -> None:
        self._table = table
        self._ordered = ordered
        self._position = 0
        self._result = _result()

    def execute(self, requests: Sequence[Any]) -> BulkWriteResult:
        """Do the operations in one transaction.

        Raises
        ------
        BulkWriteError
            With the operations that failed; the others, or those before it, are stored.
        """
        requests = list(requests)
        if not requests:
            raise InvalidOperation("No operations to execute")
        errors = self._result["writeErrors"]
        with self._table.writing():
            for self._position, request in enumerate(requests):
                try:
                    request._add_to_bulk(self)  # noqa: SLF001 - how pymongo dispatches
                except WriteError as error:
                    errors.append(_described(self._position, error, repr(request)))
                    if self._ordered:
                        break
        if errors:
            raise BulkWriteError(self._result)
        return BulkWriteResult(self._result, acknowledged=True)

    def add_insert(self, document: Any) -> bool:
        """Insert one document."""
        self._table.insert(document)
        self._result["nInserted"] += 1
        return True

    def add_update(
        self,
        selector: Mapping[str, Any],
        update: Any,
        multi: bool,
        upsert: bool = False,
        **options: Any,
    ) -> None:
        """Update one document or many."""
        validate_ok_for_update(update)
        self._change(selector, update, options, upsert=bool(upsert), many=bool(multi))

    def add_replace(
        self,
        selector: Mapping[str, Any],
        replacement: Any,
        upsert: bool | None = False,
        **options: Any,
    ) -> None:
        """Replace one document."""
        validate_ok_for_replace(replacement)
        self._change(selector, replacement, options, upsert=bool(upsert), many=False)

    def add_delete(self, selector: Mapping[str, Any], limit: int, **_: Any) -> None:
        """Delete one document (limit 1) or many (0)."""
        self._result["nRemoved"] += self._table.remove(selector, many=limit == 0)["n"]

    def _change(
        self,
        selector: Mapping[str, Any],
        update: Any,
        options: Mapping[str, Any],
        *,
        upsert: bool,
        many: bool,
    ) -> None:
        if options.get("array_filters") or options.get("collation"):
            raise NotImplementedError("the embedded store has no array filters and no collations")
        sort = sorting(options.get("sort"))
        if many:  # one document is written whole or not at all
            try:
                with self._table.file.savepoint():
                    done = self._table.change(selector, update, upsert=upsert, many=True)
            except WriteError:
                self._table.catalog.forget()  # it may remember tables that were undone
                raise
        else:
            done = self._table.change(selector, update, sort=sort, upsert=upsert)
        if done["upserted"] is None:
            self._result["nMatched"] += done["n"]
        else:
            self._result["nUpserted"] += 1
            self._result["upserted"].append({"index": self._position, "_id": done["upserted"]})
        self._result["nModified"] += done["nModified"]
