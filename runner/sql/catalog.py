"""The tables of a query: the current files of all published folders, open for reading only."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.export.lake_copy import published
from runner.export.manifest import Partition
from runner.sql.kinds import identifier, kind_of
from runner.sql.macros import MACROS
from schemas.columns import Column, ColumnType, arrow_type
from schemas.errors import UserError
from schemas.tables import PARTITIONS, fixed_columns, stage_columns

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    from pyarrow.dataset import Dataset

    from runner.sql.scope import Columns

_MEMORY_LIMIT = "4GB"
_MAX_THREADS = 4


class Catalog:
    """What is published below the folders: tables, columns and files."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self._partitions: dict[str, list[tuple[Path, Partition]]] = {
            name: [] for name in PARTITIONS
        }
        places: dict[str, tuple[Path, str]] = {}
        for root in dict.fromkeys(path.resolve() for path in roots):
            for path, found in sorted(published(root).items()):
                if path in places:
                    where, version = places[path]
                    if version == found.partition.version:
                        continue  # exported from one to the other: the same rows
                    raise UserError(
                        f"{path} is published in {where} and in {root}, and not alike, so that its "
                        "rows would count twice; query one folder, remove one, or export again"
                    )
                places[path] = root, found.partition.version
                self._partitions[found.partition.table].append((found.root, found.partition))
        self.tables: dict[str, tuple[Column, ...]] = {
            table: self._columns(table) for table in PARTITIONS
        }

    def kinds(self) -> dict[str, Columns]:
        """Return the columns of each table with their types in Athena."""
        return {
            table: tuple((column.name, kind_of(column.type)) for column in columns)
            for table, columns in self.tables.items()
        }

    def connect(self) -> duckdb.DuckDBPyConnection:
        """Return a database in memory that holds the tables as views and can reach nothing else."""
        import duckdb

        connection = duckdb.connect(
            ":memory:",
            config={
                "threads": min(os.cpu_count() or 1, _MAX_THREADS),
                "memory_limit": _MEMORY_LIMIT,
                "temp_directory": "",
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "python_enable_replacements": False,
            },
        )
        connection.execute("SET TimeZone = 'UTC'")
        for table, columns in self.tables.items():
            connection.register(f"_{table}_files", self._dataset(table))
            listed = ", ".join(_selected(column) for column in columns)
            connection.execute(
                f"CREATE VIEW {identifier(table)} AS SELECT {listed} FROM _{table}_files"  # noqa: S608  (names of our own tables)
            )
        connection.execute(MACROS)
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        return connection

    def _columns(self, table: str) -> tuple[Column, ...]:
        """Return the columns: fixed, then those of the campaigns, then the folders' own."""
        folders = PARTITIONS[table]
        fixed = {column.name: column for column in fixed_columns(table)}
        union = {name: column for name, column in fixed.items() if name not in folders}
        # Glue has the columns of all engines from the first day, so that `*` is the same there.
        offered = stage_columns() if table == "results" else ()
        union |= {column.name: column for column in offered}
        owners: dict[str, str] = {}
        for root, partition in self._partitions[table]:
            for name, kind in partition.columns:
                known = union.setdefault(name, Column(name, kind, ""))
                if known.type != kind and name not in owners and name not in fixed:
                    known = union[name] = Column(name, kind, "")
                owner = owners.setdefault(name, f"{partition.values['campaign']} ({root})")
                if known.type != kind:
                    raise UserError(
                        f"table '{table}': column '{name}' is {known.type} in {owner} and {kind} "
                        f"in {partition.values['campaign']} ({root}); query the folders apart"
                    )
        return (*union.values(), *(fixed[name] for name in folders))

    def _dataset(self, table: str) -> Dataset | pa.Table:
        import pyarrow as pa
        import pyarrow.dataset as ds
        from pyarrow.fs import LocalFileSystem

        schema = pa.schema(
            [pa.field(column.name, arrow_type(column.type)) for column in self.tables[table]]
        )
        paths: list[str] = []
        folders: list[Any] = []
        for root, partition in self._partitions[table]:
            values: Any = None
            for name, value in partition.values.items():
                part = ds.field(name) == value
                values = part if values is None else values & part
            for file in partition.files:
                if not (root / file).is_file():
                    raise UserError(f"{root / file} is missing; publish again: campaign export")
                paths.append(str(root / file))
                folders.append(values)
        if not paths:
            return schema.empty_table()
        return ds.FileSystemDataset.from_paths(
            paths,
            schema=schema,
            format=ds.ParquetFileFormat(),
            filesystem=LocalFileSystem(),
            partitions=folders,
        )


def _selected(column: Column) -> str:
    """Return a column of a view; DuckDB's functions of time want microseconds."""
    name = identifier(column.name)
    times: set[ColumnType] = {"timestamp"}
    return f"CAST({name} AS TIMESTAMP) AS {name}" if column.type in times else name
