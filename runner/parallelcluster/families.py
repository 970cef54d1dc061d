"""Puts families of pseudopotentials on a shared file system: `python -m ... HOME [FAMILY ...]`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from fireworks_ext.engines.espresso import pseudopotentials
from schemas.errors import ExitCode, UserError
from schemas.profile import Site

FOLDER = "pseudopotentials"


def stage(home: Path, names: Sequence[str]) -> dict[str, int]:
    """Make the families below `home` that are not there, and check the files of all of them.

    Returns
    -------
    How many elements each family has.

    Raises
    ------
    UserError
        For a family that nobody knows, or a file that is not the one that its family names.
    """
    os.environ[pseudopotentials.DATA_DIRECTORY_VARIABLE] = str(home)
    site = Site(pseudopotentials=(home / FOLDER,))
    counts = {}
    for name in dict.fromkeys([*names, *pseudopotentials.installed(site)]):
        family = pseudopotentials.load(name, site)
        for element in family.family.elements:
            family.sha256(element)
        counts[name] = len(family.family.elements)
    return counts


def main(arguments: Sequence[str]) -> int:
    """Stage what the command line names, and say what there is."""
    home, *names = arguments
    try:
        counts = stage(Path(home), names)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return ExitCode.BAD_INPUT
    for name, elements in counts.items():
        sys.stdout.write(f"{name}: {elements} elements\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
