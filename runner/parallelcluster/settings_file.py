"""A file of settings, with every mistake in it."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from runner.parallelcluster.rules import problems
from runner.parallelcluster.settings import ClusterSettings
from runner.validation import check
from schemas.document import read_file
from schemas.errors import InvalidFile

PACKAGE = "runner.parallelcluster"
EXAMPLE = "example.yaml"
BOOTSTRAP = "bootstrap.sh"


def read_settings(path: Path) -> ClusterSettings:
    """Return the settings in a file.

    Raises
    ------
    InvalidFile
        With every mistake of the file as `file:line: path: message`, sorted by line.
    UserError
        When it cannot be read.
    """
    document, _ = read_file(path)
    checked = check(ClusterSettings, document.data)
    found = checked.problems if checked.value is None else problems(checked.value)
    document.check(found)
    if checked.value is None:  # cannot be: without a value there is a problem
        raise InvalidFile([f"{path}:1: no settings of a cluster"])
    return checked.value


def shipped(name: str) -> str:
    """Return a text that ships: EXAMPLE or BOOTSTRAP."""
    return files(PACKAGE).joinpath(name).read_text("utf-8")
