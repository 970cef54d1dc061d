"""What recovery changed in a run directory: a list in a file beside the input."""

from __future__ import annotations

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from schemas.result import Correction

RECOVERY_FILE = "recovery.json"

_CORRECTIONS = TypeAdapter(tuple[Correction, ...])


def corrections(directory: Path) -> tuple[Correction, ...]:
    """Return what recovery changed in a run directory, in order; none for a damaged record."""
    try:
        return _CORRECTIONS.validate_json((directory / RECOVERY_FILE).read_bytes())
    except (OSError, ValidationError):
        return ()


def record(directory: Path, *made: Correction) -> None:
    """Add corrections to the record, in one step."""
    beside = directory / f".{RECOVERY_FILE}.new"
    text = _CORRECTIONS.dump_json((*corrections(directory), *made), indent=1)
    beside.write_bytes(text + b"\n")
    beside.replace(directory / RECOVERY_FILE)
