"""Writes a table as Parquet shards that appear in their folder all at once."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq


GROUP_ROWS = 4096
"""Rows that are written together: what is held in memory, and what a reader decodes at once."""


class Shards:
    """Collects record batches of one schema in a folder of zstd-compressed Parquet files.

    They are written to a hidden folder beside it, which takes the folder's place when `commit` is
    called: a reader sees the old table or the new one, never a part.
    """

    def __init__(self, folder: Path, schema: pa.Schema, *, shard_rows: int) -> None:
        self._folder = folder
        self._hidden = folder.with_name(f".{folder.name}.partial")
        self._schema = schema
        self._shard_rows = shard_rows
        self._batches: list[pa.RecordBatch] = []
        self._held = 0
        self._rows = 0
        self._written = 0
        self._writer: pq.ParquetWriter | None = None
        if self._hidden.exists():
            shutil.rmtree(self._hidden)
        self._hidden.mkdir(parents=True)

    def add(self, batch: pa.RecordBatch) -> None:
        """Take a batch; it is written once there are enough rows, and whole shards are closed."""
        while self._rows + batch.num_rows >= self._shard_rows:
            room = self._shard_rows - self._rows
            self._take(batch.slice(0, room))
            self._close()
            batch = batch.slice(room)
        if batch.num_rows:
            self._take(batch)

    def commit(self) -> None:
        """Write what is left and put the folder in place; an empty table has one empty shard."""
        if self._rows or not self._written:
            self._close()
        former = self._folder.with_name(f".{self._folder.name}.former")
        if former.exists():
            shutil.rmtree(former)
        if self._folder.exists():
            self._folder.rename(former)
        self._hidden.rename(self._folder)
        if former.exists():
            shutil.rmtree(former)

    def abandon(self) -> None:
        """Remove what was written, unless it is committed."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        shutil.rmtree(self._hidden, ignore_errors=True)

    def _take(self, batch: pa.RecordBatch) -> None:
        self._batches.append(batch)
        self._held += batch.num_rows
        self._rows += batch.num_rows
        if self._held >= GROUP_ROWS:
            self._write()

    def _write(self) -> None:
        """Write the rows that are held as one row group of the present shard."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        if self._writer is None:
            path = self._hidden / f"part-{self._written:05d}.parquet"
            self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")
        table = pa.Table.from_batches(self._batches, schema=self._schema).combine_chunks()
        self._writer.write_table(table)
        self._batches, self._held = [], 0

    def _close(self) -> None:
        if self._held or self._writer is None:
            self._write()
        if self._writer is not None:
            self._writer.close()
        self._writer = None
        self._rows = 0
        self._written += 1
