"""What is published in a folder, published elsewhere: the same files, and one swap for all."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from runner.export.manifest import (
    Manifest,
    Partition,
    conflicts,
    load,
    parse,
    read_manifest,
    text_of,
)
from runner.export.target import Target
from schemas.columns import Column
from schemas.errors import UserError

KEEP_REMOVED_S = 7 * 86400.0
"""How long the name of a removed folder is not used again: longer than any removal takes."""
_TRIES = 5


@dataclass(frozen=True)
class Mirrored:
    """What became of the partitions."""

    written: tuple[str, ...]
    """Paths of those that are new or have changed."""
    unchanged: int


def mirror(root: Path, to: Target, campaign: str | None = None) -> Mirrored:
    """Make a folder's current partitions (of one campaign) those of another place.

    Files go first, under names that say their content; then the manifest takes them all at once.
    What is there already is left alone.

    Raises
    ------
    UserError
        Where the other place cannot be written, or has a column with another type.
    """
    wanted = {
        path: entry
        for path, entry in read_manifest(root).partitions.items()
        if campaign is None or entry.values["campaign"] == campaign
    }
    for _ in range(_TRIES):
        there = load(to)
        changed = {
            path: entry
            for path, entry in wanted.items()
            if path not in there.partitions or there.partitions[path].version != entry.version
        }
        _refuse_conflicts(there, changed.values())
        entries = {path: _copied(root, to, there, entry) for path, entry in changed.items()}
        if _swapped(to, entries):
            return Mirrored(tuple(sorted(entries)), len(wanted) - len(entries))
    raise UserError("versions were removed while they were published; export again")


def collect_versions(target: Target, older_than_s: float, in_use: Collection[str] = ()) -> int:
    """Remove versions replaced more than so many seconds ago; return how many were removed.

    Without a lock: first the manifest says which folders go, so that nobody takes one of them
    for current any more; then they go. `in_use` are folders that stay.
    """
    text = target.read_manifest()
    if text is None:
        return 0
    found = dict(target.versions())
    doomed: set[str] = set()

    def mark(text: str | None) -> str | None:
        manifest = parse(text)
        now = time.time()
        kept = {*in_use, *(entry.folder for entry in manifest.partitions.values())}
        doomed.clear()
        doomed.update(
            folder
            for folder, changed in found.items()
            if folder not in kept
            and now - max(changed, manifest.retired.get(folder, changed)) >= older_than_s
        )
        recent = {
            folder: began
            for folder, began in manifest.removed.items()
            if now - began < KEEP_REMOVED_S or folder in found
        }
        retired = {one: since for one, since in manifest.retired.items() if one not in doomed}
        removed = {**recent, **dict.fromkeys(doomed, now)}
        if removed == manifest.removed and retired == manifest.retired:
            return None
        return text_of(manifest.model_copy(update={"removed": removed, "retired": retired}))

    target.change_manifest(mark)
    for folder in sorted(doomed):
        target.remove(folder)
    return len(doomed)


def _copied(root: Path, to: Target, there: Manifest, entry: Partition) -> Partition:
    """Put a partition's files where they are going to be; return its entry there."""
    folder = entry.folder
    number = 1
    while folder in there.removed:  # it may be on its way out: the same content, another name
        number += 1
        folder = f"{entry.folder}-{number}"
    to.put(folder, [root / name for name in entry.files])
    files = tuple(f"{folder}/{name.rpartition('/')[2]}" for name in entry.files)
    return entry.model_copy(update={"files": files})


def _swapped(to: Target, entries: dict[str, Partition]) -> bool:
    """Point the manifest at new versions; tell whether none was removed meanwhile."""
    if not entries:
        return True
    lost: list[str] = []

    def point(text: str | None) -> str | None:
        manifest = parse(text)
        lost[:] = [
            entry.folder
            for entry in entries.values()
            if entry.folder in manifest.removed or not to.exists(entry.folder)
        ]
        if lost:
            return None
        _refuse_conflicts(manifest, entries.values())
        retired = dict(manifest.retired)
        for path, entry in entries.items():
            old = manifest.partitions.get(path)
            if old is not None and old.folder != entry.folder:
                retired[old.folder] = time.time()
            retired.pop(entry.folder, None)
        partitions = {**manifest.partitions, **entries}
        return text_of(manifest.model_copy(update={"partitions": partitions, "retired": retired}))

    to.change_manifest(point)
    return not lost


def _refuse_conflicts(manifest: Manifest, entries: Collection[Partition]) -> None:
    """Raise UserError for columns that other campaigns there have with another type."""
    found = [
        message
        for entry in entries
        for message in conflicts(
            manifest,
            entry.table,
            entry.values,
            tuple(Column(name, kind, "") for name, kind in entry.columns),
        )
    ]
    if found:
        raise UserError("\n".join(dict.fromkeys(found)))
