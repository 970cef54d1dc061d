"""dos.x: its input, how it is started, and the table that it writes.

Its input is described on https://www.quantum-espresso.org/Doc/INPUT_DOS.html.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path, PurePosixPath

from fireworks_ext.engines.espresso.namelists import OUT_DIRECTORY, PREFIX
from fireworks_ext.engines.espresso.program import environment_of, pw_code
from fireworks_ext.engines.espresso.units import RYDBERG_EV
from schemas.profile import Code, Site
from schemas.protocols import Command

CODE = "dos"
DEFAULT_COMMAND = "dos.x"
INPUT = "dos.in"
STDOUT = "dos.out"
STDERR = "dos.err"
TABLE = f"{PREFIX}.dos"


@dataclass(frozen=True)
class DosTable:
    """Densities of states as dos.x wrote them.

    `states_per_ev` has one list for each spin channel, of as many numbers as there are energies.
    """

    energies_ev: list[float]
    states_per_ev: list[list[float]]
    integrated: list[float]


def dos_code(site: Site) -> Code:
    """Return the site's settings of dos.x; without any it is beside its pw.x."""
    named: Mapping[str, Code] = site.codes
    if CODE in named:
        return named[CODE]
    pw = pw_code(site)
    place = PurePosixPath(pw.command)
    command = str(place.with_name(DEFAULT_COMMAND)) if place.name != pw.command else DEFAULT_COMMAND
    return Code(command=command, environment=pw.environment)


def dos_command(site: Site) -> Command:
    """Return how dos.x is started: on one rank, because it takes seconds."""
    code = dos_code(site)
    return Command(
        argv=(code.command, *code.flags, "-in", INPUT),
        stdout=STDOUT,
        stderr=STDERR,
        environment=environment_of(code, ranks=1),
    )


def dos_text(step_ev: float, broadening_ev: float | None) -> str:
    """Return the input of dos.x; without a broadening it takes the tetrahedra of the run before."""
    lines = [
        "&DOS",
        f"  prefix = '{PREFIX}'",
        f"  outdir = './{OUT_DIRECTORY}'",
        f"  fildos = '{TABLE}'",
        f"  DeltaE = {step_ev!r}",
    ]
    if broadening_ev is not None:
        lines += ["  ngauss = 0", f"  degauss = {broadening_ev / RYDBERG_EV!r}"]
    return "\n".join([*lines, "/"]) + "\n"


def find_table(directory: Path) -> Path | None:
    """Return the table of a run directory, compressed or not; None where there is none."""
    places = (directory / TABLE, directory / f"{TABLE}.gz")
    return next((one for one in places if one.is_file()), None)


def read_table(path: Path) -> DosTable:
    """Return the table of dos.x: energy, density (up and down), integrated density.

    Raises
    ------
    OSError
        When it cannot be read.
    ValueError
        When it is no such table.
    """
    data = path.read_bytes()
    try:
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
    except (EOFError, zlib.error) as error:
        raise ValueError(f"{path.name} is cut off or damaged: {error}") from error
    rows = [
        [_float(word) for word in line.split()]
        for line in text.splitlines()
        if line.strip() and not line.lstrip().startswith("#")
    ]
    widths = {len(row) for row in rows}
    if len(widths) != 1 or not widths <= {3, 4}:
        raise ValueError(f"{path.name} is no table of three or four columns")
    columns = [list(column) for column in zip(*rows, strict=True)]
    return DosTable(columns[0], columns[1:-1], columns[-1])


def _float(word: str) -> float:
    """Return a number of Fortran, which drops the E of a long exponent: `0.1-101`."""
    try:
        number = float(word.lower().replace("d", "e"))
    except ValueError:
        if "-" not in word[1:]:
            raise
        return 0.0  # below 1e-99
    if not isfinite(number):
        raise ValueError(f"{word} is no number")
    return number
