"""An answer as an Arrow table and as a Parquet file, with the types that its columns say."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from runner.sql.answer import Answer, as_field
from schemas.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa

_DECIMAL = re.compile(r"decimal\((\d+),\s*(\d+)\)")
_ARRAY = re.compile(r"array\((.+)\)")
_MAP = re.compile(r"map\((\w+|\w+\(\d+(?:,\s*\d+)?\)),\s*(.+)\)")
_TIMESTAMP = re.compile(r"timestamp\((\d+)\)")
_MILLISECONDS = 3
_SCALARS = {
    "boolean": "bool_",
    "tinyint": "int8",
    "smallint": "int16",
    "integer": "int32",
    "bigint": "int64",
    "real": "float32",
    "double": "float64",
    "varchar": "string",
    "char": "string",
    "json": "string",
    "varbinary": "binary",
    "date": "date32",
}
"""Type in Athena -> the function of pyarrow that returns its type."""


def arrow_table(answer: Answer) -> pa.Table:
    """Return an answer as an Arrow table.

    A column whose type Arrow does not name alike takes that of its values, or is text.
    """
    import pyarrow as pa

    columns = [
        _column([row[place] for row in answer.rows], kind)
        for place, (_, kind) in enumerate(answer.columns)
    ]
    return pa.Table.from_arrays(columns, names=[name for name, _ in answer.columns])


def write_parquet(answer: Answer, path: Path) -> None:
    """Write an answer to a file, which appears whole or not at all.

    Raises
    ------
    UserError
        When two columns have one name, and when the file cannot be written.
    """
    import pyarrow.parquet as pq

    counted = Counter(name.lower() for name, _ in answer.columns)
    twins = [name for name, times in counted.items() if times > 1]
    if twins:
        raise UserError(
            f"--parquet: two columns are named '{twins[0]}'; give one another name with AS"
        )
    part = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        pq.write_table(arrow_table(answer), part, compression="zstd")
        part.replace(path)
    except OSError as error:
        raise UserError(f"--parquet: {path} cannot be written: {error}") from error
    finally:
        part.unlink(missing_ok=True)


def _column(values: list[object], kind: str) -> pa.Array:
    import pyarrow as pa

    wanted = _arrow_type(kind)
    try:
        return pa.array(values, wanted)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        texts = [None if value is None else str(as_field(value)) for value in values]
        return pa.array(texts, pa.string())


def _arrow_type(kind: str) -> pa.DataType | None:
    """Return the Arrow type that Athena's has; None for one to find from the values."""
    import pyarrow as pa

    if found := _TIMESTAMP.fullmatch(kind):
        return pa.timestamp("ms" if int(found[1]) <= _MILLISECONDS else "us")
    if found := _DECIMAL.fullmatch(kind):
        return pa.decimal128(int(found[1]), int(found[2]))
    if found := _ARRAY.fullmatch(kind) or _MAP.fullmatch(kind):
        parts = [part for text in found.groups() if (part := _arrow_type(text)) is not None]
        makers = {1: pa.list_, 2: pa.map_}
        return makers[len(parts)](*parts) if len(parts) == len(found.groups()) else None
    name = _SCALARS.get(kind.partition("(")[0])
    return None if name is None else getattr(pa, name)()
