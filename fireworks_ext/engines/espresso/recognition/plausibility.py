"""Results that no material has, and signs that a converged number is not to be trusted.

What fails a run and what only warns is decided here. A relaxation that runs away, an energy that
is no number and electrons that are missing make the result worthless: they fail. A material that
turns out not to be magnetic, a density with small negative tails, and forces that grew a little in
the basis of the final cell are valid answers: they warn, and a converged run stays a result.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import floor

from fireworks_ext.attempts.rule import Finding, Rule, finding
from fireworks_ext.engines.espresso.recognition import course
from fireworks_ext.engines.espresso.recognition.course import Geometry
from fireworks_ext.engines.espresso.recognition.radii import RADII_ANG
from fireworks_ext.engines.espresso.recognition.run import Run
from schemas.failure import FailureName as Name

SMALLEST_VOLUME_RATIO, LARGEST_VOLUME_RATIO = 0.25, 4.0
"""To the first cell. A prototype with lengths a third too large still shrinks to 0.3 of it."""
SMALLEST_DISTANCE_RATIO = 0.5
"""To the sum of covalent radii: half a bond is beyond what a terapascal does to a solid."""
COINCIDENCE_RATIO = 0.25
"""As above: nearer than that, pseudopotentials overlap so that no energy means anything."""
NEGATIVE_CHARGE_PER_ELECTRON = 0.01
"""The tails of ultrasoft and PAW densities are below: 0.004 in converged copper, run here."""
CHARGE_DEVIATION = 1e-5
"""Relative. pw.x prints the deviation from 1e-7 on, and stops by itself at 1e-3 (electrons.f90)."""
RENORMALISED_DEVIATION = 1e-3
"""Relative, of a density read from a file; a superposition of atoms is always renormalised."""
COLLAPSED_BOHR_PER_ATOM = 0.02
_MOST_ATOMS = 2000
"""Distances of more atoms than that would take longer than the rest."""

_PW = ("pw",)
VOLUME = Rule(
    Name.UNPHYSICAL_VOLUME,
    "output",
    words=f"the last printed volume is below {SMALLEST_VOLUME_RATIO:g} or above "
    f"{LARGEST_VOLUME_RATIO:g} times the first",
    programs=_PW,
)
DISTANCE = Rule(
    Name.UNPHYSICAL_DISTANCE,
    "output",
    words=f"two atoms of the last printed structure of a relaxation are nearer than "
    f"{SMALLEST_DISTANCE_RATIO:g} times the sum of their covalent radii",
    programs=_PW,
)
GIVEN_DISTANCE = Rule(
    Name.UNPHYSICAL_DISTANCE,
    "output",
    words="the same in the structure that was given",
    programs=_PW,
    severity="warns",
)
COINCIDENCE = Rule(
    Name.UNPHYSICAL_DISTANCE,
    "output",
    words=f"nearer than {COINCIDENCE_RATIO:g} times that sum in any structure",
    programs=_PW,
)
ENERGY = Rule(
    Name.ENERGY_NOT_FINITE,
    "output",
    words="the last total energy or scf accuracy is `NaN`, `Infinity` or stars",
)
NEGATIVE = Rule(
    Name.NEGATIVE_CHARGE_DENSITY,
    "output",
    words=f"`negative rho` of the last iteration above {NEGATIVE_CHARGE_PER_ELECTRON:g} per "
    "electron",
    severity="warns",
)
NOT_CONSERVED = Rule(
    Name.CHARGE_NOT_CONSERVED,
    "output",
    words="a density from a file is renormalised by more than "
    f"{RENORMALISED_DEVIATION:g}, or `integrated charge` of the last iteration is off by more "
    f"than {CHARGE_DEVIATION:g}",
    severity="warns",
)
COLLAPSE = Rule(
    Name.MAGNETIC_COLLAPSE,
    "output",
    words="it started with moments, and the last absolute magnetisation is below "
    f"{COLLAPSED_BOHR_PER_ATOM:g} Bohr magnetons per atom",
    programs=_PW,
    severity="warns",
)
RULES = (VOLUME, DISTANCE, GIVEN_DISTANCE, COINCIDENCE, ENERGY, NEGATIVE, NOT_CONSERVED, COLLAPSE)

_NEGATIVE_RHO = b"negative rho (up"
_NUMBERS = re.compile(r"[-+]?\d+\.?\d*(?:[EeDd][-+]?\d+)?")
_RENORMALISED = re.compile(rb"starting charge\s+(\S+), renormalised to\s+(\S+)")
_INTEGRATED = re.compile(rb"integrated charge\s*=\s*(\S+),\s*expected\s*=\s*(\S+)")
_NOT_FINITE = re.compile(rb"\*{4,}|nan|inf", re.IGNORECASE)
_ENERGY = re.compile(rb"total energy +=[^\n]*|estimated scf accuracy +<[^\n]*")
_ELEMENT = re.compile(r"([A-Z][a-z]?)")
_START_MOMENT = re.compile(
    rb"Starting magnetic structure[^\n]*\n[^\n]*\n((?:\s+\w\S*\s+-?\d\S*\n)+)"
)


def findings(run: Run) -> Iterator[Finding]:
    """Yield what is implausible in a run's output."""
    yield from _energy(run.out)
    yield from _negative(run.out)
    yield from _charge(run.out)
    if run.program == "pw":
        yield from _volume(run.out)
        yield from _distance(run)
        yield from _collapse(run)


