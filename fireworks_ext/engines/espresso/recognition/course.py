"""Numbers that an output prints on its way: cells, positions, moments, energies, bands.

All searches are for literal texts from either end, so that a long output costs no more than its
size in memory.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fireworks_ext.engines.espresso.units import BOHR_ANG

_NUMBER = rb"[-+]?(?:\d+\.?\d*|\.\d+)(?:[EeDd][-+]?\d+)?"
_TRIPLE = re.compile(rb"(" + _NUMBER + rb")\s+(" + _NUMBER + rb")\s+(" + _NUMBER + rb")")
_CELL = re.compile(
    rb"CELL_PARAMETERS\s*[({]?\s*(alat|bohr|angstrom)?(?:\s*=\s*(" + _NUMBER + rb"))?.*\n"
    rb"((?:.*\n){3})"
)
_POSITIONS = re.compile(
    rb"ATOMIC_POSITIONS\s*[({]?\s*(alat|bohr|angstrom|crystal)?.*\n"
    rb"((?:[ \t]*[A-Za-z]\w*(?:[-_]\w+)?\s+" + _NUMBER + rb"[ \t]+.*\n?)+)"
)
_ALAT = re.compile(rb"lattice parameter \(a(?:lat|_0)\)\s*=\s*(" + _NUMBER + rb")")
_AXIS = re.compile(rb"a\([123]\) = \(\s*(.*?)\s*\)")
_SITE = re.compile(rb"^\s*\d+\s+([A-Za-z]\S*)\s+tau\(\s*\d+\)\s*=\s*\(\s*(.*?)\s*\)", re.MULTILINE)
START_BYTES = 1 << 20
"""The summary of the input comes first; a list of 10,000 atoms fits into this."""

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Geometry:
    """The cell and the atoms: labels and cartesian positions, in angstrom."""

    lattice_ang: tuple[Vector, ...]
    labels: tuple[str, ...]
    positions_ang: tuple[Vector, ...]


def number_after(text: bytes, words: bytes, *, last: bool = False) -> float | None:
    """Return the number behind words such as `number of electrons       =`, or None."""
    place = text.rfind(words) if last else text.find(words)
    if place < 0:
        return None
    found = re.compile(rb"\s*[=:<]?\s*(\S+)").match(text, place + len(words))
    return to_float(found[1]) if found else None


def to_float(word: bytes) -> float | None:
    """Return a number as Fortran prints it; None for stars and NaN."""
    try:
        number = float(word.lower().replace(b"d", b"e"))
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None


def first_geometry(out: bytes) -> Geometry | None:
    """Return the structure that the summary at the start prints."""
    head = out[:START_BYTES]
    alat = _ALAT.search(head)
    sites = head.find(b"positions (alat units)")
    if alat is None or sites < 0:
        return None
    unit = (to_float(alat[1]) or 0.0) * BOHR_ANG
    lattice = [_vector(axis, unit) for axis in _AXIS.findall(head, 0, sites)[:3]]
    # A verbose summary prints them again, in crystal coordinates.
    n_atoms = int(number_after(head, b"number of atoms/cell      =") or 0)
    end = head.find(b"number of k points", sites)
    atoms = _SITE.findall(head, sites, end if end >= 0 else len(head))[:n_atoms]
    return _geometry(lattice, [name for name, _ in atoms], [_vector(xyz, unit) for _, xyz in atoms])


def last_geometry(out: bytes) -> Geometry | None:
    """Return the last structure that a relaxation printed, or None where it printed none."""
    place = out.rfind(b"ATOMIC_POSITIONS")
    start = first_geometry(out)
    if place < 0 or start is None:
        return None
    block = _POSITIONS.match(out, place)
    alat = _ALAT.search(out, 0, START_BYTES)
    alat_ang = (to_float(alat[1]) or 0.0) * BOHR_ANG if alat else 0.0
    lattice: list[Vector | None] = list(start.lattice_ang)
    cell_place = out.rfind(b"CELL_PARAMETERS")
    if cell_place >= 0:
        cell = _CELL.match(out, cell_place)
        if cell is None:
            return None
        own = (to_float(cell[2]) or 0.0) * BOHR_ANG if cell[2] else alat_ang
        unit = {b"bohr": BOHR_ANG, b"angstrom": 1.0}.get(cell[1] or b"alat", own)
        alat_ang = own or alat_ang
        lattice = [_vector(row, unit) for row in cell[3].splitlines()]
    if block is None or any(axis is None for axis in lattice):
        return None
    rows = [line.split(None, 1) for line in block[2].splitlines() if line.strip()]
    labels = [row[0] for row in rows]
    kind = block[1] or b"alat"
    unit = {b"bohr": BOHR_ANG, b"angstrom": 1.0, b"crystal": 1.0}.get(kind, alat_ang)
    positions = [_vector(row[1], unit) for row in rows]
    if kind == b"crystal":
        positions = [_cartesian(xyz, lattice) for xyz in positions]
    return _geometry(lattice, labels, positions)


def _geometry(
    lattice: list[Vector | None], labels: list[bytes], positions: list[Vector | None]
) -> Geometry | None:
    cell = tuple(axis for axis in lattice if axis is not None)
    sites = tuple(xyz for xyz in positions if xyz is not None)
    if len(cell) != 3 or not sites or len(sites) != len(positions):  # noqa: PLR2004  (a cell)
        return None
    return Geometry(cell, tuple(name.decode("utf-8", "replace") for name in labels), sites)


def _vector(text: bytes, unit: float) -> Vector | None:
    found = _TRIPLE.search(text)
    if found is None:
        return None
    x, y, z = (to_float(word) for word in found.groups())
    return None if x is None or y is None or z is None else (x * unit, y * unit, z * unit)


def _cartesian(fractional: Vector | None, lattice: list[Vector | None]) -> Vector | None:
    a, b, c = lattice
    if fractional is None or a is None or b is None or c is None:
        return None
    u, v, w = fractional
    x, y, z = (u * a[i] + v * b[i] + w * c[i] for i in range(3))
    return x, y, z


def volumes_ang3(out: bytes) -> tuple[float, float] | None:
    """Return the volume of the cell at the start and the last one that was printed."""
    bohr3 = BOHR_ANG**3
    first = number_after(out, b"unit-cell volume          =")
    last = number_after(out, b"new unit-cell volume =", last=True)
    if not first or last is None:
        return None
    return first * bohr3, last * bohr3


def band_tops_ev(out: bytes) -> tuple[float, float] | None:
    """Return the lowest energy of the highest band over k-points, and the Fermi energy, in eV.

    None where the last self-consistency printed no bands (many k-points, low verbosity), no single
    Fermi energy, or two spins in a form that is not clear.
    """
    start = out.rfind(b"End of self-consistent calculation")
    fermi_place = out.find(b"the Fermi energy is", start)
    if start < 0 or fermi_place < 0:
        return None
    fermi = number_after(out[fermi_place:], b"the Fermi energy is")
    tops = []
    for block in out[start:fermi_place].split(b"bands (ev):")[1:]:
        numbers = re.match(rb"((?:\s*" + _NUMBER + rb"(?=[\s-]))+)", block)
        words = re.findall(_NUMBER, numbers[1]) if numbers else []
        tops.append(to_float(words[-1]) if words else None)
    found = [top for top in tops if top is not None]
    if fermi is None or not found or len(found) != len(tops):
        return None
    return min(found), fermi
