"""How many energies above the hull come out per second, against pymatgen one object at a time.

Both make their hull of the same random phases, outside of the time; pymatgen is given entries that
are made already. The results have to be equal to 1e-9 eV/atom.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
from pymatgen.core import Composition

from runner.filters.hull import HullParams, plugin
from runner.hull.facets import Entry, Hull
from schemas.protocols import Surroundings

SYMBOLS = ("Li", "Fe", "Ti", "Sr", "O", "S")
PHASES, ASKED, MANY = 300, 10_000, 1_000_000
CATIONS = ["Ca", "Sr", "Ba", "Mg", "Na", "K", "La", "Pb"]
METALS = ["Ti", "Zr", "Hf", "Ge", "V", "Nb", "Ta", "Mo"]
ANIONS = ["O", "S", "Se", "F"]
BATCH_ROWS = 2048
BAR = 100.0
EQUAL_EV_PER_ATOM = 1e-9
REPEATS = 5

Floats = NDArray[np.float64]


def phases(n: int, rng: np.random.Generator) -> list[Entry]:
    """Return elements and compounds of the first `n` symbols, most of them bound."""
    entries = [Entry({symbol: 1.0}, -1.0 - i, symbol) for i, symbol in enumerate(SYMBOLS[:n])]
    amounts, energies = compositions(n, PHASES, rng)
    for place, (row, energy) in enumerate(zip(amounts, energies, strict=True)):
        composition = {s: float(x) for s, x in zip(SYMBOLS, row, strict=False) if x}
        entries.append(Entry(composition, float(energy), f"{place}"))
    return entries


def compositions(n: int, count: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return random amounts (count, n) and energies in eV/atom."""
    amounts = rng.integers(0, 9, (count, n)).astype(float)
    amounts[amounts.sum(axis=1) == 0, 0] = 1.0
    mean = amounts @ -np.arange(1.0, n + 1) / amounts.sum(axis=1)
    return amounts, mean + rng.normal(-0.5, 0.5, count)


def seconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Return the shortest time of several calls."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def compared(n: int) -> float:
    """Measure systems of `n` elements, print, and return the ratio.

    Raises
    ------
    SystemExit
        When the two do not agree.
    """
    rng = np.random.default_rng(n)
    known = phases(n, rng)
    hull = Hull.of(known)
    diagram = PhaseDiagram(
        [
            PDEntry(found := Composition(one.composition), one.energy_ev_per_atom * found.num_atoms)
            for one in known
        ]
    )
    amounts, energies = compositions(n, ASKED, rng)
    # Elements in the order of the hull, by symbol.
    columns = [SYMBOLS.index(symbol) for symbol in hull.elements]
    amounts_of_hull = np.ascontiguousarray(amounts[:, columns])
    entries = [
        PDEntry(found := Composition(dict(zip(SYMBOLS, row, strict=False))), e * found.num_atoms)
        for row, e in zip(amounts, energies, strict=True)
    ]
    theirs: list[float | None] = []

    def one_by_one() -> None:
        theirs[:] = [diagram.get_e_above_hull(entry, allow_negative=True) for entry in entries]

    slow_s = seconds(one_by_one, repeats=1)
    fast_s = seconds(lambda: hull.energy_above_hull(amounts_of_hull, energies))
    difference = np.abs(
        hull.energy_above_hull(amounts_of_hull, energies) - np.array(theirs, float)
    ).max()
    if difference > EQUAL_EV_PER_ATOM:
        sys.exit(f"{n} elements: differs by {difference:.1e} eV/atom")
    times = MANY // ASKED
    many, their_energies = np.tile(amounts_of_hull, (times, 1)), np.tile(energies, times)
    many_s = seconds(lambda: hull.energy_above_hull(many, their_energies), repeats=1)
    print(
        f"{n} elements, {len(hull.vertices):3} facets: pymatgen {ASKED / slow_s:7,.0f}/s, "
        f"here {ASKED / fast_s / 1e6:5.1f} M/s ({MANY / many_s / 1e6:.1f} M/s of a million): "
        f"{slow_s / fast_s:6,.0f} times; largest difference {difference:.0e} eV/atom"
    )
    return slow_s / fast_s


def through_the_score() -> None:
    """Measure the score on batches as a screen has them, of many chemical systems, and print."""
    systems = [(a, b, x) for a in CATIONS for b in METALS for x in ANIONS]
    rng = np.random.default_rng(1)
    pairs = [f"{metal}{x}{n}" for metal in CATIONS + METALS for x in ANIONS for n in ("", 2, 3)]
    elements = [{"formula": e, "energy_ev": -3.0} for e in CATIONS + METALS + ANIONS]
    binaries = [{"formula": pair, "energy_ev_per_atom": -4.0 - rng.random()} for pair in pairs]
    rows = pa.record_batch(
        {
            "elements": [sorted(systems[i]) for i in rng.integers(0, len(systems), ASKED)],
            "amounts": [[1.0, 1.0, 3.0]] * ASKED,
            "energy": rng.normal(-4.5, 0.5, ASKED),
        }
    )
    with tempfile.TemporaryDirectory() as name:
        content = {"method": "random", "entries": elements + binaries}
        (Path(name) / "entries.json").write_text(json.dumps(content))
        params = HullParams(entries="entries.json", energy="energy", method="random")
        scorer = plugin.scorer(params, Surroundings(Path(name), seed=1))

    def screen() -> None:
        for start in range(0, ASKED, BATCH_ROWS):
            scorer(rows.slice(start, BATCH_ROWS))

    first_s, then_s = seconds(screen, repeats=1), seconds(screen)
    print(
        f"the score, batches of {BATCH_ROWS:,} rows of {len(systems)} systems: "
        f"{ASKED / first_s:,.0f} rows/s while hulls are made, {ASKED / then_s:,.0f} rows/s after"
    )


def main() -> int:
    """Measure, print, and return 1 when one ratio is below the bar."""
    ratios = [compared(n) for n in range(2, len(SYMBOLS) + 1)]
    through_the_score()
    print(f"least: {min(ratios):,.0f} times (bar: {BAR:g})")
    return int(min(ratios) < BAR)


if __name__ == "__main__":
    sys.exit(main())
