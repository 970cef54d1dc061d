"""Pipelines: the first stages by the indexes, the rest in memory by mongomock."""

# ruff: noqa: S608 - the names put into SQL are our own; values are always bound

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from sqlite3 import OperationalError
from typing import TYPE_CHECKING, Any, Self

from fireworks_ext.embedded.encoding import NULL, TEXT
from fireworks_ext.embedded.planner import plan
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
    if len(stages) == 1 and not limit and (field := _counted_field(stages[0])):
        path, name = field
        counts = _counts(table, naive(search), path)
        if counts is not None:
            return Results(iter([{"_id": value, name: one} for value, one in counts.items()]))
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


def _counted_field(stage: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the path by whose values a stage only counts documents, and the name of the count."""
    group = stage.get("$group")
    if not isinstance(group, Mapping) or len(group) != 2:  # noqa: PLR2004  (the id and the count)
        return None
    path, names = group.get("_id"), [name for name in group if name != "_id"]
    counts = len(names) == 1 and group[names[0]] == {"$sum": 1}
    if not (counts and isinstance(path, str) and path.startswith("$") and path[1:2] != "$"):
        return None
    return path[1:], names[0]


def _counts(table: "Table", search: Mapping[str, Any], path: str) -> dict[Any, int] | None:
    """Count documents by the keys of an indexed path; None where they have to be read."""
    with table.file.reading() as connection:
        layout = table.layout()
        column = layout.paths.get(path) if layout else None
        if layout is None or column is None or column.multikey or column.inexact:
            return None
        query = plan(layout, search, ())
        if not query.exact:
            return None
        sql = (
            f"SELECT {column.column}, count(*) FROM {layout.table}{query.condition} "
            f"GROUP BY {column.column}"
        )
        try:
            found = connection.execute(sql, query.values).fetchall()
        except OperationalError:  # another process has changed the tables
            return None
    if any(code[:1] not in (NULL, TEXT) for code, _ in found):
        return None
    return {code[1:].decode() if code[:1] == TEXT else None: number for code, number in found}


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
