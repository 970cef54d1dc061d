"""Structures to compare with: from files, from tables of structures, and from the campaign."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from runner.crystal.cells import cell_type, from_arrow
from runner.crystal.reading import read_structures
from schemas.errors import UserError
from schemas.structure import Structure

if TYPE_CHECKING:
    import pyarrow as pa

TABLE_SUFFIX = ".parquet"
COLUMN = "structure"
NAME_COLUMN = "name"
ROWS_AT_ONCE = 4096


def named_structures(name: str, path: Path) -> Iterator[tuple[str, Structure]]:
    """Yield the structures of a file or table, each with a name that tells it from the others.

    Raises
    ------
    UserError
        For a file that cannot be read, or a table without a column of structures.
    """
    if path.suffix.lower() == TABLE_SUFFIX:
        yield from _of_table(name, path)
        return
    for index, found in enumerate(read_structures(path)):
        yield f"{name}#{index}" if index else name, found.structure


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file."""
    digest = sha256()
    with path.open("rb") as content:
        while block := content.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def _of_table(name: str, path: Path) -> Iterator[tuple[str, Structure]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise UserError(f"{path}: is no Parquet file: {error}") from error
    columns = table.schema_arrow.names
    if COLUMN not in columns:
        raise UserError(
            f"{path}: has no column '{COLUMN}' with structures; it has {', '.join(columns)}"
        )
    wanted = [column for column in (COLUMN, NAME_COLUMN) if column in columns]
    row = 0
    for batch in table.iter_batches(batch_size=ROWS_AT_ONCE, columns=wanted):
        names = batch[NAME_COLUMN].to_pylist() if NAME_COLUMN in wanted else None
        for at, structure in enumerate(_structures(batch[COLUMN], path)):
            yield str(names[at]) if names else f"{name}#{row}", structure
            row += 1


def _structures(column: pa.Array, path: Path) -> list[Structure]:
    import pyarrow as pa

    try:
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            return [Structure.model_validate_json(text) for text in column.to_pylist()]
        return from_arrow(column.cast(cell_type()))
    except (ValueError, TypeError, pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        first = str(error).splitlines()[0]
        raise UserError(
            f"{path}: the column '{COLUMN}' holds something that is no structure: {first}"
        ) from error
