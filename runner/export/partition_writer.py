"""Rows of a partition written as they come, and a hash of them that says which version they are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from runner.export.rows import arrow_table, typed_columns
from schemas.columns import Column
from schemas.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

VERSION_DIGITS = 16
ROWS_PER_GROUP = 8192
"""Of rows that are collected before they are written: some MB, with their structures."""


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
        self._digests = [
            hashlib.sha256(json.dumps([column.name, column.type]).encode()) for column in columns
        ]

    def add(self, rows: Iterable[Mapping[str, object]]) -> None:
        """Add rows. They are sorted; all of them come after those that were added before."""
        stripped = (_checked_row(row, self._partition) for row in rows)
        values = typed_columns(stripped, self._columns)
        if not values or not values[0]:
            return
        for digest, data in zip(self._digests, values, strict=True):
            text = json.dumps(data, default=_iso, separators=(",", ":"))
            digest.update(text[1:-1].encode() + b",")  # how rows came in groups does not show
        self._waiting.append(arrow_table(values, self._columns))
        if sum(table.num_rows for table in self._waiting) >= ROWS_PER_GROUP:
            self._write()

    def version(self) -> str:
        """Write what waits; return a hash of columns and rows.

        Not of bytes: the file names the library's version.
        """
        self._write()
        whole = hashlib.sha256(b"".join(digest.digest() for digest in self._digests))
        return whole.hexdigest()[:VERSION_DIGITS]

    def _write(self) -> None:
        import pyarrow as pa

        if self._waiting:
            table = pa.concat_tables(self._waiting)
            self.rows += table.num_rows
            self._waiting = []
            self._parquet.write_table(table)


def _checked_row(row: Mapping[str, object], partition: Mapping[str, str]) -> dict[str, object]:
    for name, value in partition.items():
        if row.get(name, value) != value:
            raise UserError(f"a row of {name} '{row[name]}' does not belong to {name} '{value}'")
    return {name: value for name, value in row.items() if name not in partition}


def _iso(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)
