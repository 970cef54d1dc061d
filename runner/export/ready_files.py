"""Ready Parquet files copied batch by batch, in the form that Athena and DuckDB read alike."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.columns import Column, arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS_PER_BATCH = 4096


def copy(source: Path, destination: Path, columns: tuple[Column, ...]) -> int:
    """Write a cleaned copy of a file; return its number of rows."""
    import pyarrow.parquet as pq

    rows = 0
    schema = arrow_schema(columns)
    with (
        pq.ParquetFile(source) as file,
        pq.ParquetWriter(destination, schema, compression="zstd") as writer,
    ):
        for batch in _batches(file, schema):
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


def _batches(file: object, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa
    import pyarrow.compute as pc

    for batch in file.iter_batches(batch_size=_ROWS_PER_BATCH, columns=schema.names):  # type: ignore[attr-defined]  # pyarrow has no types
        arrays = []
        for field in schema:
            array = batch.column(field.name)
            if pa.types.is_floating(field.type):
                array = _finite(array)
            elif (
                field.type == pa.list_(pa.float64())
                and not pc.all(pc.is_finite(array.flatten())).as_py()
            ):
                array = pa.array(
                    [part and [_finite_or_none(x) for x in part] for part in array.to_pylist()],
                    field.type,
                )
            arrays.append(array)
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _finite(array: pa.Array) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    finite = pc.fill_null(pc.is_finite(array), fill_value=False)
    return pc.if_else(finite, array, pa.scalar(None, array.type))


def _finite_or_none(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None
