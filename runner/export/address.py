"""The address of a lake in S3, and the folder here that its tables are published from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import UserError
from schemas.export import S3, Export, Glue, bucket_and_prefix

LAKE_FILE = "_lake.json"
"""In a folder that is published from: where to."""


@dataclass(frozen=True)
class LakeAddress:
    """A prefix of a bucket, and the Glue database over it (None for none)."""

    bucket: str
    prefix: str
    glue: Glue | None

    @property
    def url(self) -> str:
        """As one writes it: s3://bucket/prefix."""
        return f"{S3}{self.bucket}/{self.prefix}".rstrip("/")

    @property
    def database(self) -> str | None:
        """The name of the Glue database."""
        if self.glue is None:
            return None
        derived = "_".join(filter(None, (self.bucket, self.prefix)))
        plain = "".join(one if one.isalnum() else "_" for one in derived.lower())
        return self.glue.database or plain[:255]

    def location(self, folder: str) -> str:
        """Return the whole address of a folder of the lake, with the slash that Glue wants."""
        return f"{self.url}/{folder}/"

    def key(self, name: str) -> str:
        """Return the key of an object."""
        return f"{self.prefix}/{name}" if self.prefix else name

    def side(self, data: Path) -> Path:
        """Return the folder below `data` that this lake is published from."""
        return data / "lakes" / self.bucket / (self.prefix or "_") / "_tables"

    def document(self) -> dict[str, Any]:
        """Return what the campaign's document and the folder keep of it."""
        return {
            "to": self.url,
            "glue": False if self.glue is None else self.glue.model_dump(mode="json"),
        }


def lake_of(export: Export) -> LakeAddress | None:
    """Return where a campaign's tables go in S3; None where they go to a folder."""
    if not export.to.startswith(S3):
        return None
    try:
        bucket, prefix = bucket_and_prefix(export.to)
    except ValueError as error:
        raise UserError(f"export.to: {error}") from error
    return LakeAddress(bucket, prefix, export.glue or None)


def lake_from(document: dict[str, Any] | None) -> LakeAddress | None:
    """Return the lake that a document names, if it names one."""
    return lake_of(Export.model_validate(document)) if document else None
