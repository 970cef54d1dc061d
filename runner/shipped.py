"""The campaign files that ship with the package."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from json import dumps
from pathlib import Path

from runner.schema import language_schema
from schemas.errors import UserError, suggestion
from schemas.reports import Shipped

SUFFIX = ".yaml"
SCHEMA = "campaign.schema.json"
"""What the shipped files name for editors; written beside them."""


def listing() -> tuple[Shipped, ...]:
    """Return what ships, by name; the title is the first line of the file's head comment."""
    return tuple(
        Shipped(name=name, title=_title(source.read_text("utf-8")), file=f"{name}{SUFFIX}")
        for name, source in sorted(_sources().items())
    )


def write(name: str, output: Path | None, *, force: bool) -> Path:
    """Write a shipped campaign file and return where.

    Raises
    ------
    UserError
        When there is no such campaign, or the file exists and is not to be replaced.
    """
    sources = _sources()
    if name not in sources:
        raise UserError(f"no campaign '{name}' ships{suggestion(name, sorted(sources))}")
    target = output or Path(f"{name}{SUFFIX}")
    if target.exists() and not force:
        raise UserError(f"{target} exists; give another name with --output, or --force")
    schema = target.with_name(SCHEMA)
    try:
        target.write_text(sources[name].read_text("utf-8"), encoding="utf-8")
        if not schema.exists():
            schema.write_text(dumps(language_schema(), indent=1), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{target} cannot be written: {error.strerror}") from error
    return target


def _sources() -> dict[str, Traversable]:
    return {
        entry.name.removesuffix(SUFFIX): entry
        for entry in files("campaigns").iterdir()
        if entry.name.endswith(SUFFIX)
    }


def _title(text: str) -> str:
    """Return the first line of the head comment that is not meant for editors."""
    for line in text.splitlines():
        comment = line.lstrip("# ").strip()
        if line.startswith("#") and comment and not comment.startswith("yaml-language-server"):
            return comment
    return ""
