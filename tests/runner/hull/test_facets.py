from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
from pymatgen.core import Composition

from runner.hull.facets import Entry, Hull, IncompleteHull
from runner.hull.fractions import fractions

SYMBOLS = ("Li", "Fe", "Ti", "Sr", "O", "S")
EQUAL_EV_PER_ATOM = 1e-9
"""The rounding of sums and solves of numbers of the order of 10 eV."""


def random_entries(elements: Sequence[str], count: int, seed: int) -> list[Entry]:
    """Return an entry per element and compounds of them, most of them bound."""
    rng = np.random.default_rng(seed)
    alone = dict(zip(elements, rng.uniform(-9.0, -1.0, len(elements)), strict=True))
    entries = [Entry({element: 1.0}, float(alone[element]), element) for element in elements]
    for i in range(count):
        amounts = rng.integers(0, 5, len(elements))
        amounts[rng.random(len(elements)) < 0.3] = 0
        if not amounts.any():
            amounts[rng.integers(len(elements))] = 1
        composition = {e: float(n) for e, n in zip(elements, amounts, strict=True) if n}
        mean = sum(n * alone[e] for e, n in composition.items()) / sum(composition.values())
        binding = 0.0 if len(composition) == 1 else -1.0
        entries.append(Entry(composition, float(mean + rng.normal(binding, 0.5)), f"{i}"))
    return entries


def pymatgen_entry(entry: Entry) -> PDEntry:
    composition = Composition(entry.composition)
    return PDEntry(
        composition, entry.energy_ev_per_atom * composition.num_atoms, attribute=entry.label
    )


def label_of(entry: Any) -> str:
    return str(entry.attribute)


def pymatgen_distances(entries: Sequence[Entry], asked: Sequence[Entry]) -> list[float]:
    diagram = PhaseDiagram([pymatgen_entry(entry) for entry in entries])
    found: list[Any] = [
        diagram.get_e_above_hull(pymatgen_entry(entry), allow_negative=True) for entry in asked
    ]
    return [float(distance) for distance in found]


def distances(entries: Sequence[Entry], asked: Sequence[Entry]) -> list[float]:
    energies = [entry.energy_ev_per_atom for entry in asked]
    found = Hull.of(entries).energy_above_hull([entry.composition for entry in asked], energies)
    return [float(distance) for distance in found]


@pytest.mark.parametrize("n", range(1, 7))
@pytest.mark.parametrize("seed", range(4))
def test_distances_are_those_of_pymatgen(n: int, seed: int) -> None:
    entries = random_entries(SYMBOLS[:n], 40 * n, seed)
    asked = [*random_entries(SYMBOLS[:n], 60, seed + 100)[n:], *entries]

    ours, theirs = distances(entries, asked), pymatgen_distances(entries, asked)

    assert np.allclose(ours, theirs, rtol=0.0, atol=EQUAL_EV_PER_ATOM)


def test_the_stable_entries_are_those_of_pymatgen_and_lie_at_exactly_zero() -> None:
    entries = random_entries(SYMBOLS[:4], 200, seed=3)

    stable = Hull.of(entries).stable

    theirs = PhaseDiagram([pymatgen_entry(entry) for entry in entries]).stable_entries
    assert {entry.label for entry in stable} == {label_of(entry) for entry in theirs}
    assert distances(entries, stable) == [0.0] * len(stable)


def test_no_entry_lies_below_its_own_hull() -> None:
    entries = random_entries(SYMBOLS[:5], 300, seed=11)

    assert min(distances(entries, entries)) == 0.0


def test_a_new_phase_below_the_hull_gets_a_negative_distance() -> None:
    entries = [Entry({"Mg": 1}, -1.5, "Mg"), Entry({"O": 2}, -4.9, "O2")]

    assert distances(entries, [Entry({"Mg": 1, "O": 1}, -6.2, "MgO")]) == [pytest.approx(-3.0)]


def test_without_a_phase_its_distance_is_to_the_hull_of_the_others() -> None:
    entries = [
        Entry({"A": 1}, 0.0, "A"),
        Entry({"B": 1}, 0.0, "B"),
        Entry({"A": 1, "B": 1}, -1.0, "AB"),
        Entry({"A": 3, "B": 1}, -0.6, "A3B"),
    ]

    others = Hull.of(entries).without(["A3B"])

    assert others.energy_above_hull([{"A": 3, "B": 1}], [-0.6]).tolist() == [pytest.approx(-0.1)]


