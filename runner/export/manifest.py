"""The manifest: which version of each partition is the current one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, ValidationError

from runner.export.target import MANIFEST, LocalFolder, Target
from schemas.columns import Column, ColumnType
from schemas.errors import UserError
from schemas.model import Model
from schemas.tables import PARTITIONS, fixed_columns

_NAME = re.compile(r"[A-Za-z0-9._-]+")
"""Characters that Hive, S3 and Athena all leave as they are in a partition's folder."""


class Partition(Model):
    """The current version of one partition."""

    table: str
    values: dict[str, str] = Field(description="Partition column -> value.")
    version: str = Field(description="Hash of schema and rows.")
    rows: int = Field(ge=0)
    files: tuple[str, ...] = Field(description="Relative to the folder of the manifest.")
    columns: tuple[tuple[str, ColumnType], ...] = Field(description="Columns of the files.")
    published_at: float = Field(description="Seconds since 1970.")

    @property
    def folder(self) -> str:
        """The folder of the version: that of its files."""
        return self.files[0].rpartition("/")[0]


class Manifest(Model):
    """All partitions of all tables below one folder."""

    schema_version: int = Field(default=1, ge=1, le=1)
    partitions: dict[str, Partition] = Field(default_factory=dict)
    retired: dict[str, float] = Field(
        default_factory=dict, description="Folder of an earlier version -> when it was replaced."
    )
    removed: dict[str, float] = Field(
        default_factory=dict,
        description="In an object store: folder -> when its removal began; not to be used again.",
    )


def partition_path(table: str, values: Mapping[str, str]) -> str:
    """Return the folder of a partition: `results/campaign=c/stage=s`.

    Raises
    ------
    UserError
        When the table is unknown, or a value is missing or holds other characters than letters,
        digits, point, underscore and hyphen.
    """
    fixed_columns(table)
    names = PARTITIONS[table]
    if set(values) != set(names):
        raise UserError(
            f"table '{table}' is parted by {', '.join(names)}; found {', '.join(values) or 'none'}"
        )
    for name in names:
        if not _NAME.fullmatch(values[name]) or values[name].startswith((".", "_")):
            raise UserError(
                f"{name} '{values[name]}' cannot name a partition; use letters, digits, '-', '_' "
                "and '.', and begin with a letter or digit"
            )
    return "/".join([table, *(f"{name}={values[name]}" for name in names)])


def read_manifest(root: Path) -> Manifest:
    """Return the manifest below a folder; an empty one where nothing was published.

    Raises
    ------
    UserError
        When the file is not a manifest that this version reads.
    """
    return load(LocalFolder(root), str(root / MANIFEST))


def load(target: Target, name: str = MANIFEST) -> Manifest:
    """Return the manifest of a target; `name` is what messages call it."""
    return parse(target.read_manifest(), name)


def parse(text: str | None, name: str = MANIFEST) -> Manifest:
    """Return the manifest that a text holds; an empty one for None."""
    if text is None:
        return Manifest()
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(
            f"{name}: not a manifest that this version reads ({where}: {first['msg']}); publish "
            "again into an empty folder, or use the version that wrote it"
        ) from error


def store(target: LocalFolder, manifest: Manifest) -> None:
    """Replace the manifest of a folder whose lock is held."""
    target.write_manifest(text_of(manifest))


def text_of(manifest: Manifest) -> str:
    """Return a manifest as its file has it."""
    return json.dumps(manifest.model_dump(mode="json"), indent=1, sort_keys=True) + "\n"


def conflicts(
    manifest: Manifest, table: str, values: Mapping[str, str], columns: tuple[Column, ...]
) -> list[str]:
    """Return a message for each column that another campaign published with another type.

    One table has one type per column, in Athena as here; the partitions of the same campaign do
    not count, because they are replaced together.
    """
    known: dict[str, tuple[ColumnType, str]] = {
        column.name: (column.type, "every campaign") for column in fixed_columns(table)
    }
    for partition in manifest.partitions.values():
        if partition.table == table and partition.values["campaign"] != values.get("campaign"):
            for name, kind in partition.columns:
                known.setdefault(name, (kind, f"campaign '{partition.values['campaign']}'"))
    return [
        f"table '{table}': column '{column.name}' is {column.type} here and "
        f"{known[column.name][0]} in {known[column.name][1]}; give it another name"
        for column in columns
        if column.name in known and known[column.name][0] != column.type
    ]
