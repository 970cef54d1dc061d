"""Random candidates for benchmarks, the same ones in every run."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from runner.crystal.cells import to_arrow
from runner.crystal.elements import SYMBOLS
from schemas.structure import Structure

SEED = 11
ANIONS = ("O", "S", "Se", "Te", "F", "Cl", "Br", "I", "N")
LIKELY_A = ("Na", "K", "Rb", "Cs", "Ca", "Sr", "Ba", "La", "Nd", "Tl", "Pb")
LIKELY_B = ("Mg", "Ca", "Sc", "Ti", "Zr", "Hf", "Nb", "Ta", "Fe", "Al", "Ga", "Sn", "Pb", "Zn")
HEAVIEST = 94
CELL_ATOMS = 5


def compositions(rows: int) -> list[dict[str, int]]:
    """Return random compositions of two to four elements, most with an anion."""
    rng = random.Random(SEED)
    made = []
    for _ in range(rows):
        anion = rng.choice(ANIONS)
        others = [symbol for symbol in SYMBOLS[:HEAVIEST] if symbol != anion]
        symbols = [anion, *rng.sample(others, rng.choice((1, 2, 2, 3)))]
        made.append({symbol: rng.randint(1, 6) for symbol in sorted(symbols)})
    return made


def perovskites(rows: int) -> list[dict[str, str]]:
    """Return random ABX3 decorations: any elements in one half, likely ions in the other."""
    rng = random.Random(SEED)
    return [
        {
            "A": rng.choice(LIKELY_A if row % 2 else SYMBOLS[:HEAVIEST]),
            "B": rng.choice(LIKELY_B if row % 2 else SYMBOLS[:HEAVIEST]),
            "X": rng.choice(ANIONS[:8]),
        }
        for row in range(rows)
    ]


def composition_table(
    rows: Sequence[dict[str, int]], sites: Sequence[dict[str, str]] | None = None
) -> pa.RecordBatch:
    """Return the columns of compositions, and of sites where there are any."""
    columns: dict[str, Any] = {
        "elements": [sorted(one) for one in rows],
        "amounts": [[float(one[symbol]) for symbol in sorted(one)] for one in rows],
    }
    if sites is not None:
        columns["sites"] = [json.dumps(one, separators=(",", ":")) for one in sites]
    return pa.record_batch(columns)


def cells(rows: int) -> pa.RecordBatch:
    """Return cells of five random atoms: cubic perovskites and sheared cells, in turn."""
    rng = random.Random(SEED)
    made = [perovskite_cell(rng) if row % 2 else sheared_cell(rng) for row in range(rows)]
    return pa.record_batch({"structure": to_arrow(made)})


def perovskite_cell(rng: random.Random) -> Structure:
    """Return a cubic perovskite of random elements."""
    a = rng.uniform(3.8, 4.5)
    one, other, anion = (rng.choice(SYMBOLS[:HEAVIEST]) for _ in range(3))
    return Structure(
        lattice_ang=((a, 0.0, 0.0), (0.0, a, 0.0), (0.0, 0.0, a)),
        species=(one, other, anion, anion, anion),
        frac_coords=(
            (0.0, 0.0, 0.0), (0.5, 0.5, 0.5), (0.5, 0.5, 0.0), (0.5, 0.0, 0.5), (0.0, 0.5, 0.5),
        ),
    )  # fmt: skip


def sheared_cell(rng: random.Random) -> Structure:
    """Return a sheared cell of random atoms at random places."""
    a, b, c = (rng.uniform(3.0, 6.0) for _ in range(3))
    x, y, z = (rng.uniform(-0.8, 0.8) * a for _ in range(3))
    return Structure(
        lattice_ang=((a, 0.0, 0.0), (x, b, 0.0), (y, z, c)),
        species=tuple(rng.choice(SYMBOLS[:HEAVIEST]) for _ in range(CELL_ATOMS)),
        frac_coords=tuple((rng.random(), rng.random(), rng.random()) for _ in range(CELL_ATOMS)),
    )
