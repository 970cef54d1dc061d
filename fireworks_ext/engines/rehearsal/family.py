"""A pretended family of pseudopotentials: every element, with a valence and a cutoff.

The files hold a header and no potential. pw.x refuses them, as it should: a deck of a rehearsal is
not to be run.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from fireworks_ext.engines.espresso.elements import ATOMIC_NUMBER
from fireworks_ext.engines.espresso.pseudopotentials import FAMILY_FILE, data_directory

FAMILY = "rehearsal"
FUNCTIONAL = "rehearsal"
VERSION = 1
NOBLE_GASES = (0, 2, 10, 18, 36, 54, 86)
LARGEST_VALENCE = 16
"""Shells below that are full belong to the core."""
CUTOFF_RY = 40.0


def family_folder() -> Path:
    """Return the folder of the family, which is made at first use; others may make it meanwhile.

    It is not below the folder of families: no other engine is to find it.
    """
    return _made(data_directory().parent / "rehearsal" / f"pseudopotentials-{VERSION}")


@cache
def _made(folder: Path) -> Path:
    if (folder / FAMILY_FILE).is_file():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=".pseudopotentials-", dir=folder.parent))
    try:
        _write(aside)
        aside.chmod(0o755)
        try:
            aside.rename(folder)
        except OSError:
            if not (folder / FAMILY_FILE).is_file():
                raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return folder


def valence(element: str) -> int:
    """Return how many electrons a pretended pseudopotential has."""
    number = ATOMIC_NUMBER[element]
    core = max(full for full in NOBLE_GASES if full < number)
    electrons = number - core
    return electrons if electrons <= LARGEST_VALENCE else electrons - 14


def _write(folder: Path) -> None:
    from ruamel.yaml import YAML

    elements: dict[str, Any] = {}
    for element in ATOMIC_NUMBER:
        content = _header(element).encode()
        name = f"{element}.rehearsal.UPF"
        (folder / name).write_bytes(content)
        elements[element] = {
            "file": name,
            "md5": hashlib.md5(content, usedforsecurity=False).hexdigest(),
            "sha256": hashlib.sha256(content).hexdigest(),
            "ecutwfc_ry": CUTOFF_RY,
            "ecutwfc_loose_ry": CUTOFF_RY,
            "ecutwfc_tight_ry": CUTOFF_RY,
        }
    family = {
        "name": FAMILY,
        "functional": FUNCTIONAL,
        "source": "made up for rehearsals: headers without potentials",
        "elements": elements,
    }
    with (folder / FAMILY_FILE).open("w", encoding="utf-8") as file:
        YAML().dump(family, file)


def _header(element: str) -> str:
    return (
        "<!-- A pretended pseudopotential of a rehearsal: there is no potential in this file. -->\n"
        f'<UPF version="2.0.1">\n<PP_HEADER element="{element}" z_valence="{valence(element)}" '
        f'functional="{FUNCTIONAL}" is_ultrasoft="F" is_paw="F"/>\n</UPF>\n'
    )
