"""Where the state of a long calculation is saved: a folder, or a prefix of an S3 bucket.

A checkpoint is written beside and renamed (in S3: its manifest comes last), so whatever is killed
at whatever moment, the newest complete one is there. One attempt at a time writes to a place: the
one that holds the lease of the key.
"""

from __future__ import annotations

import logging
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from fireworks_ext import durable
from fireworks_ext.checkpoints.manifests import MANIFEST, FileEntry, Manifest, difference, entry_of
from schemas.clock import utc_now
from schemas.errors import UserError
from schemas.ledger import CheckpointRecord

FOLDER = "checkpoints"
"""In a run directory, where the policy names no other place."""
S3_SCHEME = "s3://"

_NAME = re.compile(r"\d{8}T\d{9}(-\d+)?")
_PART = ".part"

logger = logging.getLogger(__name__)


class Place(Protocol):
    """Holds the checkpoints of one calculation. What goes wrong here never ends the calculation."""

    def save(self, run_directory: Path, patterns: Iterable[str]) -> CheckpointRecord | None:
        """Save the files that the patterns name; None where they could not be (see the log)."""

    def newest(self) -> Iterator[Path]:
        """Yield complete checkpoints as folders, the newest first.

        A folder is there until the next is asked for, or the iterator is given up.
        """

    def prune(self, keep: int) -> None:
        """Remove all but the newest, and what a kill has left half-written."""


def open_place(to: str | None, run_directory: Path, key: str) -> Place:
    """Return where the checkpoints of a calculation are.

    Parameters
    ----------
    to
        Folder or `s3://bucket/prefix`, shared by all calculations; None: in the run directory.

    Raises
    ------
    UserError
        For S3 without the package that speaks to it, or without a bucket.
    """
    if to is None:
        return LocalPlace(run_directory / FOLDER)
    if not to.startswith(S3_SCHEME):
        return LocalPlace(Path(to).expanduser() / key)
    from fireworks_ext.checkpoints.s3 import S3Place

    bucket, _, prefix = to.removeprefix(S3_SCHEME).partition("/")
    if not bucket:
        raise UserError(f"checkpoint.to: '{to}' names no bucket; expected s3://bucket/prefix")
    prefix = "/".join(part for part in (*prefix.split("/"), key) if part)
    return S3Place(bucket, prefix, scratch=run_directory / FOLDER)


class LocalPlace:
    """Checkpoints as folders of one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def save(self, run_directory: Path, patterns: Iterable[str]) -> CheckpointRecord | None:
        """Save the files that the patterns name; None where they could not be (see the log)."""
        taken_at, began = utc_now(), time.monotonic()
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            name = new_name(taken_at, self._names())
            size = self._write(name, files_of(run_directory, patterns), run_directory)
        except OSError as error:
            logger.warning("no checkpoint in %s: %s", self.root, error)
            return None
        seconds = round(time.monotonic() - began, 3)
        return CheckpointRecord(name=name, taken_at=taken_at, seconds=seconds, bytes=size)

    def newest(self) -> Iterator[Path]:
        """Yield complete checkpoints as folders, the newest first."""
        for name in sorted(self._names(), reverse=True):
            problem = _problem(self.root / name)
            if problem is None:
                yield self.root / name
            else:
                logger.warning("checkpoint %s is left out: %s", self.root / name, problem)

    def prune(self, keep: int) -> None:
        """Remove all but the newest, and what a kill has left half-written."""
        old = [self.root / name for name in sorted(self._names(), reverse=True)[keep:]]
        for folder in (*old, *self.root.glob(f".*{_PART}")):
            # Renamed first: a folder that is half removed is no checkpoint.
            aside = folder.with_name(f".{folder.name.strip('.')}{_PART}")
            try:
                folder.rename(aside)
                shutil.rmtree(aside)
            except OSError as error:
                logger.warning("checkpoint %s is not removed: %s", folder, error)

    def _names(self) -> list[str]:
        if not self.root.is_dir():
            return []
        return [entry.name for entry in self.root.iterdir() if _NAME.fullmatch(entry.name)]

    def _write(self, name: str, files: list[Path], run_directory: Path) -> int:
        part = self.root / f".{name}{_PART}"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        entries: dict[str, FileEntry] = {}
        for path in files:
            target = part / path.relative_to(run_directory)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            durable.flush(target)
            entries[path.relative_to(run_directory).as_posix()] = entry_of(target)
        manifest = Manifest(files=entries)
        (part / MANIFEST).write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")
        durable.flush(part / MANIFEST)
        for folder in (part, *(entry for entry in part.rglob("*") if entry.is_dir())):
            durable.flush(folder)
        part.rename(self.root / name)
        durable.flush(self.root)
        return manifest.bytes


def files_of(run_directory: Path, patterns: Iterable[str]) -> list[Path]:
    """Return the files that patterns name, each once, in order."""
    found = (path for pattern in patterns for path in run_directory.glob(pattern))
    return sorted({path for path in found if path.is_file()})


def new_name(taken_at: datetime, taken: Iterable[str]) -> str:
    """Return a name that sorts after those that are taken."""
    name = f"{taken_at:%Y%m%dT%H%M%S}{taken_at.microsecond // 1000:03d}"
    latest = max(taken, default="")
    if name > latest:
        return name
    stem, _, number = latest.partition("-")  # the clock was set back, or is too coarse
    return f"{stem}-{int(number or 0) + 1:06d}"


def is_name(text: str) -> bool:
    """Tell whether a text is the name of a checkpoint."""
    return _NAME.fullmatch(text) is not None


def _problem(folder: Path) -> str | None:
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except OSError as error:
        return f"{MANIFEST}: {error.strerror}"
    except ValidationError:
        return f"{MANIFEST} is damaged"
    return difference(folder, manifest)
