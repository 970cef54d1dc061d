"""Pipelines: the first stages by the indexes, the rest in memory by mongomock."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from fireworks_ext.embedded.semantics import NOTHING, Document, candidates, naive, piped

if TYPE_CHECKING:
    from fireworks_ext.embedded.table import Table


class Results:
    """The documents that come out of a pipeline."""

    alive = True

    def __init__(self, documents: Iterator[Document]) -> None:
        self._documents = documents

    def __iter__(self) -> "Results":
        return self

    def __next__(self) -> Document:
        return next(self._documents)

    next = __next__

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Return no more documents."""
        self._documents = iter(())

    def to_list(self) -> list[Document]:
        """Return the remaining documents."""
        return list(self)


def aggregated(table: "Table", pipeline: list[Mapping[str, Any]]) -> Results:
    """Return what comes out of a pipeline over a collection."""
    search: Mapping[str, Any] = {}
    sort: list[tuple[str, int]] = []
    stages = list(pipeline)
    if stages and "$match" in stages[0]:
        search = stages.pop(0)["$match"]
    if stages and "$sort" in stages[0]:
        sort = list(stages.pop(0)["$sort"].items())
    limit = stages.pop(0)["$limit"] if stages and "$limit" in stages[0] else 0
    if not stages[1:] and stages and "$count" in stages[0] and not limit:
        number = table.count(naive(search))
        return Results(iter([{stages[0]["$count"]: number}] if number else []))
    documents = list(table.read(naive(search), sort, 0, limit))
    waiting: list[Mapping[str, Any]] = []
    for stage in stages:
        dates = _date_fields(stage)
        if dates is None:
            waiting.append(stage)
            continue
        documents = piped(documents, table.database, waiting)
        waiting = []
        for document in documents:
            document.update({name: _date(document, wanted) for name, wanted in dates.items()})
    return Results(iter(piped(documents, table.database, waiting)))


def _date_fields(stage: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the arguments by field if a stage only sets fields to dates read from text.

    FireWorks sorts by `created_on` and `updated_on` with such a stage; mongomock has none.
    """
    fields = stage.get("$set", stage.get("$addFields"))
    if not isinstance(fields, Mapping) or not fields:
        return None
    found = {}
    for name, value in fields.items():
        if not isinstance(value, Mapping) or set(value) != {"$dateFromString"} or "." in name:
            return None
        found[name] = value["$dateFromString"]
    return found


def _value(document: Document, expression: Any) -> Any:
    if isinstance(expression, str) and expression.startswith("$"):
        found = candidates(expression[1:], document)
        return found[0] if found and found[0] is not NOTHING else None
    return expression


def _date(document: Document, wanted: Mapping[str, Any]) -> Any:
    """Return the date that a text stands for, as MongoDB's `$dateFromString` does."""
    text = _value(document, wanted.get("dateString"))
    if text is None:
        return _value(document, wanted.get("onNull"))
    try:
        date = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        if "onError" not in wanted:
            raise
        return _value(document, wanted["onError"])
    return date.astimezone(UTC).replace(tzinfo=None) if date.tzinfo else date
