"""Recorded outputs, told of the candidate: its atoms and cell, and an energy and a gap of its own.

What is put in the place of recorded numbers is not physics; it lets tables of results look alive.
"""

from __future__ import annotations

import re
from math import isfinite

from fireworks_ext.engines.rehearsal.program.given_deck import GivenDeck, Row

TYPE_CHECKING = False  # as typing says it, which takes longer to import than all the rest together
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

BOHR_ANG = 0.529177210903  # CODATA 2018; the one of `engines.espresso.units`, which is slow to load
RYDBERG_PER_HARTREE = 2.0
HARTREE_EV = 27.211386245988  # CODATA 2018

Lattice = tuple[Row, Row, Row]
Rows = tuple[Row, ...]

DRIFT = 1e-4
"""Of all fractional coordinates alike, in a relaxation that fails: no symmetry is lost."""

_ENERGY = re.compile(
    r"((?:total energy|energy +(?:new|old)|enthalpy (?:new|old)|Final en\w+) *= *)(-?\d+\.\d+)( Ry)"
)
_LAST_ENERGY = re.compile(r"total energy +=\s*(-?\d+\.\d+) Ry")
_SIZE = re.compile(r"(number of atoms/cell +=\s+)\d+")
_FIRST_VOLUME = re.compile(r"(unit-cell volume +=\s+)(\d+\.\d+)( \(a\.u\.\)\^3)")
_MOVES = re.compile(
    r"new unit-cell volume = +(?P<volume>\d+\.\d+) a\.u\.\^3 [^\n]*"
    r"|CELL_PARAMETERS[^\n]*\n(?:[^\n]+\n){3}"
    r"|ATOMIC_POSITIONS[^\n]*\n(?:[A-Z]\w*(?: +-?\d+\.\d+){3}[^\n]*\n)+"
)
_XML_STRUCTURE = re.compile(r"<atomic_structure\b.*?</atomic_structure>", re.DOTALL)
_XML_STEP = re.compile(r"<step\b.*?</step>\s*", re.DOTALL)
_XML_CELL = re.compile(r"<a[123]>([^<]+)</a[123]>")
_XML_ENERGY = re.compile(r"(<etot>)([^<]+)(</etot>)")
_XML_LAST_ENERGY = re.compile(r"<output>.*<etot>([^<]+)</etot>", re.DOTALL)
_XML_FORCES = re.compile(r'<forces rank="2" dims="[^"]*" order="F">([^<]+)</forces>')
_XML_TASK = re.compile(r"(<calculation>)[^<]*(</calculation>)")
_XML_LEVELS = re.compile(r"(<eigenvalues[^>]*>)([^<]+)(</eigenvalues>)")
_XML_ELECTRONS = re.compile(r"<nelec>([^<]+)</nelec>")


