"""How fast rule scores are, over Arrow batches, against one call per object of pymatgen and smact.

Run it with `python benchmarks/rules.py [ROWS]` (10,000 random candidates unless said otherwise).
Everything is measured in this process, in CPU seconds, and includes what a score does to read its
batch and to write its columns; the other side is given objects that are already made (compositions,
structures). Both get the same oxidation states, and the number of rows in which they differ is
printed with the reasons. It ends with exit code 1 when charge neutrality is below 40 times smact's
rate or the tolerance factor below 100 times pymatgen's, or when a row differs for no such reason.
"""

from __future__ import annotations

import json
import random
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isclose, isnan, log, sqrt
from pathlib import Path
from typing import Any

import pyarrow as pa
from candidates.random_rows import (
    HEAVIEST,
    SEED,
    cells,
    composition_table,
    compositions,
    perovskites,
)
from pymatgen.apps.battery.analyzer import BatteryAnalyzer
from pymatgen.core import Composition, Element, Species
from pymatgen.core import Structure as PymatgenStructure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer
from smact import Element as SmactElement
from smact.screening import smact_validity

from runner.crystal.cells import from_arrow
from runner.crystal.elements import SYMBOLS, element
from runner.screening import BATCH_ROWS
from schemas.protocols import Surroundings
from schemas.registry import scores

ROWS = 10_000
SLOW_ROWS = 1000
"""Of the baseline where it is slow; its rate is per row."""
BARS = {"charge-neutral": 40.0, "tolerance-factor": 100.0}
HERE = Surroundings(folder=Path(), seed=SEED)
SMACT_TABLE = "icsd24"
"""The oxidation states that both sides take, read from smact."""


@dataclass(frozen=True)
class Result:
    """One comparison: seconds per row of both sides, differing rows of how many, and remarks."""

    name: str
    ours_s: float
    theirs_s: float
    differing: int
    compared: int
    unexplained: int = 0
    remark: str = ""

    @property
    def ratio(self) -> float:
        """How many times faster."""
        return self.theirs_s / self.ours_s


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the CPU seconds of a call, and what it returned."""
    began = time.process_time()
    found = work()
    return time.process_time() - began, found


def scored(
    name: str, table: pa.RecordBatch, **params: object
) -> tuple[float, list[dict[str, Any]]]:
    """Return the seconds per row of a score, the best of three passes, and its rows."""
    score = scores.get(name)
    chosen = score.params.model_validate(params)
    scorer = score.scorer(chosen, HERE)
    wanted = table.select(list(score.requires(chosen)))
    batches = [wanted.slice(first, BATCH_ROWS) for first in range(0, wanted.num_rows, BATCH_ROWS)]
    scorer(batches[0])
    times = []
    for _ in range(3):
        seconds, found = timed(lambda: [scorer(batch) for batch in batches])
        times.append(seconds)
    return min(times) / table.num_rows, [row for batch in found for row in batch.to_pylist()]


def baseline(
    work: Callable[[Any], Any], objects: Sequence[Any], warm: int = 20
) -> tuple[float, list[Any]]:
    """Return the seconds per object of one call each, and the results."""
    for one in objects[:warm]:
        work(one)
    seconds, found = timed(lambda: [work(one) for one in objects])
    return seconds / len(objects), found


def charge_neutral(rows: int) -> Result:
    """Compare with `smact_validity`, the same states on both sides, alloys not waved through."""
    made = compositions(rows)
    states = {
        symbol: list(SmactElement(symbol).oxidation_states_icsd24 or [])
        for symbol in SYMBOLS[:HEAVIEST]
    }
    ours_s, ours = scored(
        "charge-neutral", composition_table(made), ordered=True, other_states=states
    )
    objects = [Composition(one) for one in made]
    theirs_s, theirs = baseline(
        lambda one: smact_validity(one, include_alloys=False, oxidation_states_set=SMACT_TABLE),
        objects,
    )
    differing = [
        at
        for at, (our, their) in enumerate(zip(ours, theirs, strict=True))
        if bool(our["charge_neutral"]) != their
    ]
    other_scale = {symbol for symbol in states if not _same_electronegativity(symbol)}
    scales = sum(not other_scale.isdisjoint(made[at]) for at in differing)
    ties = sum(other_scale.isdisjoint(made[at]) and _tied(ours[at]) for at in differing)
    unknown = sum(row["charge_neutral"] is None for row in ours)
    return Result(
        "charge-neutral",
        ours_s,
        theirs_s,
        len(differing),
        len(made),
        len(differing) - scales - ties,
        f"of them {scales} hold an element to which smact gives another electronegativity "
        f"({', '.join(sorted(other_scale))}), and in {ties} a cation and an anion are equally "
        f"electronegative, which smact refuses; {unknown} rows, unknown here, smact refuses too",
    )


def _same_electronegativity(symbol: str) -> bool:
    return bool(element(symbol).electronegativity == SmactElement(symbol).pauling_eneg)


def _tied(row: dict[str, Any]) -> bool:
    """Tell whether a cation and an anion of a row are equally electronegative."""
    states = json.loads(row["oxidation_states"] or "{}")
    cations, anions = (
        [element(symbol).electronegativity or 0.0 for symbol in states if states[symbol] * sign > 0]
        for sign in (1, -1)
    )
    return bool(cations and anions) and max(cations) == min(anions)


def tolerance_factor(rows: int) -> Result:
    """Compare with the same found object by object: states guessed, then Shannon's radii."""
    sites = perovskites(rows)
    made = []
    for one in sites:
        atoms: dict[str, int] = {}
        for label, count in (("A", 1), ("B", 1), ("X", 3)):
            atoms[one[label]] = atoms.get(one[label], 0) + count
        made.append(atoms)
    table = composition_table(made, sites)
    ours_s, ours = scored("tolerance-factor", table)
    # The states that our rows were given, so that only the factors are compared and timed.
    _, neutral = scored("charge-neutral", table)
    objects = [
        (one, json.loads(row["oxidation_states"] or "null"))
        for one, row in zip(sites, neutral, strict=True)
    ]
    factors_s, theirs = baseline(_factors, objects)
    guess_s, _ = baseline(
        lambda one: one.oxi_state_guesses(), [Composition(one) for one in made[:SLOW_ROWS]]
    )
    differing = sum(not _same(our, their) for our, their in zip(ours, theirs, strict=True))
    known = sum(their is not None for their in theirs)
    return Result(
        "tolerance-factor",
        ours_s,
        factors_s + guess_s,
        differing,
        len(made),
        differing,
        f"{known} rows have factors; per row pymatgen takes {1e6 * guess_s:.0f} us for the states "
        f"(oxi_state_guesses) and {1e6 * factors_s:.0f} us for radii and factors",
    )


