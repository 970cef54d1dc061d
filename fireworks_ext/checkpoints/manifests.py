"""What a folder of files holds: sizes and checksums, so that it can be told from a broken one."""

from __future__ import annotations

import hashlib
from pathlib import Path

from schemas.model import Model

MANIFEST = "manifest.json"
_BLOCK_BYTES = 1024**2


class FileEntry(Model):
    """One file: its length and its SHA-256."""

    bytes: int
    sha256: str


class Manifest(Model):
    """Path relative to the folder -> file."""

    schema_version: int = 1
    files: dict[str, FileEntry]

    @property
    def bytes(self) -> int:
        """The length of all files."""
        return sum(entry.bytes for entry in self.files.values())


def entry_of(path: Path) -> FileEntry:
    """Return the entry of a file. Raises OSError."""
    digest, length = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
            length += len(block)
    return FileEntry(bytes=length, sha256=digest.hexdigest())


def difference(folder: Path, manifest: Manifest) -> str | None:
    """Return how a folder differs from its manifest, or None where every file is as it was."""
    for name, entry in manifest.files.items():
        path = folder / name
        try:
            if path.stat().st_size != entry.bytes:
                return f"{name} is of {path.stat().st_size} bytes, not {entry.bytes}"
            if entry_of(path) != entry:
                return f"{name} has another checksum"
        except OSError as error:
            return f"{name}: {error.strerror}"
    return None