def test_decompositions_are_those_of_pymatgen() -> None:
    entries = random_entries(SYMBOLS[:4], 80, seed=5)
    hull, diagram = Hull.of(entries), PhaseDiagram([pymatgen_entry(e) for e in entries])

    for asked in random_entries(SYMBOLS[:4], 40, seed=6):
        theirs = diagram.get_decomposition(Composition(asked.composition))
        expected = {label_of(entry): amount for entry, amount in theirs.items()}
        assert hull.decomposition(asked.composition) == pytest.approx(expected, abs=1e-8)


def test_a_decomposition_keeps_atoms_and_energy() -> None:
    entries = random_entries(SYMBOLS[:6], 200, seed=8)
    hull, by_label = Hull.of(entries), {entry.label: entry for entry in entries}
    asked = {"Li": 1.0, "Fe": 2.0, "O": 4.0, "Sr": 0.5}

    parts = hull.decomposition(asked)

    phases = [by_label[label] for label in parts]
    mixed = np.array([*parts.values()]) @ fractions([p.composition for p in phases], hull.elements)
    energy = sum(by_label[label].energy_ev_per_atom * part for label, part in parts.items())
    assert mixed == pytest.approx(fractions([asked], hull.elements)[0])
    assert energy == pytest.approx(hull.energy([asked])[0], abs=EQUAL_EV_PER_ATOM)


def test_many_phases_on_one_line_or_plane_make_no_difference() -> None:
    entries = [Entry({e: 1.0}, 0.0, e) for e in "ABC"]
    grid = [(a, b, c) for a in range(5) for b in range(5) for c in range(5) if a + b + c > 1]
    # All on one plane: every cut into triangles is right, and all give the same energies.
    entries += [Entry(dict(zip("ABC", g, strict=True)), -1.0, f"{g}") for g in grid if min(g)]

    hull = Hull.of(entries)

    above = hull.energy_above_hull(grid, np.zeros(len(grid)))
    assert above.min() >= 0.0
    assert hull.energy([{"A": 1, "B": 1, "C": 1}]).tolist() == [pytest.approx(-1.0)]
    assert all(part > 0 for part in hull.decomposition({"A": 2, "B": 3, "C": 4}).values())


def test_a_row_has_the_same_distance_to_the_last_bit_in_any_batch() -> None:
    hull = Hull.of(random_entries(SYMBOLS[:5], 100, seed=1))
    rng = np.random.default_rng(2)
    amounts, energies = rng.random((9000, 5)), rng.normal(-5, 1, 9000)

    whole = hull.energy_above_hull(amounts, energies)

    order = rng.permutation(9000)
    assert (hull.energy_above_hull(amounts[order], energies[order]) == whole[order]).all()
    alone = [hull.energy_above_hull(amounts[i : i + 1], energies[i : i + 1])[0] for i in range(50)]
    assert (whole[:50] == alone).all()


def test_amounts_may_have_any_scale() -> None:
    hull = Hull.of(random_entries(SYMBOLS[:3], 30, seed=1))

    energies = hull.energy([{"Li": 1.0, "Fe": 2.0}, {"Li": 4.5, "Fe": 9.0, "Ti": 0.0}])

    assert energies[0] == pytest.approx(energies[1], abs=EQUAL_EV_PER_ATOM)


def test_an_element_without_an_entry_of_its_own_is_named() -> None:
    with pytest.raises(IncompleteHull, match="no entry of the element O alone"):
        Hull.of([Entry({"Mg": 1}, -1.5, "Mg"), Entry({"Mg": 1, "O": 1}, -6.0, "MgO")])


def test_no_entries_make_no_hull() -> None:
    with pytest.raises(IncompleteHull, match="no entries"):
        Hull.of([])


def test_an_energy_that_is_no_number_is_named() -> None:
    with pytest.raises(IncompleteHull, match="'Mg' is no number"):
        Hull.of([Entry({"Mg": 1}, float("nan"), "Mg")])


@pytest.mark.parametrize(
    ("composition", "words"),
    [({"Fe": 1.0}, "no Fe"), ({"O": -1.0}, "0 and more"), ({}, "above 0"), ({"O": 0.0}, "above 0")],
)
def test_compositions_that_are_none_are_refused(composition: dict[str, float], words: str) -> None:
    hull = Hull.of([Entry({"O": 1}, -4.9, "O2")])

    with pytest.raises(ValueError, match=words):
        hull.energy([composition])
