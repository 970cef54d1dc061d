"""Writes a table as Parquet shards that appear in their folder all at once."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


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
        self._rows = 0
        self._written = 0
        if self._hidden.exists():
            shutil.rmtree(self._hidden)
        self._hidden.mkdir(parents=True)

    def add(self, batch: pa.RecordBatch) -> None:
        """Take a batch; whole shards are written as soon as they are full."""
        while self._rows + batch.num_rows >= self._shard_rows:
            room = self._shard_rows - self._rows
            self._batches.append(batch.slice(0, room))
            self._write()
            batch = batch.slice(room)
        if batch.num_rows:
            self._batches.append(batch)
            self._rows += batch.num_rows

    def commit(self) -> None:
        """Write what is left and put the folder in place; an empty table has one empty shard."""
        if self._batches or not self._written:
            self._write()
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
        shutil.rmtree(self._hidden, ignore_errors=True)

    def _write(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.Table.from_batches(self._batches, schema=self._schema).combine_chunks()
        pq.write_table(
            table, self._hidden / f"part-{self._written:05d}.parquet", compression="zstd"
        )
        self._batches = []
        self._rows = 0
        self._written += 1