class Retelling:
    """Whose story a recorded output becomes.

    `goal` is the cell, and the positions, that a relaxation that works ends in. Where it is None, a
    run that fails, the cell of the deck changes its volume as the recorded one did, and all atoms
    drift by the same little.
    """

    def __init__(
        self,
        task: str,
        deck: GivenDeck,
        energy_ry: float,
        goal: tuple[Lattice, Rows] | None = None,
        gap_ev: float | None = None,
    ) -> None:
        self.task = task
        self.deck = deck
        self.energy_ry = energy_ry
        self.goal = goal
        self.gap_ev = gap_ev

    def text(self, recorded: str) -> str:
        """Return a recorded standard output."""
        energies = _LAST_ENERGY.findall(recorded)
        shift = self.energy_ry - float(energies[-1]) if energies else 0.0
        first = _FIRST_VOLUME.search(recorded)
        ratio = volume(self.deck.lattice_ang) / BOHR_ANG**3 / float(first[2]) if first else 1.0
        told = _ENERGY.sub(
            lambda found: f"{found[1]}{float(found[2]) + shift:.8f}{found[3]}", recorded
        )
        told = _SIZE.sub(lambda found: f"{found[1]}{len(self.deck.labels)}", told)
        told = _FIRST_VOLUME.sub(
            lambda found: f"{found[1]}{float(found[2]) * ratio:.4f}{found[3]}", told
        )
        return self._moves(told, float(first[2]) if first else None)

    def _moves(self, told: str, first_volume: float | None) -> str:
        """Put the candidate's atoms where recorded ones moved."""
        n_cells = len(re.findall(r"^CELL_PARAMETERS", told, re.MULTILINE))
        n_places = len(re.findall(r"^ATOMIC_POSITIONS", told, re.MULTILINE))
        step, atoms, swelling = 0, 0, 1.0

        def moved(found: re.Match[str]) -> str:
            nonlocal step, atoms, swelling
            if found["volume"]:
                if first_volume:
                    swelling = float(found["volume"]) / first_volume
                now = volume(self.cell((step + 1) / max(n_cells, 1), swelling))
                bohr = now / BOHR_ANG**3
                return f"new unit-cell volume = {bohr:12.5f} a.u.^3 ({now:12.5f} Ang^3 )"
            if found[0].startswith("CELL"):
                step += 1
                rows = self.cell(step / n_cells, swelling)
                return "CELL_PARAMETERS (angstrom)\n" + _lines(rows, "{:14.9f}")
            atoms += 1
            share = atoms / max(n_places, 1)
            sites = zip(self.deck.labels, self.places(share), strict=True)
            lines = (f"{label:<8s}" + _lines([position], "{:20.10f}") for label, position in sites)
            return "ATOMIC_POSITIONS (crystal)\n" + "".join(lines)

        return _MOVES.sub(moved, told)

    def cell(self, share: float, swelling: float) -> Lattice:
        """Return the cell after a share of a relaxation, or one that swells like the recorded."""
        start = self.deck.lattice_ang
        if self.task != "vc-relax":
            return start
        if self.goal is None:
            return scaled(start, swelling ** (1 / 3))
        a, b, c = _between(start, self.goal[0], share)
        return a, b, c

    def places(self, share: float) -> Rows:
        """Return the fractional coordinates after a share of a relaxation."""
        start = self.deck.frac_coords
        if self.task == "scf":
            return start
        if self.goal is None:
            x = share * DRIFT
            return tuple((a + x, b + x, c + x) for a, b, c in start)
        return _between(start, self.goal[1], share)

    def xml(self, recorded: str, *, share: float = 1.0, converged: bool = True) -> str:
        """Return a recorded file of results, of a run that got through a share of its steps."""
        recorded = _so_far(recorded, share)
        told = _XML_STRUCTURE.sub(self._structures(recorded, share), recorded)
        last = _XML_LAST_ENERGY.search(recorded)
        if last and isfinite(float(last[1])):
            shift = self.energy_ry / RYDBERG_PER_HARTREE - float(last[1])
            told = _XML_ENERGY.sub(
                lambda found: f"{found[1]}{float(found[2]) + shift:.15e}{found[3]}", told
            )
        told = _XML_FORCES.sub(self._forces, told)
        told = _XML_TASK.sub(rf"\g<1>{self.task}\g<2>", told)
        for keyword in ("ecutwfc", "ecutrho"):
            cutoff = self.deck.number(keyword)
            if cutoff is not None:
                said = f"<{keyword}>{cutoff / RYDBERG_PER_HARTREE:.15e}</{keyword}>"
                told = re.sub(rf"<{keyword}>[^<]*</{keyword}>", said, told)
        if self.gap_ev is not None:
            told = opened(told, self.gap_ev)
        done = "<convergence_achieved>true</convergence_achieved>"
        return told if converged else told.replace(done, done.replace("true", "false"))

    def _structures(self, recorded: str, share: float) -> Callable[[re.Match[str]], str]:
        """Return what replaces one structure after the other: input, steps, output."""
        total, steps = len(_XML_STRUCTURE.findall(recorded)), iter(range(1, 10**9))
        first: list[float] = []

        def structure(found: re.Match[str]) -> str:
            rows = [[float(x) for x in text.split()] for text in _XML_CELL.findall(found[0])]
            first.append(volume(rows))
            before = (next(steps) - 1) / max(total - 1, 1)
            lattice = self.cell(share * before, first[-1] / first[0])
            return self._xml_structure(lattice, self.places(share * before))

        return structure

    def _xml_structure(self, lattice: Lattice, places: Rows) -> str:
        bohr = [[x / BOHR_ANG for x in row] for row in lattice]
        atoms = "".join(
            f'        <atom name="{label}" index="{number}">'
            + " ".join(f"{sum(x * bohr[i][j] for i, x in enumerate(place)):.15e}" for j in range(3))
            + "</atom>\n"
            for number, (label, place) in enumerate(
                zip(self.deck.labels, places, strict=True), start=1
            )
        )
        cell = "".join(
            f"        <a{number}>" + " ".join(f"{x:.15e}" for x in row) + f"</a{number}>\n"
            for number, row in enumerate(bohr, start=1)
        )
        alat = sum(x * x for x in bohr[0]) ** 0.5
        return (
            f'<atomic_structure nat="{len(self.deck.labels)}" alat="{alat:.12e}">\n'
            f"      <atomic_positions>\n{atoms}      </atomic_positions>\n"
            f"      <cell>\n{cell}      </cell>\n    </atomic_structure>"
        )

    def _forces(self, found: re.Match[str]) -> str:
        """Return as many forces as there are atoms: the recorded ones, over and over."""
        words = found[1].split()
        n_atoms = len(self.deck.labels)
        rows = [
            " ".join(words[3 * i : 3 * i + 3])
            for i in (number % max(len(words) // 3, 1) for number in range(n_atoms))
        ]
        lines = "\n".join(rows)
        return f'<forces rank="2" dims="3 {n_atoms}" order="F">\n{lines}\n</forces>'


def opened(xml: str, gap_ev: float) -> str:
    """Return results in which empty levels are moved so that the gap is this one."""
    electrons = _XML_ELECTRONS.search(xml)
    if electrons is None or "<lsda>true" in xml or "<noncolin>true" in xml:
        return xml
    filled = int(float(electrons[1])) // 2
    levels = [[float(x) for x in found[2].split()] for found in _XML_LEVELS.finditer(xml)]
    if not levels or any(len(point) <= filled for point in levels):
        return xml
    gap = min(point[filled] for point in levels) - max(point[filled - 1] for point in levels)
    shift = gap_ev / HARTREE_EV - gap
    points = iter(levels)

    def moved(found: re.Match[str]) -> str:
        point = next(points)
        told = [*point[:filled], *(level + shift for level in point[filled:])]
        return found[1] + " ".join(f"{level:.15e}" for level in told) + found[3]

    return _XML_LEVELS.sub(moved, xml)


def volume(rows: list[list[float]] | Lattice) -> float:
    """Return the volume of a cell given as three rows."""
    (ax, ay, az), (bx, by, bz), (cx, cy, cz) = rows
    cross = (by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx)
    return abs(ax * cross[0] + ay * cross[1] + az * cross[2])


def scaled(rows: Lattice, factor: float) -> Lattice:
    """Return a cell of the same shape, so many times as long."""
    a, b, c = ((factor * x, factor * y, factor * z) for x, y, z in rows)
    return a, b, c


def _between(start: Rows, end: Rows, share: float) -> Rows:
    """Return the rows that lie so far on the way from some to others."""
    return tuple(
        (u[0] + share * (v[0] - u[0]), u[1] + share * (v[1] - u[1]), u[2] + share * (v[2] - u[2]))
        for u, v in zip(start, end, strict=True)
    )


def _so_far(xml: str, share: float) -> str:
    """Return results with the first share of their steps."""
    steps = list(_XML_STEP.finditer(xml))
    kept = int(share * len(steps))
    if kept == len(steps):
        return xml
    return xml[: steps[kept].start()] + xml[steps[-1].end() :]


def _lines(rows: Iterable[Row], form: str) -> str:
    return "".join(" ".join(form.format(x) for x in row) + "\n" for row in rows)
