"""Typed columns: what a score or an engine adds to a row, named alike in YAML and SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pyarrow as pa

ColumnType = Literal["float", "int", "bool", "text", "timestamp", "texts", "floats", "json"]
"""`texts` and `floats` are lists, `timestamp` is naive UTC in whole milliseconds, `json` text."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name ends in its unit where it has one (`energy_ev_per_atom`)."""

    name: str
    type: ColumnType
    description: str
    unit: str | None = None


NOTE = Column("note", "text", "Why a value is not known, or what to know of it.")
"""Beside the columns of every analysis."""


def arrow_type(kind: ColumnType) -> pa.DataType:
    """Return the Arrow type in which a column is held and published."""
    import pyarrow as pa

    return {
        "float": pa.float64(),
        "int": pa.int64(),
        "bool": pa.bool_(),
        "text": pa.string(),
        "timestamp": pa.timestamp("ms"),
        "texts": pa.list_(pa.string()),
        "floats": pa.list_(pa.float64()),
        "json": pa.string(),
    }[kind]


GLUE_TYPES: Mapping[ColumnType, str] = {
    "float": "double",
    "int": "bigint",
    "bool": "boolean",
    "text": "string",
    "timestamp": "timestamp",
    "texts": "array<string>",
    "floats": "array<double>",
    "json": "string",
}
"""How AWS Glue names the types of `arrow_type`."""


def column_comment(column: Column) -> str:
    """Return what a column holds, with its unit."""
    unit = f" [{column.unit}]" if column.unit else ""
    return f"{column.description}{unit}".strip()


def arrow_schema(columns: tuple[Column, ...]) -> pa.Schema:
    """Return the Arrow schema of the columns, in their order."""
    import pyarrow as pa

    return pa.schema([pa.field(column.name, arrow_type(column.type)) for column in columns])
