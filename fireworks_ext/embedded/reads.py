"""How a collection reads: rows by the indexes, and what they leave open in Python."""

# ruff: noqa: S608 - the names put into SQL are our own; values are always bound

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from sqlite3 import Connection, OperationalError
from typing import TYPE_CHECKING, Any, TypeVar

import bson

from fireworks_ext.embedded.choice import chosen
from fireworks_ext.embedded.distinct import distinct_keys, distinct_values
from fireworks_ext.embedded.indexes import order_index
from fireworks_ext.embedded.layout import Layout
from fireworks_ext.embedded.planner import Plan, plan
from fireworks_ext.embedded.semantics import (
    Document,
    Found,
    Semantics,
    Sort,
    matches,
    naive,
    ordered,
)

if TYPE_CHECKING:
    from fireworks_ext.embedded.database import EmbeddedDatabase

PAGE = 1000
"""Documents that a cursor holds at a time."""

Result = TypeVar("Result")


class Reads(Semantics):
    """The reads that a collection's methods are made of."""

    def __init__(self, database: "EmbeddedDatabase", name: str) -> None:
        super().__init__(database, name, _db_store=None)
        self.place = (database.name, name)
        self.file = database.file
        self.catalog = database.catalog

    def __hash__(self) -> int:
        return hash((str(self.file.path), self.place))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Reads):
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

    def raw(self, search: Mapping[str, Any], sort: Sort, limit: int) -> list[bytes]:
        """Return the BSON of the documents that a filter accepts; a limit of 0 is none.

        None is decoded where the indexes alone find and order them.
        """
        search = naive(search)

        def look(connection: Connection) -> list[bytes] | None:
            layout = self.catalog.layout(connection, *self.place)
            query = plan(layout, search, sort) if layout else None
            if layout is None or query is None or not (query.exact and query.order):
                return None
            query = chosen(connection, query)
            order = f" ORDER BY {query.order}" if sort else ""
            sql = f"SELECT doc FROM {layout.table}{query.condition}{order} LIMIT ?"
            return [blob for (blob,) in connection.execute(sql, (*query.values, limit or -1))]

        found = self._consistent(look)
        return [one for *_, one in self._found(search, sort, limit)] if found is None else found

    def _found(self, search: Mapping[str, Any], sort: Sort, most: int) -> Iterator[Found]:
        """Yield stored documents, at most `most` (0 is all).

        Which they are is settled before the first is yielded, so what the caller writes meanwhile
        adds none. A page of them is read at once; those of later pages are as they are then, and
        left out if the filter no longer accepts them.
        """
        return self._consistent(lambda connection: self._look(connection, search, sort, most))

    def _consistent(self, look: Callable[[Connection], Result]) -> Result:
        """Return what is found, by tables that were those of the collection all the while."""
        with self.file.reading() as connection:
            while True:
                try:
                    result = look(connection)
                except OperationalError:
                    # No such table or column: did another process change them since we looked?
                    if self.file.writing or not self.catalog.refresh(connection):
                        raise
                else:
                    if self.file.writing or not self.catalog.refresh(connection):
                        return result

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
        query = chosen(connection, query)
        if most and query.order and query.exact:
            sql = f"{query.select(layout)} LIMIT ?"
            return _checked(connection.execute(sql, (*query.values, most)).fetchall(), query)
        cursor = connection.execute(query.select(layout), query.values)
        if most and query.order:
            first = list(islice(_checked(cursor, query), most))
            cursor.close()
            return iter(first)
        if not query.order:
            found = ordered(_checked(cursor, query), sort)
            return islice(found, most) if most else iter(found)
        raw = cursor.fetchmany(PAGE + 1)
        cursor.close()
        if len(raw) > PAGE:
            numbers = [row for (row,) in connection.execute(query.numbers(layout), query.values)]
            return self._paged(layout, query, numbers)
        if not raw and _is_empty(connection, layout):
            matches(search, {})  # as above
        return _checked(raw, query)

    def _paged(self, layout: Layout, query: Plan, numbers: list[int]) -> Iterator[Found]:
        """Yield the documents with these numbers of rows, if the filter still accepts them."""
        for start in range(0, len(numbers), PAGE):
            page = numbers[start : start + PAGE]
            with self.file.reading() as connection:
                values = (json.dumps(page), *query.values)
                found = dict(connection.execute(query.among(layout), values).fetchall())
            yield from _checked([(row, found[row]) for row in page if row in found], query)

    def count(self, search: Mapping[str, Any]) -> int:
        """Return how many documents a filter accepts."""

        def look(connection: Connection) -> int:
            layout = self.catalog.layout(connection, *self.place)
            query = plan(layout, search, ()) if layout else None
            if layout is None or query is None or not query.exact:
                return sum(1 for _ in self._found(search, (), 0))
            query = chosen(connection, query)
            sql = f"SELECT count(*) FROM {layout.table}{query.condition}"
            return int(connection.execute(sql, query.values).fetchone()[0])

        return self._consistent(look)

    def different(self, path: str, search: Mapping[str, Any]) -> list[Any]:
        """Return the different values on a path; arrays count by element."""

        def look(connection: Connection) -> list[Any] | None:
            layout = self.catalog.layout(connection, *self.place)
            return distinct_keys(connection, layout, path, search) if layout else None

        found = self._consistent(look)
        return distinct_values(self.read(search, (), 0, 0), path) if found is None else found


def _checked(raw: Iterable[tuple[int, bytes]], query: Plan) -> Iterator[Found]:
    rest = query.rest
    for row, blob in raw:
        document = bson.decode(blob)
        if not rest or matches(rest, document):
            yield row, document, blob


def _is_empty(connection: Connection, layout: Layout) -> bool:
    sql = f"SELECT 1 FROM {layout.table} LIMIT 1"
    return connection.execute(sql).fetchone() is None