def _factors(one: tuple[dict[str, str], dict[str, int] | None]) -> tuple[float, ...] | None:
    """Return Goldschmidt's, the octahedral and Bartel's factor from pymatgen's radii."""
    sites, states = one
    if states is None:
        return None
    charges = [states[sites[label]] for label in "ABX"]
    if charges[0] * charges[1] <= 0 or charges[0] * charges[2] >= 0:
        return None
    try:
        a, b, x = (
            _radius(sites[label], charge, coordination)
            for label, charge, coordination in zip("ABX", charges, ("XII", "VI", "VI"), strict=True)
        )
    except KeyError:
        return None
    n_a = charges[0]
    tau = x / b - n_a * (n_a - (a / b) / log(a / b)) if a > b else float("nan")
    return (a + x) / (sqrt(2.0) * (b + x)), b / x, tau


def _radius(symbol: str, charge: int, coordination: str) -> float:
    with warnings.catch_warnings():
        # Where the table has one spin state only it is taken, as we do.
        warnings.simplefilter("ignore")
        species = Species(symbol, charge)
        try:
            return float(species.get_shannon_radius(coordination, spin="High Spin"))
        except KeyError:
            return float(species.get_shannon_radius(coordination))


def _same(our: dict[str, Any], their: tuple[float, ...] | None) -> bool:
    names = ("tolerance_factor", "octahedral_factor", "bartel_tau")
    found = their or (float("nan"),) * len(names)
    return all(
        (our[name] is None) == isnan(value)
        and (our[name] is None or isclose(our[name], value, rel_tol=1e-12))
        for name, value in zip(names, found, strict=True)
    )


def capacity(rows: int) -> Result:
    """Compare with `BatteryAnalyzer` on oxides and phosphates of one or two metals."""
    rng = random.Random(SEED)
    metals = ("Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Nb", "Mo")
    made = []
    for _ in range(rows):
        one = {"Li": rng.randint(1, 4), "O": rng.randint(2, 12)}
        for metal in rng.sample(metals, rng.choice((1, 2))):
            one[metal] = rng.randint(1, 3)
        if rng.random() < 0.5:
            one["P"] = rng.randint(1, 3)
        made.append(one)
    ours_s, ours = scored("capacity", composition_table(made))
    objects = [
        _decorated(one, row["redox_state"], metals)
        for one, row in zip(made, ours, strict=True)
        if row["capacity_mah_per_g"] is not None
    ]
    known = [row for row in ours if row["capacity_mah_per_g"] is not None]
    theirs_s, theirs = baseline(
        lambda one: BatteryAnalyzer(one, "Li").get_max_capgrav(insert=False), objects
    )
    differing = sum(
        not isclose(row["capacity_mah_per_g"], value, rel_tol=1e-9, abs_tol=1e-9)
        for row, value in zip(known, theirs, strict=True)
    )
    return Result(
        "capacity", ours_s, theirs_s, differing, len(known), differing,
        "states are given to pymatgen, found here",
    )  # fmt: skip


