"""Rows of a partition written as they come, and a hash of them that says which version they are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from runner.export.content import ColumnHash
from runner.export.rows import arrow_table
from schemas.columns import Column
from schemas.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

VERSION_DIGITS = 16
ROWS_PER_GROUP = 4096
"""Of rows that are collected before they are written: some MB, with their structures."""


_UNIQUE = {"candidate_id", "key", "artefacts"}


def repeated(columns: tuple[Column, ...]) -> list[str]:
    """Return the columns whose values repeat: only those are worth a dictionary."""
    return [
        column.name
        for column in columns
        if column.type in {"text", "texts"} and column.name not in _UNIQUE
    ]


class PartitionWriter:
    """Writes the rows of a partition as they come; holds a group of rows, and their hash."""

    def __init__(
        self, partition: Mapping[str, str], columns: tuple[Column, ...], parquet: pq.ParquetWriter
    ) -> None:
        self.rows = 0
        self.replaced = False
        self._partition = partition
        self._columns = columns
        self._parquet = parquet
        self._waiting: list[pa.Table] = []
        self._hashes = [ColumnHash(column) for column in columns]

    def add(self, rows: Iterable[Mapping[str, object]]) -> None:
        """Add rows. They are sorted; all of them come after those that were added before."""
        stripped = [_checked_row(row, self._partition) for row in rows]
        if stripped:
            self.add_table(arrow_table(stripped, self._columns))

    def add_table(self, table: pa.Table) -> None:
        """Add rows that are sorted and have the partition's columns; they come after the others."""
        self._waiting.append(table)
        if sum(table.num_rows for table in self._waiting) >= ROWS_PER_GROUP:
            self._write()

    def version(self) -> str:
        """Write what waits; return a hash of columns and rows.

        Not of bytes: the file names the library's version.
        """
        self._write()
        whole = hashlib.sha256(b"".join(one.digest() for one in self._hashes))
        return whole.hexdigest()[:VERSION_DIGITS]

    def _write(self) -> None:
        import pyarrow as pa

        if self._waiting:
            table = pa.concat_tables(self._waiting)
            self.rows += table.num_rows
            self._waiting = []
            for one, column in zip(self._hashes, table.columns, strict=True):
                for chunk in column.chunks:
                    one.add(chunk)
            self._parquet.write_table(table)
            pa.default_memory_pool().release_unused()  # which grows by each group otherwise


def _checked_row(row: Mapping[str, object], partition: Mapping[str, str]) -> Mapping[str, object]:
    """Return a row without the columns that are folders."""
    if partition.keys().isdisjoint(row):
        return row
    for name, value in partition.items():
        if row.get(name, value) != value:
            raise UserError(f"a row of {name} '{row[name]}' does not belong to {name} '{value}'")
    return {name: value for name, value in row.items() if name not in partition}
