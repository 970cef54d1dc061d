"""What becomes of the files of a result: thousands of runs share one disk."""

from __future__ import annotations

import gzip
import logging
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from fireworks_ext import durable
from schemas.retention import ArtefactClass, Retention

COMPRESSED = ".gz"

logger = logging.getLogger(__name__)


def apply(
    directory: Path, patterns: Mapping[ArtefactClass, tuple[str, ...]], retention: Retention
) -> None:
    """Delete and compress files of a run directory by their class.

    A kill in between leaves every file whole, as it was or as it will be; so does a disk that is
    full, or not to be written. A file that several classes name belongs to the first of them, in
    the order of `ArtefactClass`.
    """
    seen: set[Path] = set()
    for kind in ArtefactClass:
        fate = retention.fate(kind)
        for path in _files(directory, patterns.get(kind, ())):
            if path in seen:
                continue
            seen.add(path)
            try:
                if fate == "delete":
                    path.unlink(missing_ok=True)
                elif fate == "compress" and path.suffix != COMPRESSED:
                    _compress(path)
            except OSError as error:
                logger.warning("%s stays as it is: %s", path, error)


def _files(directory: Path, patterns: tuple[str, ...]) -> Iterator[Path]:
    for pattern in patterns:
        yield from sorted(path for path in directory.glob(pattern) if path.is_file())


def _compress(path: Path) -> None:
    target = path.with_name(path.name + COMPRESSED)
    part = target.with_name(f".{target.name}.part")
    try:
        with path.open("rb") as plain, gzip.open(part, "wb", compresslevel=6) as packed:
            shutil.copyfileobj(plain, packed)
        durable.flush(part)
        part.replace(target)
        durable.flush(target.parent)  # before the plain one goes
    finally:
        part.unlink(missing_ok=True)
    path.unlink()
