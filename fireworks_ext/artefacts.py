"""Run directories: {root}/{key[:2]}/{key}/{attempt}/, and the records in them.

A record is written aside and renamed, so it is whole or absent. `order.json`
says what the directory was made for; `command.json` is there once everything else is that the
program starts with; `outcome.json` is there once the attempt has ended and holds
what the database is to know, so an outage of the database loses nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fireworks_ext import durable as files

ORDER = "order.json"
OUTCOME = "outcome.json"
COMMAND = "command.json"
ALIVE = "alive"
"""Touched every few seconds as long as somebody attends to the program that runs there."""


@dataclass(frozen=True)
class Artefacts:
    """The root of all run directories of a store."""

    root: Path

    def attempts(self, key: str) -> list[Path]:
        """Return the run directories of a key, the latest first."""
        folder = self._folder(key)
        if not folder.is_dir():
            return []
        numbered = [entry for entry in folder.iterdir() if entry.name.isdigit()]
        return sorted(numbered, key=lambda entry: int(entry.name), reverse=True)

    def directory(self, key: str, attempt: int) -> Path:
        """Return the run directory of an attempt, whether it exists or not."""
        return self._folder(key) / str(attempt)

    def make(self, key: str, attempt: int) -> Path:
        """Make the empty run directory of a new attempt."""
        directory = self.directory(key, attempt)
        directory.mkdir(parents=True)
        return directory

    def _folder(self, key: str) -> Path:
        return self.root / key[:2] / key


def write_record(
    directory: Path, name: str, record: Mapping[str, Any], *, durable: bool = True
) -> None:
    """Write a record of a run directory: whole, or not at all.

    `durable`: it outlives a machine that loses its power from now on.
    """
    files.write(directory / name, json.dumps(record, sort_keys=True), durable=durable)


def read_record(directory: Path, name: str) -> dict[str, Any] | None:
    """Return a record of a run directory, or None when there is none or it is not readable."""
    try:
        record = json.loads((directory / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None
