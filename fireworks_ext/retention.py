"""What becomes of the files of a result: thousands of runs share one disk."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from schemas.retention import ArtefactClass, Retention

COMPRESSED = ".gz"


def apply(
    directory: Path, patterns: Mapping[ArtefactClass, tuple[str, ...]], retention: Retention
) -> None:
    """Delete and compress files of a run directory by their class.

    A kill in between leaves every file whole, as it was or as it will be. A file that several
    classes name belongs to the first of them, in the order of `ArtefactClass`.
    """
    seen: set[Path] = set()
    for kind in ArtefactClass:
        fate = retention.fate(kind)
        for path in _files(directory, patterns.get(kind, ())):
            if path in seen:
                continue
            seen.add(path)
            if fate == "delete":
                path.unlink(missing_ok=True)
            elif fate == "compress" and path.suffix != COMPRESSED:
                _compress(path)


def _files(directory: Path, patterns: tuple[str, ...]) -> Iterator[Path]:
    for pattern in patterns:
        yield from sorted(path for path in directory.glob(pattern) if path.is_file())


def _compress(path: Path) -> None:
    target = path.with_name(path.name + COMPRESSED)
    part = target.with_name(f".{target.name}.part")
    with path.open("rb") as plain, gzip.open(part, "wb", compresslevel=6) as packed:
        shutil.copyfileobj(plain, packed)
    part.replace(target)
    path.unlink()
