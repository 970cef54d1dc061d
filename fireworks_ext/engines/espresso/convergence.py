"""Measures the cutoffs that an element's pseudopotential needs, with pw.x itself.

One atom in a face-centred cubic cell, the neighbours at a distance that bonds have, is computed at
rising cutoffs until three in a row agree. A cutoff is converged when it and all higher ones agree
with the highest, in energy and in pressure. The pressure counts as in a solid with
`VOLUME_PER_ATOM_ANG3`, because an error of the basis adds as pressure times volume, atom by atom.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from fireworks_ext.engines.espresso.deck import make_deck
from fireworks_ext.engines.espresso.output import parse
from fireworks_ext.engines.espresso.params import EspressoParams
from fireworks_ext.engines.espresso.program import pw_command
from fireworks_ext.engines.espresso.pseudopotentials import InstalledFamily
from fireworks_ext.engines.espresso.rundir import place_pseudopotentials, write_deck
from schemas.errors import UserError
from schemas.failure import Failure
from schemas.model import Model
from schemas.profile import Site
from schemas.structure import Structure

TOLERANCES = MappingProxyType({"loose": (20.0, 3.0), "standard": (5.0, 1.0), "tight": (1.0, 0.3)})
"""Accuracy -> largest difference to the reference: meV per atom, GPa."""

LADDER_RY = (
    *(20.0, 25.0, 30.0, 40.0, 50.0, 60.0, 80.0, 100.0),
    *(120.0, 150.0, 180.0, 220.0, 260.0, 320.0, 400.0),
)
VOLUME_PER_ATOM_ANG3 = 15.0
AGREEING_POINTS = 3
SHORTEST_BOND_ANG = 2.0
BOND_PER_RADII = 1.1
"""Neighbours are a little further apart than twice the atomic radius."""
_KMESH = (2, 2, 2)


class Point(Model):
    """One calculation of the series."""

    ecutwfc_ry: float
    energy_ev_per_atom: float
    pressure_gpa: float
    volume_ang3_per_atom: float


@dataclass(frozen=True)
class Measurement:
    """What was measured for one element."""

    element: str
    md5: str
    program: str
    points: tuple[Point, ...]
    cutoffs_ry: dict[str, float | None]
    dual: float


def sample_cell(element: str) -> Structure:
    """Return one atom in a face-centred cubic cell of bond-like density."""
    from pymatgen.core import Element

    radius = float(Element(element).atomic_radius or 1.5)
    side = max(SHORTEST_BOND_ANG, 2 * BOND_PER_RADII * radius) / 2**0.5
    return Structure(
        lattice_ang=((0.0, side, side), (side, 0.0, side), (side, side, 0.0)),
        species=(element,),
        frac_coords=((0.0, 0.0, 0.0),),
    )


def converge(
    element: str,
    family: InstalledFamily,
    site: Site,
    folder: Path,
    ladder_ry: Sequence[float] = LADDER_RY,
) -> Measurement:
    """Measure the cutoffs of one element, one run per cutoff, in subfolders of `folder`.

    Raises
    ------
    UserError
        When pw.x fails for one of the cutoffs.
    """
    dual = 4.0 if family.header(element).kind == "norm-conserving" else 8.0
    points, program = [], ""
    for ecutwfc in ladder_ry:
        directory = folder / f"{family.family.name}-{element}-{ecutwfc:g}"
        point, program = _run(element, family, site, directory, ecutwfc_ry=ecutwfc, dual=dual)
        points.append(point)
        if settled(points):
            break
    return Measurement(
        element=element,
        md5=family.entry(element).md5,
        program=program,
        points=tuple(points),
        cutoffs_ry={accuracy: converged(points, *TOLERANCES[accuracy]) for accuracy in TOLERANCES},
        dual=dual,
    )


def settled(points: Sequence[Point]) -> bool:
    """Tell whether the last points agree to tight accuracy, so that higher ones tell no more."""
    last = points[-AGREEING_POINTS:]
    return len(last) == AGREEING_POINTS and converged(last, *TOLERANCES["tight"]) == (
        last[0].ecutwfc_ry
    )


def converged(points: Sequence[Point], energy_mev: float, pressure_gpa: float) -> float | None:
    """Return the lowest cutoff from which on all points agree with the last, or None.

    The last point does not count: nothing shows that it is converged itself.
    """
    reference, found = points[-1], None
    for point in reversed(points[:-1]):
        off_mev = 1000 * abs(point.energy_ev_per_atom - reference.energy_ev_per_atom)
        off_gpa = abs(point.pressure_gpa - reference.pressure_gpa) * (
            point.volume_ang3_per_atom / VOLUME_PER_ATOM_ANG3
        )
        if off_mev > energy_mev or off_gpa > pressure_gpa:
            break
        found = point.ecutwfc_ry
    return found


def _run(
    element: str,
    family: InstalledFamily,
    site: Site,
    directory: Path,
    *,
    ecutwfc_ry: float,
    dual: float,
) -> tuple[Point, str]:
    params = EspressoParams(
        pseudopotentials=family.family.name,
        ecutwfc_ry=ecutwfc_ry,
        ecutrho_ry=dual * ecutwfc_ry,
        kmesh=_KMESH,
        kshift=(1, 1, 1),
        degauss_ry=0.02,
        valences={element: family.header(element).valence},
    )
    files = {element: family.path(element).name}
    deck = make_deck("scf", sample_cell(element), params, files=files)
    directory.mkdir(parents=True, exist_ok=True)
    write_deck(deck, directory)
    place_pseudopotentials(deck, family, directory)
    command = pw_command(site, ranks=1)
    with (directory / command.stdout).open("w") as out, (directory / command.stderr).open("w") as e:
        subprocess.run(
            command.argv,
            cwd=directory,
            stdout=out,
            stderr=e,
            env={**os.environ, **command.environment},
            check=False,
        )
    result = parse("scf", directory)
    if isinstance(result, Failure):
        raise UserError(f"{directory}: pw.x failed: {result.name}: {result.message}")
    values = {**result.values, "ecutwfc_ry": ecutwfc_ry}
    point = Point.model_validate({name: values[name] for name in Point.model_fields})
    return point, result.program


def measurement_rows(
    measurements: Sequence[Measurement],
) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield element and row of each measurement, in the form of `cutoffs.yaml`."""
    for found in measurements:
        standard = found.cutoffs_ry["standard"]
        yield (
            found.element,
            {
                "md5": found.md5,
                "ecutwfc_ry": standard,
                "ecutrho_ry": standard and standard * found.dual,
                "ecutwfc_loose_ry": found.cutoffs_ry["loose"],
                "ecutwfc_tight_ry": found.cutoffs_ry["tight"],
                "reference_ry": found.points[-1].ecutwfc_ry,
                "program": found.program,
            },
        )
