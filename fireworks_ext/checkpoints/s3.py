"""Checkpoints in S3: objects first, and at last the manifest that makes them a checkpoint.

Credentials and region come from boto3's own chain, another endpoint from AWS_ENDPOINT_URL.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fireworks_ext.checkpoints.manifests import MANIFEST, FileEntry, Manifest, difference, entry_of
from fireworks_ext.checkpoints.places import files_of, is_name, new_name
from schemas.clock import utc_now
from schemas.errors import UserError
from schemas.ledger import CheckpointRecord

CONNECT_TIMEOUT_S = 10
READ_TIMEOUT_S = 60
ATTEMPTS = 5
MOST_DELETIONS = 1000  # DeleteObjects: objects per request

logger = logging.getLogger(__name__)


class S3Place:
    """Checkpoints below a prefix of a bucket: `prefix/NAME/path` and `prefix/NAME/manifest.json`.

    Parameters
    ----------
    scratch
        Local folder into which checkpoints are fetched.

    Raises
    ------
    UserError
        Where boto3 is not installed.
    """

    def __init__(self, bucket: str, prefix: str, *, scratch: Path) -> None:
        try:
            import boto3
            from boto3.exceptions import Boto3Error
            from botocore.config import Config
            from botocore.exceptions import BotoCoreError, ClientError
        except ImportError as error:
            raise UserError(
                f"checkpoint.to: s3://{bucket} needs boto3: pip install 'matcampaign[aws]'"
            ) from error
        self._errors = (BotoCoreError, ClientError, Boto3Error, OSError)
        self._bucket, self._prefix, self._scratch = bucket, prefix, scratch
        config = Config(
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=READ_TIMEOUT_S,
            retries={"mode": "adaptive", "total_max_attempts": ATTEMPTS},
        )
        try:
            self._s3: Any = boto3.client("s3", config=config)
        except (BotoCoreError, ValueError) as error:
            raise UserError(f"checkpoint.to: s3://{bucket}: {error}") from error

    def save(self, run_directory: Path, patterns: Iterable[str]) -> CheckpointRecord | None:
        """Save the files that the patterns name; None where they could not be (see the log)."""
        taken_at, began = utc_now(), time.monotonic()
        try:
            name = new_name(taken_at, self._objects())
            entries: dict[str, FileEntry] = {}
            for path in files_of(run_directory, patterns):
                relative = path.relative_to(run_directory).as_posix()
                entries[relative] = entry_of(path)
                self._s3.upload_file(str(path), self._bucket, self._key(name, relative))
            manifest = Manifest(files=entries)
            self._s3.put_object(
                Bucket=self._bucket,
                Key=self._key(name, MANIFEST),
                Body=manifest.model_dump_json(indent=1).encode(),
                ContentType="application/json",
            )
        except self._errors as error:
            logger.warning("no checkpoint in %s: %s", self, error)
            return None
        seconds = round(time.monotonic() - began, 3)
        return CheckpointRecord(name=name, taken_at=taken_at, seconds=seconds, bytes=manifest.bytes)

    def newest(self) -> Iterator[Path]:
        """Yield complete checkpoints as local folders, newest first; each goes with the next."""
        try:
            found = self._objects()
        except self._errors as error:
            logger.warning("no checkpoint from %s: %s", self, error)
            return
        for name in sorted(found, reverse=True):
            if self._key(name, MANIFEST) not in found[name]:
                continue
            folder = self._scratch / name
            try:
                problem = self._fetch(name, folder)
                if problem is None:
                    yield folder
                else:
                    logger.warning("checkpoint %s/%s is left out: %s", self, name, problem)
            finally:  # also when nobody asks for another one
                shutil.rmtree(folder, ignore_errors=True)

    def prune(self, keep: int) -> None:
        """Remove all but the newest, and what a kill has left half-uploaded."""
        try:
            found = self._objects()
            complete = [name for name in found if self._key(name, MANIFEST) in found[name]]
            kept = sorted(complete, reverse=True)[:keep]
            for name in found.keys() - set(kept):
                # The manifest first: without it the rest is no checkpoint.
                manifest = self._key(name, MANIFEST)
                self._delete([key for key in found[name] if key == manifest])
                self._delete([key for key in found[name] if key != manifest])
            self._abort_uploads()
        except self._errors as error:
            logger.warning("old checkpoints in %s are not removed: %s", self, error)

    def __str__(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}"

    def _key(self, name: str, relative: str) -> str:
        return f"{self._prefix}/{name}/{relative}"

    def _objects(self) -> dict[str, list[str]]:
        """Return name -> keys of its objects, of complete checkpoints and of others."""
        found: dict[str, list[str]] = {}
        pages = self._s3.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self._bucket, Prefix=f"{self._prefix}/"):
            for item in page.get("Contents", ()):
                name = item["Key"].removeprefix(f"{self._prefix}/").split("/")[0]
                if is_name(name):
                    found.setdefault(name, []).append(item["Key"])
        return found

    def _fetch(self, name: str, folder: Path) -> str | None:
        """Download a checkpoint; return what is wrong with it, if anything."""
        shutil.rmtree(folder, ignore_errors=True)
        try:
            body = self._s3.get_object(Bucket=self._bucket, Key=self._key(name, MANIFEST))["Body"]
            manifest = Manifest.model_validate_json(body.read())
            for relative in manifest.files:
                target = folder / relative
                if not target.resolve().is_relative_to(folder.resolve()):
                    return f"{MANIFEST} names a file outside: {relative}"
                target.parent.mkdir(parents=True, exist_ok=True)
                self._s3.download_file(self._bucket, self._key(name, relative), str(target))
        except self._errors as error:
            return str(error)
        except ValidationError:
            return f"{MANIFEST} is damaged"
        return difference(folder, manifest)

    def _delete(self, keys: list[str]) -> None:
        for start in range(0, len(keys), MOST_DELETIONS):
            objects = [{"Key": key} for key in keys[start : start + MOST_DELETIONS]]
            delete = {"Objects": objects, "Quiet": True}
            self._s3.delete_objects(Bucket=self._bucket, Delete=delete)

    def _abort_uploads(self) -> None:
        """Abort uploads in parts that were killed: nobody sees them, and they cost."""
        pages = self._s3.get_paginator("list_multipart_uploads")
        for page in pages.paginate(Bucket=self._bucket, Prefix=f"{self._prefix}/"):
            for upload in page.get("Uploads", ()):
                self._s3.abort_multipart_upload(
                    Bucket=self._bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                )
