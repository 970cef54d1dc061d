"""The tables of a lake on this machine: current files, kept under names that say their content."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from runner.export.address import LakeAddress
from runner.export.clients import LakeUnreachable
from runner.export.lake import remembered
from runner.export.manifest import Manifest, Partition, parse, read_manifest
from runner.export.s3_target import S3Target
from runner.export.target import MANIFEST

KEEP_UNUSED_S = 86_400.0
FETCHED_AT_A_TIME = 8
_COPIES = "_copies"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Published:
    """A current partition, and the folder of this machine below which its files lie."""

    root: Path
    partition: Partition


def published(root: Path) -> Mapping[str, Published]:
    """Return what is published in a folder, or, where its tables go to S3, in that lake.

    Of a lake these are the versions that Athena reads, fetched where they are not here already; a
    partition that was not sent yet is added. A lake that does not answer is said, and read as it
    was last seen.
    """
    local = {path: Published(root, one) for path, one in read_manifest(root).partitions.items()}
    address = remembered(root)
    if address is None:
        return local
    copies = root.parent / _COPIES
    try:
        target = S3Target(address)
        manifest = _latest(target, copies)
        with ThreadPoolExecutor(FETCHED_AT_A_TIME) as pool:
            entries = pool.map(lambda one: _fetched(target, root, copies, one), manifest.values())
            there = dict(zip(manifest, entries, strict=True))
    except LakeUnreachable as error:
        logger.warning("%s; answering from what is on this machine", error)
        return local | _last_seen(root, copies, address)
    _tidy(copies, there)
    return local | there


def _latest(target: S3Target, copies: Path) -> Mapping[str, Partition]:
    """Return the lake's partitions, and keep its manifest for when it does not answer."""
    text = target.read_manifest()
    if text is None:
        return {}
    manifest = parse(text)
    copies.mkdir(parents=True, exist_ok=True)
    part = copies / f".{MANIFEST}.{uuid4().hex}"
    part.write_text(text, encoding="utf-8")
    part.replace(copies / MANIFEST)
    return manifest.partitions


def _fetched(target: S3Target, root: Path, copies: Path, entry: Partition) -> Published:
    """Return a partition whose files are here; equal names have equal content."""
    if _is_here(root, entry):
        return Published(root, entry)
    for name in entry.files:
        file = copies / name
        if file.is_file():
            os.utime(file)  # in use: not to be tidied away under a reader
        else:
            target.fetch(name, file)
    return Published(copies, entry)


def _is_here(folder: Path, entry: Partition) -> bool:
    return all((folder / name).is_file() for name in entry.files)


def _last_seen(root: Path, copies: Path, address: LakeAddress) -> dict[str, Published]:
    file = copies / MANIFEST
    manifest = (
        parse(file.read_text(encoding="utf-8"), address.url) if file.is_file() else Manifest()
    )
    found: dict[str, Published] = {}
    for path, entry in manifest.partitions.items():
        for folder in (root, copies):
            if _is_here(folder, entry):
                found[path] = Published(folder, entry)
                break
        else:
            logger.warning("%s of %s is not on this machine and is left out", path, address.url)
    return found


def _tidy(copies: Path, used: Mapping[str, Published]) -> None:
    """Remove copies that no table has any more and that nobody has read for a day."""
    current = {one.root / one.partition.folder for one in used.values()}
    long_ago = time.time() - KEEP_UNUSED_S
    for folder in copies.glob("*/**/v=*"):
        if folder in current:
            continue
        ages = [file.stat().st_mtime for file in folder.iterdir()]
        if max(ages, default=0.0) < long_ago:
            shutil.rmtree(folder, ignore_errors=True)
