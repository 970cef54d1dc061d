"""Goedecker-Teter-Hutter potentials: from CP2K's table to the `.gth` files that pw.x reads.

The file is ABINIT's format 10, which pw.x recognises by the suffix `.gth`.

References
----------
Goedecker, Teter, Hutter, Phys. Rev. B 54, 1703 (1996), doi:10.1103/PhysRevB.54.1703;
Hartwigsen, Goedecker, Hutter, Phys. Rev. B 58, 3641 (1998), doi:10.1103/PhysRevB.58.3641;
Krack, Theor. Chem. Acc. 114, 145 (2005), doi:10.1007/s00214-005-0655-y.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

PSPXC = {"pbe": 11}
"""ABINIT's number of a functional, as pw.x reads it from the third line."""

_NAME = re.compile(r"^([A-Z][a-z]?)\s+GTH-([A-Za-z0-9]+)-q(\d+)\b")


@dataclass(frozen=True)
class Channel:
    """Projectors of one angular momentum: radius in bohr, upper triangle of h by rows."""

    radius_bohr: float
    rows: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class GthPotential:
    """One entry of the table, in the units of its papers (bohr, hartree)."""

    element: str
    functional: str
    valence: int
    radius_bohr: float
    local: tuple[float, ...]
    channels: tuple[Channel, ...]


def read_table(text: str, functional: str) -> Iterator[GthPotential]:
    """Yield the potentials of one functional, in the order of the table.

    Parameters
    ----------
    functional
        As the table writes it, case ignored: `pbe`, `pade`.
    """
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    starts = [index for index, line in enumerate(lines) if line[0].isalpha()]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        name = _NAME.match(lines[start])
        if name and name[2].lower() == functional.lower():
            numbers = " ".join(lines[start + 2 : end]).split()
            yield _entry(name[1], name[2].lower(), int(name[3]), iter(numbers))


def _entry(element: str, functional: str, valence: int, numbers: Iterator[str]) -> GthPotential:
    radius = float(next(numbers))
    local = tuple(float(next(numbers)) for _ in range(int(next(numbers))))
    channels = []
    for _ in range(int(next(numbers))):
        channel_radius, size = float(next(numbers)), int(next(numbers))
        rows = tuple(tuple(float(next(numbers)) for _ in range(size - row)) for row in range(size))
        channels.append(Channel(channel_radius, rows))
    return GthPotential(element, functional, valence, radius, local, tuple(channels))


def gth_text(potential: GthPotential, atomic_number: int) -> str:
    """Return the `.gth` file of a potential.

    Channels with l > 0 end with the spin-orbit coefficients, which these potentials do not have:
    zeros stand there, because the format cannot leave them out. A purely local potential gets
    one channel without projectors, because pw.x reads on past the end of a file that has none.
    """
    channels = potential.channels or (Channel(potential.radius_bohr, ()),)
    lines = [
        f"{potential.element} GTH-{potential.functional.upper()}-q{potential.valence}",
        f"{atomic_number} {potential.valence} 0",
        f"10 {PSPXC[potential.functional]} {len(channels) - 1} 0 2001 0",
        _numbers(potential.radius_bohr, len(potential.local), *potential.local),
        str(len(channels)),
    ]
    for momentum, channel in enumerate(channels):
        first, *rest = channel.rows or ((),)
        lines.append(_numbers(channel.radius_bohr, len(channel.rows), *first))
        lines += [_numbers(*row) for row in rest]
        if momentum > 0:
            lines += [_numbers(*(0.0 for _ in row)) for row in channel.rows]
    return "\n".join(lines) + "\n"


def _numbers(*values: float) -> str:
    return " ".join(str(v) if isinstance(v, int) else f"{v:.8f}" for v in values)
