"""What a run leaves to go on from: files as long as those of pw.x, of the same form, and empty.

They are as whole as real ones to whoever looks at their form (sizes, records, the first numbers);
they hold holes, which take no room on the disk.
"""

# pathlib takes longer to import than all the rest together:
# ruff: noqa: PTH103, PTH123

from __future__ import annotations

import os
import re

OUT = "out"
SAVE = f"{OUT}/pwscf.save"
XML = f"{SAVE}/data-file-schema.xml"
DENSITY = f"{SAVE}/charge-density.dat"
COLLECTED = f"{SAVE}/wfc1.dat"
WAVEFUNCTIONS = f"{OUT}/pwscf.wfc1"
MIXING = f"{OUT}/pwscf.mix1"
ITERATION = f"{OUT}/pwscf.restart_scf"
POINT = f"{OUT}/pwscf.restart_k"

COMPLEX_BYTES = 16
LATTICE_BYTES = 72
MILLER_BYTES = 12
MOST_MIXED = 8
STAND_IN_BYTES = 64


def save(xml: str) -> None:
    """Write the file of results, and a charge density of the grid that it tells of."""
    os.makedirs(SAVE, exist_ok=True)
    with open(XML, "w", encoding="utf-8") as file:
        file.write(xml)
    n_vectors = _integer(xml, "ngm")
    head = b"".join(_int4(number) for number in (0, n_vectors, 1))
    with open(DENSITY, "wb") as file:
        _record(file.fileno(), len(head), head)
        for length in (LATTICE_BYTES, MILLER_BYTES * n_vectors, COMPLEX_BYTES * n_vectors):
            _record(file.fileno(), length)
    _hole(COLLECTED, STAND_IN_BYTES)


def save_iteration(xml: str, iteration: int, piece: int) -> None:
    """Write the middle of a cycle to self-consistency, and where in the play it was."""
    levels = _integer(xml, "nks") * _integer(xml, "nbnd")
    for path, first in ((ITERATION, iteration), (POINT, 0)):
        with open(path, "w", encoding="ascii") as file:
            file.write(f"{first} {piece} 0\n" + "0\n" * levels)
    _hole(WAVEFUNCTIONS, COMPLEX_BYTES * _integer(xml, "npwx") * levels)
    _hole(MIXING, 2 * min(iteration, MOST_MIXED) * COMPLEX_BYTES * _integer(xml, "ngms"))


def saved_piece() -> int | None:
    """Return where in the play a run that saved its state was, or None."""
    try:
        with open(ITERATION, encoding="ascii") as file:
            return int(file.readline().split()[1])
    except (OSError, ValueError, IndexError):
        return None


def _integer(xml: str, name: str) -> int:
    found = re.findall(rf"<{name}>\s*(\d+)\s*</{name}>", xml)
    return int(found[-1]) if found else 1


def _int4(number: int) -> bytes:
    return number.to_bytes(4, "little")


def _record(file: int, length: int, content: bytes = b"") -> None:
    """Write an unformatted Fortran record: its length before and after it."""
    os.write(file, _int4(length) + content)
    os.lseek(file, length - len(content), os.SEEK_CUR)
    os.write(file, _int4(length))


def _hole(path: str, length: int) -> None:
    with open(path, "wb") as file:
        file.truncate(length)
