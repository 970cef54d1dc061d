"""Texts of run directories, whatever state they are in: large, compressed, cut off, no text."""

from __future__ import annotations

import gzip
import zlib
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

from schemas.failure_reports import TextFile

COMPRESSED = ".gz"
PLAIN = frozenset({".in", ".json", ".txt", ".yaml", ".inp"})
"""Endings of inputs that can be read."""
TAIL_BYTES = 256 * 1024
"""Read from the end of a file for its last lines: outputs have gigabytes."""
PROBE_BYTES = 4096


@dataclass(frozen=True)
class Files:
    """The files of a run directory."""

    directory: Path

    def matching(self, patterns: Sequence[str]) -> list[Path]:
        """Return the files that match patterns, plain or compressed, each once."""
        found: dict[Path, None] = {}
        for pattern in patterns:
            for path in (*self._glob(pattern), *self._glob(pattern + COMPRESSED)):
                found[path] = None
        return list(found)

    def all(self) -> list[Path]:
        """Return all files, those of earlier runs too."""
        return self._glob("**/*")

    def _glob(self, pattern: str) -> list[Path]:
        return sorted(path for path in self.directory.glob(pattern) if path.is_file())


def read_text(
    path: Path, directory: Path, *, first: int | None = None, last: int | None = None
) -> TextFile:
    """Return a text, whole or its first or last lines; what cannot be read is said in its place."""
    name = str(path.relative_to(directory))
    try:
        with _opened(path) as file:
            start = file.read(PROBE_BYTES)
            if b"\0" in start:
                return TextFile(name=name, text=f"({path.stat().st_size} bytes that are no text)")
            file.seek(0)
            if first is not None:
                lines, left_out = _first(file, first)
            elif last is not None:
                lines, left_out = _last(file, path, last)
            else:
                lines, left_out = list(file), 0
    except (OSError, EOFError, zlib.error) as error:
        return TextFile(name=name, text=f"(cannot be read: {error})")
    return TextFile(name=name, text=_clean(b"".join(lines)), lines_left_out=left_out)


def _opened(path: Path) -> IO[bytes]:
    if path.suffix == COMPRESSED:
        return gzip.open(path, "rb")  # type: ignore[return-value]  # a GzipFile reads like any file
    return path.open("rb")


def _first(file: Iterable[bytes], number: int) -> tuple[list[bytes], int]:
    """Return the first lines; of the others only how many there are."""
    lines = iter(file)
    return list(islice(lines, number)), sum(1 for _ in lines)


def _last(file: IO[bytes], path: Path, number: int) -> tuple[list[bytes], int]:
    """Return the last lines; of a large file, how many come before is not counted exactly."""
    size = path.stat().st_size
    if path.suffix != COMPRESSED and size > TAIL_BYTES:
        file.seek(size - TAIL_BYTES)
        tail = file.read().splitlines(keepends=True)[1:]
        each = TAIL_BYTES / max(len(tail), 1)
        return tail[-number:], int(size / each) - number
    lines: deque[bytes] = deque(maxlen=number)
    count = 0
    for line in file:
        lines.append(line)
        count += 1
    return list(lines), max(count - number, 0)


def _clean(content: bytes) -> str:
    """Return bytes as text that a terminal can be given: no control characters but line ends."""
    text = content.decode("utf-8", errors="replace").replace("\r\n", "\n")
    return "".join(
        one if one.isprintable() or one in "\n\t" else "\N{REPLACEMENT CHARACTER}" for one in text
    )
