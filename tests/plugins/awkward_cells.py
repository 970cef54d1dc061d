"""Cells that are easily written wrong, published as the results of a campaign."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from itertools import product
from math import cos, radians, sin, sqrt
from pathlib import Path
from typing import Any

from runner.export.parquet import publish
from schemas.structure import Structure, Vector
from schemas.tables import results_columns

Lattice = tuple[Vector, Vector, Vector]
START = datetime(2026, 5, 1)  # noqa: DTZ001  (tables hold naive UTC)
RANDOM_CELLS = 30
BASE = radians(30)


def awkward_cells() -> dict[str, Structure]:
    """Return them by what is awkward about them."""
    quartz = _hexagonal(4.9137, 5.4047)
    a, b, c = quartz
    tilted: Lattice = ((4.1, 0.3, -0.2), (-1.7, 5.2, 0.9), (0.4, -2.1, 6.3))
    pair = ("Na", "Cl")
    ends: tuple[Vector, Vector] = ((0, 0, 0), (0.5, 0.25, 0.125))
    grid = [(x / 6, y / 6, z / 6) for x, y, z in product(range(6), repeat=3)]
    cells = {
        "cubic": _cell(_box(3.905), ("Sr", "Ti", "O", "O", "O"), _PEROVSKITE),
        "one atom": _cell(((0, 1.8, 1.8), (1.8, 0, 1.8), (1.8, 1.8, 0)), ("Cu",), ends[:1]),
        "hexagonal": _cell(_hexagonal(3.25, 5.21), ("Zn", "Zn", "O", "O"), _WURTZITE),
        "hexagonal by 60 degrees": _cell(
            ((3.25, 0, 0), (1.625, 1.625 * sqrt(3), 0), (0, 0, 5.21)), pair, ends
        ),
        "triclinic": _cell(tilted, pair, ends),
        "sharp angles": _cell(_rhombohedral(6.0, 20.0), pair, ends),
        "flat angles": _cell(_rhombohedral(6.0, 117.5), pair, ends),
        "outside of the cell": _cell(
            tilted,
            ("K", "Br", "Br", "I", "I"),
            (
                (-0.25, 1.5, -1.75),
                (-1e-9, 1.0000000001, 0.5),
                (0.5, -1e-5, 1.00001),
                (0.3333333333, -0.6666666667, 2.25),
                (-1e-17, 0.75, 1e-7),
            ),
        ),
        "chiral": _cell(quartz, _SILICA, _QUARTZ),
        "chiral and left-handed": _cell((b, a, c), _SILICA, [(y, x, z) for x, y, z in _QUARTZ]),
        "left-handed by one vector": _cell((a, b, (0, 0, -c[2])), _SILICA, _QUARTZ),
        "long": _cell(((2.9, 0, 0), (0, 2.9, 0), (0.1, -0.2, 93.7)), pair, ends),
        "carbon and hydrogen": _cell(_box(8.0), ("H", "C", "Br", "H", "H"), _METHYL),
        "many atoms": _cell(_box(17.0), ("Mg", "O") * (len(grid) // 2), grid),
        "charged, with moments": Structure(
            lattice_ang=_box(4.2),
            species=("Fe", "O"),
            frac_coords=ends,
            moments_bohr=(4.5, -0.1),
            charge=-1.0,
        ),
    }
    rng = random.Random(11)
    return cells | {f"random {at}": _by_chance(rng) for at in range(RANDOM_CELLS)}


def publish_cells(root: Path, campaign: str) -> dict[str, Structure]:
    """Publish each cell as the ok result of a candidate of that name; return them."""
    cells = awkward_cells()
    rows: list[dict[str, Any]] = [
        {
            "candidate_id": name,
            "formula": cell.formula,
            "elements": list(cell.elements),
            "n_atoms": cell.n_atoms,
            "outcome": "ok",
            "finished_at": START + timedelta(minutes=at),
            "above_hull_ev_per_atom": at / 1000,
            "structure": cell.model_dump(mode="json"),
        }
        for at, (name, cell) in enumerate(cells.items())
    ]
    rows.append({"candidate_id": "failed", "outcome": "failed", "structure": rows[0]["structure"]})
    rows.append({"candidate_id": "without", "outcome": "ok"})
    partition = {"campaign": campaign, "stage": "relax"}
    publish(root, "results", partition, rows, results_columns())
    return cells


_PEROVSKITE = ((0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5))
_WURTZITE = ((1 / 3, 2 / 3, 0), (2 / 3, 1 / 3, 0.5), (1 / 3, 2 / 3, 0.382), (2 / 3, 1 / 3, 0.882))
_SILICA = ("Si",) * 3 + ("O",) * 6
# P3_1 21, Wyckoff positions 3a and 6c; Levien, Prewitt, Weidner, Am. Mineral. 65, 920 (1980).
_U, _X, _Y, _Z = 0.4697, 0.4133, 0.2672, 0.2145
_QUARTZ = (
    (_U, 0, 1 / 3), (0, _U, 2 / 3), (-_U, -_U, 0),
    (_X, _Y, _Z), (-_Y, _X - _Y, _Z + 1 / 3), (_Y - _X, -_X, _Z + 2 / 3),
    (_Y, _X, -_Z), (_X - _Y, -_Y, -_Z + 2 / 3), (-_X, _Y - _X, -_Z + 1 / 3),
)  # fmt: skip
_METHYL = ((0.1, 0.1, 0.1), (0, 0, 0), (0.24, 0, 0), (-0.1, 0.1, 0), (0, -0.1, 0.1))


def _cell(lattice: Lattice, species: Any, coordinates: Any) -> Structure:
    return Structure(
        lattice_ang=lattice, species=tuple(species), frac_coords=tuple(map(tuple, coordinates))
    )


def _box(a: float) -> Lattice:
    return ((a, 0, 0), (0, a, 0), (0, 0, a))


def _hexagonal(a: float, c: float) -> Lattice:
    return ((a * cos(BASE), -a * sin(BASE), 0), (0, a, 0), (0, 0, c))


def _rhombohedral(a: float, alpha_deg: float) -> Lattice:
    """Return three vectors round the axis z, each with the same angle to each other."""
    height = sqrt((1 + 2 * cos(radians(alpha_deg))) / 3)
    radius = sqrt(1 - height**2)
    first, second, third = (
        (a * radius * cos(turn), a * radius * sin(turn), a * height)
        for turn in (0, radians(120), radians(240))
    )
    return (first, second, third)


def _by_chance(rng: random.Random) -> Structure:
    """Return a cell of any orientation and handedness that is not too thin."""
    while True:
        a, b, c = ([rng.uniform(-9, 9) for _ in range(3)] for _ in range(3))
        atoms = rng.randrange(1, 12)
        cell = _cell(
            (tuple(a), tuple(b), tuple(c)),  # type: ignore[arg-type]  (of three numbers each)
            [rng.choice(("Li", "B", "C", "H", "U", "O")) for _ in range(atoms)],
            [[rng.uniform(-0.2, 1.2) for _ in range(3)] for _ in range(atoms)],
        )
        if cell.volume_ang3 > 60:
            return cell
