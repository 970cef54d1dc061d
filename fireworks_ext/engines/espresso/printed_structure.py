"""The structures that pw.x printed on its way: what is left where its files are damaged."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from fireworks_ext.engines.espresso.pw_input import PwInput
from fireworks_ext.engines.espresso.units import BOHR_ANG

Rows = list[list[float]]

_CARD = re.compile(
    r"^[ \t]*(CELL_PARAMETERS|ATOMIC_POSITIONS)[ \t]*[({]?[ \t]*(\w*)[ \t]*(?:=[ \t]*([-+.\d]+))?",
    re.MULTILINE,
)
_READ_BYTES = 4 * 1024**2
"""From the end of an output: some hundred structures, or one of ten thousand atoms."""
DIMENSIONS = 3


@dataclass(frozen=True)
class Printed:
    """A structure as it was printed."""

    lattice_ang: Rows
    labels: tuple[str, ...]
    frac_coords: Rows


def printed_structures(path: Path, deck: PwInput) -> list[Printed]:
    """Return the structures at the end of an output, in order; one that is cut off is left out.

    Parameters
    ----------
    path
        The output; a file that is missing, or no text, has no structures.
    deck
        The input that belongs to it: its cell is used until another one is printed.
    """
    lattice, labels = deck.lattice_ang(), deck.labels()
    if lattice is None or not labels:
        return []
    cell, alat_ang = [list(vector) for vector in lattice], _alat_ang(deck)
    found: list[Printed] = []
    text = _end_of(path)
    for card in _CARD.finditer(text):
        body = text[card.end() :].split("\n", 1)
        lines = body[1] if len(body) > 1 else ""
        if card[1] == "CELL_PARAMETERS":
            alat = float(card[3]) * BOHR_ANG if card[3] else alat_ang
            rows = _table(lines, DIMENSIONS, 0)
            cell = _scaled(rows, _unit(card[2], alat)) if rows else cell
            continue
        rows = _table(lines, len(labels), 1)
        if (
            rows is None
            or tuple(line.split()[0] for line in lines.split("\n", len(labels))[:-1]) != labels
        ):
            continue
        if card[2] == "crystal":
            coordinates = rows
        else:
            coordinates = to_fractions(_scaled(rows, _unit(card[2], alat_ang)), cell)
        found.append(Printed(cell, labels, coordinates))
    return found


def _end_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _READ_BYTES))
            return file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""


def _table(text: str, n_rows: int, column: int) -> Rows | None:
    """Return three numbers of each of the next lines, or None unless all lines are whole."""
    lines = text.split("\n", n_rows)
    if len(lines) <= n_rows:
        return None
    rows = []
    for line in lines[:n_rows]:
        try:
            row = [float(word) for word in line.split()[column : column + DIMENSIONS]]
        except ValueError:
            return None
        if len(row) != DIMENSIONS or not all(isfinite(x) for x in row):
            return None
        rows.append(row)
    return rows


def _unit(option: str, alat_ang: float) -> float:
    """Return the length in angstrom that numbers under a card's option are multiples of."""
    return {"angstrom": 1.0, "bohr": BOHR_ANG}.get(option, alat_ang)


def _scaled(rows: Rows, unit: float) -> Rows:
    return [[unit * x for x in row] for row in rows]


def _alat_ang(deck: PwInput) -> float:
    bohr, angstrom = deck.get("celldm(1)"), deck.get("a")
    if isinstance(bohr, (int, float)) and bohr:
        return bohr * BOHR_ANG
    if isinstance(angstrom, (int, float)) and angstrom:
        return float(angstrom)
    lattice = deck.lattice_ang() or ((1.0,),)
    return float(sum(x * x for x in lattice[0]) ** 0.5)


def to_fractions(cartesian: Rows, lattice: Rows) -> Rows:
    """Return fractional coordinates, in the same order.

    Parameters
    ----------
    cartesian
        (n_atoms, 3), in the unit of the lattice.
    lattice
        (3, 3), rows are vectors.

    Raises
    ------
    ValueError
        For a cell without volume.
    """
    a, b, c = lattice
    normals = [_cross(b, c), _cross(c, a), _cross(a, b)]
    volume = _dot(a, normals[0])
    if not volume:
        raise ValueError("the cell has no volume")
    return [[_dot(row, normal) / volume for normal in normals] for row in cartesian]


def _cross(u: list[float], v: list[float]) -> list[float]:
    return [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]]


def _dot(u: list[float], v: list[float]) -> float:
    return sum(x * y for x, y in zip(u, v, strict=True))
