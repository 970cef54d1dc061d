"""The tables of a Glue database: their columns as Athena sees them, asked at no cost."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from runner.export.clients import client
from runner.sql.about import Described, about_tables, is_about_tables
from runner.sql.answer import Answer
from runner.sql.cloud_errors import told_by_athena
from runner.sql.cloud_place import CloudPlace
from runner.sql.kinds import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INTEGER,
    TIMESTAMP,
    VARCHAR,
    Kind,
    array,
    kind_of,
)
from schemas.errors import UserError
from schemas.tables import PARTITIONS, fixed_columns, results_columns

if TYPE_CHECKING:
    from runner.sql.scope import Columns

_KINDS = {
    "string": VARCHAR,
    "varchar": VARCHAR,
    "bigint": BIGINT,
    "int": INTEGER,
    "integer": INTEGER,
    "double": DOUBLE,
    "boolean": BOOLEAN,
    "date": DATE,
    "timestamp": TIMESTAMP,
}
"""Types of Glue that published tables and views have."""
_ARRAY = re.compile(r"array[<(](.+)[>)]")


class CloudTables:
    """The tables and views of a database, read from Glue when they are first needed."""

    def __init__(self, place: CloudPlace) -> None:
        self._place = place
        self._found: dict[str, list[Described]] | None = None

    def about(self, sql: str) -> Answer | None:
        """Answer SHOW TABLES and DESCRIBE; None for any other query."""
        return about_tables(sql, self._tables()) if is_about_tables(sql) else None

    def reading(self, sql: str) -> tuple[Sequence[Kind] | None, tuple[str, ...]]:
        """Return the types of a query's columns and what may surprise in it.

        Where this program cannot read the query, or Glue not be asked, there is neither.
        """
        from runner.sql.grammar import parse
        from runner.sql.queries import Queries
        from runner.sql.scope import Scope

        now = datetime.now(UTC).replace(tzinfo=None)
        try:
            queries = Queries(self._kinds(), now)
            columns = queries.compile(parse(sql), Scope()).columns
        except (UserError, RecursionError):
            return None, ()
        return [kind for _, kind in columns], queries.expressions.cautions.said()

    def _kinds(self) -> dict[str, Columns]:
        own = dict(_own_kinds())
        return {
            table: tuple(
                (column.name, own.get((table, column.name, column.type)) or kind)
                for column in columns
                if (kind := _kind(column.type)) is not None
            )
            for table, columns in self._tables().items()
        }

    def _tables(self) -> Mapping[str, list[Described]]:
        if self._found is None:
            glue = client("glue", str(self._place))
            pages = glue.get_paginator("get_tables")
            with told_by_athena(self._place, str):
                self._found = {
                    table["Name"]: list(_described(table))
                    for page in pages.paginate(DatabaseName=self._place.database)
                    for table in page["TableList"]
                }
        return self._found


def _described(table: Mapping[str, Any]) -> Iterator[Described]:
    for column in table.get("StorageDescriptor", {}).get("Columns", ()):
        yield _column(column, is_folder=False)
    for column in table.get("PartitionKeys", ()):
        yield _column(column, is_folder=True)


def _column(column: Mapping[str, str], *, is_folder: bool) -> Described:
    kind = _kind(column["Type"])
    name = column["Type"] if kind is None else str(kind)
    return Described(column["Name"], name, column.get("Comment", ""), is_folder)


def _kind(written: str) -> Kind | None:
    """Return a type that Glue or a column description names; None for one not published here."""
    text = written.lower().strip()
    nested = _ARRAY.fullmatch(text)
    if nested is not None:
        element = _kind(nested.group(1))
        return None if element is None else array(element)
    return _KINDS.get(text.partition("(")[0])


def _own_kinds() -> Iterator[tuple[tuple[str, str, str], Kind]]:
    """Yield by table, column and type what the exporter writes: which texts are JSON."""
    for table in PARTITIONS:
        columns = results_columns() if table == "results" else fixed_columns(table)
        for column in columns:
            kind = kind_of(column.type)
            yield (table, column.name, str(kind)), kind
