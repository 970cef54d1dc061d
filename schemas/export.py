"""`export`: where result tables are published."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from schemas.model import Model

S3 = "s3://"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_KEY_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=-]*")
"""Characters that no part of S3, Glue, Athena or a local folder bends."""


def bucket_and_prefix(address: str) -> tuple[str, str]:
    """Return bucket and prefix of `s3://bucket/prefix`; the prefix has no slash at its ends.

    Raises
    ------
    ValueError
        When it is not an address of S3.
    """
    bucket, _, prefix = address.removeprefix(S3).partition("/")
    prefix = prefix.strip("/")
    if not address.startswith(S3) or not _BUCKET.fullmatch(bucket):
        raise ValueError(f"found '{address}', expected a folder or s3://bucket/prefix")
    if prefix and not all(_KEY_PART.fullmatch(part) for part in prefix.split("/")):
        raise ValueError(
            f"found '{address}'; a prefix has letters, digits, '-', '_', '.', '=' and '/', and its "
            "parts begin with a letter or digit"
        )
    return bucket, prefix


def in_s3(value: str | None) -> str | None:
    """Return an address of S3 as it is. Raises ValueError where it is none."""
    if value is not None and not value.startswith(S3):
        raise ValueError(f"found '{value}', expected s3://bucket/prefix")
    if value is not None:
        bucket_and_prefix(value)
    return value


def _destination(value: str) -> str:
    if "://" in value:
        bucket_and_prefix(value)
    return value


class Glue(Model):
    """The Glue database in which Athena finds the tables."""

    database: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9_]{1,255}$",
        description="Name of the database; made where it does not exist. Default: bucket and "
        "prefix, with underscores.",
    )
    workgroup: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._-]{1,128}$",
        description="Athena workgroup for queries of these tables. Default: primary.",
    )
    query_results: Annotated[str | None, AfterValidator(in_s3)] = Field(
        default=None,
        description="Where Athena writes the answers of queries: s3://bucket/prefix, not inside "
        "that of the tables. Default: the setting of the workgroup.",
    )


class Export(Model):
    """Where the tables go."""

    to: Annotated[str, AfterValidator(_destination)] = Field(
        default="results/",
        min_length=1,
        description="Folder, starting at this file, or s3://bucket/prefix.",
    )
    glue: Literal[False] | Glue = Field(
        default=Glue(),
        description="Tables in AWS Glue over those in S3; false for none (S3 of another maker).",
    )
