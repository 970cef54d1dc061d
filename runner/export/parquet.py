"""Published tables: one Parquet version per partition, replaced only when its content changed.

ROOT/{table}/campaign=c[/stage=s]/v={hash}/part-0.parquet, and ROOT/_manifest.json says which
version counts. Readers take the files from the manifest and never see half a version; versions
that were replaced stay for readers that began before, until `collect` removes them.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from runner.export.manifest import Manifest, Partition, conflicts, load, partition_path, store
from runner.export.partition_writer import VERSION_DIGITS, PartitionWriter, repeated
from runner.export.ready_files import copy
from runner.export.target import LocalFolder
from schemas.columns import Column, ColumnType, arrow_schema, arrow_type
from schemas.errors import UserError
from schemas.tables import PARTITIONS, fixed_columns

if TYPE_CHECKING:
    import pyarrow as pa


def publish(
    root: Path,
    table: str,
    partition: Mapping[str, str],
    rows: Iterable[Mapping[str, object]],
    columns: tuple[Column, ...],
) -> bool:
    """Make the rows the content of a partition; return False where they already were.

    Columns of the partition itself (campaign, stage) are folders and may be left out of the rows.

    Raises
    ------
    UserError
        For a value of the wrong type, an unknown column, a column whose type differs from that of
        another campaign, or a name that no folder can have.
    """
    with publishing(root, table, partition, columns) as writer:
        writer.add(rows)
    return writer.replaced


@contextmanager
def publishing(
    root: Path, table: str, partition: Mapping[str, str], columns: tuple[Column, ...]
) -> Iterator[PartitionWriter]:
    """Make what the block adds the content of a partition, in bounded memory.

    The version is known at the end, from the content; one that is there already is left alone, and
    `replaced` says which it was. Raises like `publish`.
    """
    import pyarrow.parquet as pq

    path = partition_path(table, partition)
    folders = set(PARTITIONS[table])
    kept = tuple(column for column in columns if column.name not in folders)
    target = LocalFolder(root)
    draft = Partition(
        table=table,
        values=dict(partition),
        version="",
        rows=0,
        files=(),
        columns=tuple((column.name, column.type) for column in kept),
        published_at=time.time(),
    )
    _refuse_conflicts(load(target), draft, kept)
    with target.staging() as staging:
        file = staging.folder / "part-0.parquet"
        with pq.ParquetWriter(
            file, arrow_schema(kept), compression="zstd", use_dictionary=repeated(kept)
        ) as parquet:
            writer = PartitionWriter(partition, kept, parquet)
            yield writer
            version = writer.version()
        if _is_current(load(target), path, version):
            return
        staging.become(f"{path}/v={version}")
    entry = draft.model_copy(
        update={
            "version": version,
            "rows": writer.rows,
            "files": (f"{path}/v={version}/part-0.parquet",),
        }
    )
    writer.replaced = _swap(target, path, entry, kept)


def adopt(
    root: Path,
    table: str,
    partition: Mapping[str, str],
    files: Sequence[Path],
    columns: tuple[Column, ...] | None = None,
) -> bool:
    """Make ready Parquet files the content of a partition; return False where they already were.

    The files stream through memory batch by batch in the given order; NaN becomes null, columns
    of the partition are dropped. `columns` says which text columns hold JSON; without it only the
    fixed columns are known to.

    Raises
    ------
    UserError
        When the files differ in their columns, or a column has a type that no table has.
    """
    path = partition_path(table, partition)
    kept = _shard_columns(table, files, columns)
    version = _files_hash(files, kept)
    target = LocalFolder(root)
    if _is_current(load(target), path, version):
        return False
    rows = 0
    with target.staging() as staging:
        for number, file in enumerate(files):
            rows += copy(file, staging.folder / f"part-{number}.parquet", kept)
        staging.become(f"{path}/v={version}")
    entry = Partition(
        table=table,
        values=dict(partition),
        version=version,
        rows=rows,
        files=tuple(f"{path}/v={version}/part-{number}.parquet" for number in range(len(files))),
        columns=tuple((column.name, column.type) for column in kept),
        published_at=time.time(),
    )
    return _swap(target, path, entry, kept)


def withdraw(root: Path, table: str, partition: Mapping[str, str]) -> bool:
    """Take a partition out of its table; return False where it was not in it."""
    path = partition_path(table, partition)
    target = LocalFolder(root)
    with target.lock():
        manifest = load(target)
        if path not in manifest.partitions:
            return False
        version = manifest.partitions[path].version
        remaining = {key: entry for key, entry in manifest.partitions.items() if key != path}
        retired = {**manifest.retired, f"{path}/v={version}": time.time()}
        store(target, manifest.model_copy(update={"partitions": remaining, "retired": retired}))
    return True


def collect(root: Path, older_than_s: float) -> int:
    """Remove versions replaced more than so many seconds ago; return how many were removed.

    What no manifest ever named (a writer was killed) goes when it is as old.
    """
    target = LocalFolder(root)
    if target.read_manifest() is None:
        return 0
    removed = 0
    with target.lock():
        manifest = load(target)
        current = {f"{path}/v={entry.version}" for path, entry in manifest.partitions.items()}
        retired = dict(manifest.retired)
        now = time.time()
        for folder, changed in list(target.versions()):
            if folder not in current and now - retired.get(folder, changed) >= older_than_s:
                target.remove(folder)
                retired.pop(folder, None)
                removed += 1
        store(target, manifest.model_copy(update={"retired": retired}))
    return removed


def _swap(target: LocalFolder, path: str, entry: Partition, columns: tuple[Column, ...]) -> bool:
    """Point the manifest at a version that lies ready."""
    with target.lock():
        manifest = load(target)
        if _is_current(manifest, path, entry.version):
            return False
        _refuse_conflicts(manifest, entry, columns)
        retired = dict(manifest.retired)
        if path in manifest.partitions:
            retired[f"{path}/v={manifest.partitions[path].version}"] = time.time()
        retired.pop(f"{path}/v={entry.version}", None)
        partitions = {**manifest.partitions, path: entry}
        if not target.exists(f"{path}/v={entry.version}"):
            raise UserError(
                f"{target.root}: {path} was removed while it was published; run the export again"
            )
        store(target, manifest.model_copy(update={"partitions": partitions, "retired": retired}))
    return True


def _is_current(manifest: Manifest, path: str, version: str) -> bool:
    return path in manifest.partitions and manifest.partitions[path].version == version


def _refuse_conflicts(manifest: Manifest, entry: Partition, columns: tuple[Column, ...]) -> None:
    found = conflicts(manifest, entry.table, entry.values, columns)
    if found:
        raise UserError("\n".join(found))


def _files_hash(files: Sequence[Path], columns: tuple[Column, ...]) -> str:
    digest = hashlib.sha256(json.dumps([[c.name, c.type] for c in columns]).encode())
    for file in files:
        with file.open("rb") as handle:
            digest.update(hashlib.file_digest(handle, "sha256").digest())
    return digest.hexdigest()[:VERSION_DIGITS]


def _shard_columns(
    table: str, files: Sequence[Path], columns: tuple[Column, ...] | None
) -> tuple[Column, ...]:
    """Return the columns of ready files, without those that are folders."""
    import pyarrow.parquet as pq

    if not files:
        raise UserError(f"table '{table}': no files to publish")
    schemas = [pq.read_schema(file).remove_metadata() for file in files]
    for file, schema in zip(files, schemas, strict=True):
        if not schema.equals(schemas[0]):
            raise UserError(f"{file}: columns differ from those of {files[0]}; screen again")
    known = {column.name: column for column in (*fixed_columns(table), *(columns or ()))}
    kept = []
    for field in schemas[0]:
        if field.name in PARTITIONS[table]:
            continue
        column = known.get(field.name) or _inferred(files[0], field)
        if arrow_type(column.type) != field.type:
            raise UserError(
                f"{files[0]}: column '{field.name}' takes {column.type}, found {field.type}"
            )
        kept.append(column)
    return tuple(kept)


def _inferred(file: Path, field: pa.Field) -> Column:
    kinds: tuple[ColumnType, ...] = (
        "float",
        "int",
        "bool",
        "text",
        "timestamp",
        "texts",
        "floats",
    )
    for kind in kinds:
        if arrow_type(kind) == field.type:
            return Column(field.name, kind, "")
    raise UserError(f"{file}: column '{field.name}' has type {field.type}, which no table has")
