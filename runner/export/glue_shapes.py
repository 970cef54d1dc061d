"""Tables, partitions and columns in the form that AWS Glue takes them in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runner.export.address import LakeAddress
from runner.export.manifest import Partition
from schemas.columns import GLUE_TYPES, Column, column_comment
from schemas.tables import PARTITIONS, fixed_columns, stage_columns

SCHEMA_VERSION = "1"
"""Of the tables; columns that are added do not change it."""
LONGEST_COMMENT = 255  # characters that Glue takes for a column
TABLE_COMMENTS: Mapping[str, str] = {
    "screening": "One row per enumerated candidate: scores, verdict, reason.",
    "results": "One row per candidate and settled stage.",
    "attempts": "One row per attempt at a calculation, failed ones too.",
    "campaigns": "One row per campaign.",
}
_FORMAT = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "SerdeInfo": {
        "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
        "Parameters": {"serialization.format": "1"},
    },
}
GlueColumn = dict[str, str]
"""Name, Type and Comment."""


def table_input(address: LakeAddress, table: str, columns: Sequence[GlueColumn]) -> dict[str, Any]:
    """Return a table of the lake."""
    fixed = {column.name: column for column in fixed_columns(table)}
    return {
        "Name": table,
        "Description": TABLE_COMMENTS[table],
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {
            "EXTERNAL": "TRUE",
            "classification": "parquet",
            "schema_version": SCHEMA_VERSION,
        },
        "PartitionKeys": [glue_column(fixed[name]) for name in PARTITIONS[table]],
        "StorageDescriptor": _storage(address, table, columns),
    }


def partition_input(
    address: LakeAddress, entry: Partition, columns: Sequence[GlueColumn]
) -> dict[str, Any]:
    """Return a partition at its current version."""
    return {
        "Values": list(partition_values(entry)),
        "StorageDescriptor": _storage(address, entry.folder, columns),
        "Parameters": {
            "numRows": str(entry.rows),
            "schema_version": SCHEMA_VERSION,
            "version": entry.version,
        },
    }


def partition_values(entry: Partition) -> tuple[str, ...]:
    """Return the values of a partition, in the order of its table."""
    return tuple(entry.values[name] for name in PARTITIONS[entry.table])


def glue_column(column: Column) -> GlueColumn:
    """Return a column with its type, and its comment where it has one."""
    found = {"Name": column.name, "Type": GLUE_TYPES[column.type]}
    comment = column_comment(column)[:LONGEST_COMMENT]
    return {**found, "Comment": comment} if comment else found


def lake_columns(table: str, entries: Sequence[Partition]) -> Iterator[Column]:
    """Yield the columns of a table: fixed, those of all stages, those that campaigns brought."""
    known = list(fixed_columns(table))
    if table == "results":
        known += stage_columns()
    names = set(PARTITIONS[table])
    for column in known:
        if column.name not in names:
            names.add(column.name)
            yield column
    for entry in entries:
        for name, kind in entry.columns:
            if name not in names:
                names.add(name)
                yield Column(name, kind, "")


def _storage(address: LakeAddress, folder: str, columns: Sequence[GlueColumn]) -> dict[str, Any]:
    return {"Columns": list(columns), "Location": address.location(folder), **_FORMAT}