def _decorated(
    composition: dict[str, int], state: float, metals: Sequence[str]
) -> PymatgenStructure:
    """Return some structure of that composition with oxidation states; metals share theirs."""
    others = {"Li": 1.0, "O": -2.0}
    rest = -sum(
        count * others.get(symbol, state if symbol in metals else 0.0)
        for symbol, count in composition.items()
    )
    states = {**dict.fromkeys(metals, state), **others, "P": rest / composition.get("P", 1)}
    species = [
        Species(symbol, states[symbol])
        for symbol, count in composition.items()
        for _ in range(count)
    ]
    rng = random.Random(SEED)
    positions = [[rng.random() for _ in range(3)] for _ in species]
    return PymatgenStructure([[9.0, 0, 0], [0, 9.0, 0], [0, 0, 9.0]], species, positions)


def of_cells(rows: int) -> list[Result]:
    """Compare the scores that read cells with pymatgen's structures."""
    table = cells(rows)
    objects = [structure.to_pymatgen() for structure in from_arrow(table["structure"])]
    return [
        _numbers("min-distance", "min_distance_ang", table, objects, _min_distance),
        _numbers("density", "density_g_per_cm3", table, objects, lambda one: float(one.density)),
        _numbers("space-group", "space_group", table, objects, _space_group),
    ]  # fmt: skip


def _numbers(
    name: str,
    column: str,
    table: pa.RecordBatch,
    objects: Sequence[PymatgenStructure],
    work: Callable[[PymatgenStructure], float],
) -> Result:
    ours_s, ours = scored(name, table)
    theirs_s, theirs = baseline(work, objects)
    differing = sum(
        not isclose(row[column], value, rel_tol=1e-8)  # constants of nature of other years
        for row, value in zip(ours, theirs, strict=False)
    )
    return Result(name, ours_s, theirs_s, differing, len(objects), differing)


def _space_group(structure: PymatgenStructure) -> int:
    return int(SpacegroupAnalyzer(structure, symprec=0.01).get_space_group_number())


def _min_distance(structure: PymatgenStructure) -> float:
    matrix = structure.distance_matrix
    images = structure.lattice.get_points_in_sphere(
        [[0.0, 0.0, 0.0]], [0.0, 0.0, 0.0], max(structure.lattice.abc), zip_results=False
    )[1]
    others = [
        matrix[i, j] for i in range(len(matrix)) for j in range(i)
    ]  # the diagonal holds zeros, not distances to images
    return float(min([*others, *(d for d in images if d > 1e-8)]))


def elements(rows: int) -> Result:
    """Compare with a mass-weighted mean of prices over pymatgen's compositions."""
    from runner.crystal.supply import supply

    made = compositions(rows)
    ours_s, ours = scored("elements", composition_table(made))
    prices = supply().price_usd_per_kg
    objects = [Composition(one) for one in made]
    theirs_s, theirs = baseline(
        lambda one: sum(
            one.get_wt_fraction(symbol) * prices[Element(symbol).Z] for symbol in one.elements
        ),
        objects,
    )
    differing = sum(
        (row["element_cost_usd_per_kg"] is None) != isnan(value)
        or (not isnan(value) and not isclose(row["element_cost_usd_per_kg"], value, rel_tol=1e-9))
        for row, value in zip(ours, theirs, strict=True)
    )
    return Result("elements", ours_s, theirs_s, differing, len(made), differing)


def main(rows: int) -> int:
    """Measure, print, and return 1 when a bar is missed."""
    found = [
        charge_neutral(rows),
        tolerance_factor(rows),
        capacity(rows),
        elements(rows),
        *of_cells(rows),
    ]
    missed = False
    for one in found:
        bar = BARS.get(one.name)
        missed |= one.unexplained > 0 or (bar is not None and one.ratio < bar)
        print(
            f"{one.name:17} {1 / one.ours_s:12,.0f} rows/s, {one.ratio:7.1f} times the calls per "
            f"object ({1 / one.theirs_s:,.0f}/s)"
            + (f", bar {bar:g}" if bar else "")
            + f"; {one.differing} of {one.compared} rows differ"
        )
        if one.remark:
            print(f"{'':18}{one.remark}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS))