def _volume(out: bytes) -> Iterator[Finding]:
    volumes = course.volumes_ang3(out)
    if volumes is None:
        return
    first, last = volumes
    ratio = last / first
    if not SMALLEST_VOLUME_RATIO <= ratio <= LARGEST_VOLUME_RATIO:
        yield finding(
            VOLUME,
            f"the cell went from {first:.1f} to {last:.1f} cubic angstrom",
            first_ang3=first,
            last_ang3=last,
            ratio=ratio,
        )


def _distance(run: Run) -> Iterator[Finding]:
    last = course.last_geometry(run.out)
    given = last is None
    geometry = course.first_geometry(run.out) if last is None else last
    near = nearest(geometry) if geometry is not None else None
    if near is None or near[0] >= SMALLEST_DISTANCE_RATIO:
        return
    ratio, distance_ang, pair = near
    rule = GIVEN_DISTANCE if given else DISTANCE
    yield finding(
        COINCIDENCE if ratio < COINCIDENCE_RATIO else rule,
        f"{'-'.join(pair)} are {distance_ang:.2f} angstrom apart",
        distance_ang=distance_ang,
        elements=list(pair),
        ratio=ratio,
    )


def nearest(geometry: Geometry) -> tuple[float, float, tuple[str, str]] | None:
    """Return the smallest distance by covalent radii: ratio, angstrom, elements; None if unknown.

    Images in the 26 cells around are looked at, after the atoms are moved into the cell.
    """
    import numpy as np

    elements = [found[1] if (found := _ELEMENT.match(name)) else "" for name in geometry.labels]
    lattice = np.array(geometry.lattice_ang)
    known = all(element in RADII_ANG for element in elements)
    if not known or len(elements) > _MOST_ATOMS or abs(np.linalg.det(lattice)) < 1e-9:  # noqa: PLR2004
        return None
    radii = np.array([RADII_ANG[element] for element in elements])
    fractional = np.linalg.solve(lattice.T, np.array(geometry.positions_ang).T).T % 1.0
    shifts = np.stack(np.meshgrid(*[(-1, 0, 1)] * 3, indexing="ij"), -1).reshape(-1, 3)
    best = (float("inf"), 0.0, ("", ""))
    for one in range(len(elements)):
        between = fractional[one:, None, :] - fractional[one] + shifts
        distances = np.linalg.norm(between @ lattice, axis=-1)
        distances[0, floor(len(shifts) / 2)] = float("inf")  # the atom itself
        ratios = distances / (radii[one:, None] + radii[one])
        other, image = np.unravel_index(int(np.argmin(ratios)), ratios.shape)
        if ratios[other, image] < best[0]:
            pair = (elements[one], elements[one + int(other)])
            best = (float(ratios[other, image]), float(distances[other, image]), pair)
    return best


def _energy(out: bytes) -> Iterator[Finding]:
    """Yield an energy or an accuracy of the last iteration that is no number."""
    start = max(out.rfind(b"iteration #"), 0)
    lines = _ENERGY.findall(out, start) or _ENERGY.findall(out, out.rfind(b"iteration #", 0, start))
    for line in lines:
        if _NOT_FINITE.search(re.split(rb"[=<]", line, maxsplit=1)[1]):
            yield finding(ENERGY, line.decode("utf-8", "replace"))
            return


def _negative(out: bytes) -> Iterator[Finding]:
    electrons = course.number_after(out, b"number of electrons       =")
    place = out.rfind(_NEGATIVE_RHO)
    if place < 0 or not electrons:
        return
    line = out[place : out.find(b"\n", place)].decode("utf-8", "replace")
    values = [float(word.replace("D", "E")) for word in _NUMBERS.findall(line.partition(":")[2])]
    share = sum(values) / electrons
    if share > NEGATIVE_CHARGE_PER_ELECTRON:
        yield finding(NEGATIVE, line, negative_electrons=sum(values), per_electron=share)


def _charge(out: bytes) -> Iterator[Finding]:
    start = out.rfind(b"iteration #")
    pairs = []
    if b"The initial density is read from file" in out:
        pairs += [(RENORMALISED_DEVIATION, one) for one in _RENORMALISED.findall(out)]
    if start >= 0:
        pairs += [(CHARGE_DEVIATION, one) for one in _INTEGRATED.findall(out, start)]
    for limit, words in pairs:
        found, expected = (course.to_float(word) for word in words)
        if found is None or not expected:
            continue
        off = abs(found - expected) / abs(expected)
        if off > limit:
            message = f"{found:g} electrons instead of {expected:g}"
            yield finding(NOT_CONSERVED, message, found=found, expected=expected, relative=off)
            return


def _collapse(run: Run) -> Iterator[Finding]:
    begun = _START_MOMENT.search(run.out, 0, course.START_BYTES)
    last = course.number_after(run.out, b"absolute magnetization    =", last=True)
    atoms = course.number_after(run.out, b"number of atoms/cell      =")
    if begun is None or last is None or not atoms or not run.job_done:
        return
    moments = [course.to_float(line.split()[-1]) for line in begun[1].splitlines() if line.strip()]
    if any(moments) and last / atoms < COLLAPSED_BOHR_PER_ATOM:
        yield finding(
            COLLAPSE,
            f"the absolute magnetisation ended at {last:.2f} Bohr magnetons per cell",
            absolute_magnetisation_bohr=last,
        )
