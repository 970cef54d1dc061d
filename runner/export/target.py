"""Where published files go: the narrow edge that an object store can take the place of."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from uuid import uuid4

MANIFEST = "_manifest.json"
_LOCK = "_lock"


class Target(Protocol):
    """A place for published files; names are relative, with forward slashes."""

    def read_manifest(self) -> str | None:
        """Return the text of the manifest, or None where nothing was published yet."""

    def change_manifest(self, change: Callable[[str | None], str | None]) -> None:
        """Replace the manifest, in one step, by what `change` makes of its text.

        Nobody else's change is lost; `change` may be asked more than once, and None leaves things.
        """

    def exists(self, folder: str) -> bool:
        """Tell whether a version is there."""

    def put(self, folder: str, files: Sequence[Path]) -> None:
        """Copy files into the folder of a version."""

    def versions(self) -> Iterator[tuple[str, float]]:
        """Yield each version's folder and the time of its last change, in seconds since 1970."""

    def remove(self, folder: str) -> None:
        """Remove a version."""


@dataclass
class Staging:
    """A local folder that is filled before it is known what it becomes."""

    folder: Path
    target: str | None = None

    def become(self, target: str) -> None:
        """Say what the folder becomes when its block ends; unsaid, it vanishes."""
        self.target = target


class LocalFolder:
    """A folder on this machine, or on a file system that knows advisory locks."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold an exclusive lock on a file of the folder; it goes when its process goes."""
        import fcntl

        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / _LOCK).open("a") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def read_manifest(self) -> str | None:
        """Return the text of the manifest, or None where nothing was published yet."""
        try:
            return (self.root / MANIFEST).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def write_manifest(self, text: str) -> None:
        """Replace the manifest: written aside, forced to disk, renamed."""
        aside = self.root / f"{MANIFEST}.{uuid4().hex}"
        aside.write_text(text, encoding="utf-8")
        _to_disk(aside)
        aside.replace(self.root / MANIFEST)
        _to_disk(self.root)

    def change_manifest(self, change: Callable[[str | None], str | None]) -> None:
        """Replace the manifest by what `change` makes of it, under the lock."""
        with self.lock():
            text = change(self.read_manifest())
            if text is not None:
                self.write_manifest(text)

    def put(self, folder: str, files: Sequence[Path]) -> None:
        """Copy files into the folder of a version, which appears whole."""
        with self.staging() as staging:
            for file in files:
                shutil.copyfile(file, staging.folder / file.name)
            staging.become(folder)

    def exists(self, folder: str) -> bool:
        """Tell whether a version is there."""
        return (self.root / folder).is_dir()

    @contextmanager
    def staging(self) -> Iterator[Staging]:
        """Give a folder that takes its place when the block ends, and vanishes if it fails."""
        aside = self.root / f"_staging-{uuid4().hex}"
        aside.mkdir(parents=True)
        staging = Staging(aside)
        try:
            yield staging
            if staging.target is not None:
                self._take_in(aside, self.root / staging.target)
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def _take_in(self, aside: Path, final: Path) -> None:
        for file in aside.iterdir():
            _to_disk(file)
        _to_disk(aside)
        final.parent.mkdir(parents=True, exist_ok=True)
        if not final.is_dir():
            aside.rename(final)
            _to_disk(final.parent)

    def versions(self) -> Iterator[tuple[str, float]]:
        """Yield each version's folder and the time of its last change, and stale staging too."""
        for pattern in ("*/**/v=*", "_staging-*"):
            for folder in sorted(self.root.glob(pattern)):
                yield folder.relative_to(self.root).as_posix(), folder.stat().st_mtime

    def remove(self, folder: str) -> None:
        """Remove a version."""
        shutil.rmtree(self.root / folder)


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
