"""A folder's tables published in S3, with their Glue tables; tried again until both agree."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from runner.export.address import LAKE_FILE, LakeAddress, lake_from
from runner.export.clients import LakeUnreachable
from runner.export.glue import GlueTables
from runner.export.manifest import Manifest, load
from runner.export.mirror import Mirrored, collect_versions, mirror
from runner.export.s3_target import S3Target

_ROUNDS = 10
"""Times that others may publish the same campaign meanwhile."""


@dataclass
class Lake:
    """A prefix of S3 and the Glue database over it."""

    address: LakeAddress

    def __post_init__(self) -> None:
        self.target = S3Target(self.address)
        self.glue = GlueTables(self.address) if self.address.glue is not None else None
        self._agreed: dict[str, tuple[str, ...]] | None = None
        """What this process has told Glue."""

    def send(self, root: Path, campaign: str | None) -> Mirrored:
        """Publish a folder's partitions (of one campaign); safe beside others that do the same.

        Glue is told after the manifest, and the manifest read again after that: whoever tells
        Glue last has seen the last manifest.
        """
        sent = mirror(root, self.target, campaign)
        if self.glue is not None:
            self._agree(self.glue, campaign)
        return sent

    def collect(self, older_than_s: float) -> int:
        """Remove versions replaced so long ago, but for what Glue still points to."""
        in_use = self.glue.folders(load(self.target)) if self.glue is not None else set()
        return collect_versions(self.target, older_than_s, in_use)

    def _agree(self, glue: GlueTables, campaign: str | None) -> None:
        manifest = load(self.target)
        for _ in range(_ROUNDS):
            mine = _of(manifest, campaign)
            if mine == self._agreed:
                return
            glue.update(manifest, campaign)
            self._agreed = mine
            manifest = load(self.target)
        self._agreed = None
        raise LakeUnreachable(f"{self.address.url}: others publish all the time; export again")


def _of(manifest: Manifest, campaign: str | None) -> dict[str, tuple[str, ...]]:
    """Return the files of a campaign's partitions."""
    return {
        path: one.files
        for path, one in manifest.partitions.items()
        if campaign in {None, one.values["campaign"]}
    }


def remember(root: Path, address: LakeAddress) -> None:
    """Write down in a folder where its tables are published to."""
    text = json.dumps(address.document(), indent=1) + "\n"
    file = root / LAKE_FILE
    if file.is_file() and file.read_text(encoding="utf-8") == text:
        return
    root.mkdir(parents=True, exist_ok=True)
    part = root / f"{LAKE_FILE}.{uuid4().hex}"
    part.write_text(text, encoding="utf-8")
    part.replace(file)


def remembered(root: Path) -> LakeAddress | None:
    """Return where a folder's tables are published to, if it is to S3."""
    try:
        return lake_from(json.loads((root / LAKE_FILE).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
