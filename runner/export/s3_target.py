"""Published files in S3: objects first, and at last the manifest, replaced on a condition.

There is no lock. The manifest is written only over the one that was read (If-Match), or where
there was none (If-None-Match), and read and changed again when somebody was quicker.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from runner.export.address import LakeAddress
from runner.export.clients import LakeUnreachable, client, error_code, told
from runner.export.target import MANIFEST

MOST_CHANGES = 50
"""Tries at the manifest before the others are let go first: each loses only to one that won."""
WAIT_S = 0.05
LONGEST_WAIT_S = 2.0
MOST_DELETIONS = 1000  # DeleteObjects: objects per request
_LOST = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}
_ABSENT = {"NoSuchKey", "404"}
_DENIED = {"AccessDenied", "403"}


class S3Target:
    """A prefix of a bucket."""

    def __init__(self, address: LakeAddress) -> None:
        self._address = address
        self._bucket = address.bucket
        self._s3 = client("s3", address.url)

    def read_manifest(self) -> str | None:
        """Return the text of the manifest, or None where nothing was published yet."""
        with told(self._address.url):
            return self._manifest()[0]

    def change_manifest(self, change: Callable[[str | None], str | None]) -> None:
        """Replace the manifest by what `change` makes of it, again if another was quicker."""
        for number in range(MOST_CHANGES):
            with told(self._address.url):
                text, tag = self._manifest()
                changed = change(text)
                if changed is None or self._replaced(changed, tag):
                    return
            longest = min(LONGEST_WAIT_S, WAIT_S * 2 ** min(number, 10))
            time.sleep(random.uniform(0, longest))  # noqa: S311  (spreads those that collide)
        raise LakeUnreachable(
            f"{self._address.url}: others changed {MANIFEST} {MOST_CHANGES} times meanwhile; "
            "export again"
        )

    def exists(self, folder: str) -> bool:
        """Tell whether a version is there."""
        with told(self._address.url):
            return self._is_listed(self._address.key(folder) + "/")

    def put(self, folder: str, files: Sequence[Path]) -> None:
        """Copy files into the folder of a version."""
        with told(self._address.url):
            for file in files:
                key = self._address.key(f"{folder}/{file.name}")
                self._s3.upload_file(str(file), self._bucket, key)

    def fetch(self, name: str, file: Path) -> None:
        """Copy an object to this machine; the file appears whole."""
        part = file.with_name(f".{file.name}.{uuid4().hex}.part")
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with told(self._address.url):
                self._s3.download_file(self._bucket, self._address.key(name), str(part))
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)

    def versions(self) -> Iterator[tuple[str, float]]:
        """Yield each version's folder and the time of its last change, in seconds since 1970."""
        prefix = self._address.key("")
        latest: dict[str, float] = {}
        with told(self._address.url):
            pages = self._s3.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket, Prefix=prefix):
                for item in page.get("Contents", ()):
                    folder = item["Key"].removeprefix(prefix).rpartition("/")[0]
                    if folder.rpartition("/")[2].startswith("v="):
                        changed = item["LastModified"].timestamp()
                        latest[folder] = max(latest.get(folder, 0.0), changed)
        yield from sorted(latest.items())

    def remove(self, folder: str) -> None:
        """Remove a version."""
        prefix = self._address.key(folder) + "/"
        with told(self._address.url):
            pages = self._s3.get_paginator("list_objects_v2")
            found = [
                {"Key": item["Key"]}
                for page in pages.paginate(Bucket=self._bucket, Prefix=prefix)
                for item in page.get("Contents", ())
            ]
            for start in range(0, len(found), MOST_DELETIONS):
                some = {"Objects": found[start : start + MOST_DELETIONS], "Quiet": True}
                self._s3.delete_objects(Bucket=self._bucket, Delete=some)

    def _manifest(self) -> tuple[str | None, str | None]:
        """Return the text of the manifest and its tag.

        S3 refuses an object that is not there to who may list a part of the bucket only: then the
        list decides.
        """
        from botocore.exceptions import ClientError

        key = self._address.key(MANIFEST)
        try:
            found: Any = self._s3.get_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            code = error_code(error)
            if code in _ABSENT or (code in _DENIED and not self._is_listed(key)):
                return None, None
            raise
        return found["Body"].read().decode(), found["ETag"]

    def _is_listed(self, key: str) -> bool:
        found = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=key, MaxKeys=1)
        return bool(found.get("KeyCount", 0))

    def _replaced(self, text: str, tag: str | None) -> bool:
        """Write the manifest over the one with this tag; tell whether it still was that one."""
        from botocore.exceptions import ClientError

        condition = {"IfNoneMatch": "*"} if tag is None else {"IfMatch": tag}
        try:
            self._s3.put_object(
                Bucket=self._bucket,
                Key=self._address.key(MANIFEST),
                Body=text.encode(),
                ContentType="application/json",
                **condition,
            )
        except ClientError as error:
            if error_code(error) in _LOST | _ABSENT:
                return False
            raise
        return True
