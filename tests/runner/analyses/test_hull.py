"""The analysis `hull` by itself: pure, on results that are given."""

from __future__ import annotations

from typing import Any

import pytest

from runner.analyses.hull import plugin
from schemas.protocols import Gathered
from schemas.structure import Structure


def gathered(name: str, species: str, energy: float | None) -> Gathered:
    atoms = species.split()
    cell = Structure(
        lattice_ang=((4.0, 0.0, 0.0), (0.0, 4.0, 0.0), (0.0, 0.0, 4.0)),
        species=tuple(atoms),
        frac_coords=tuple((n / len(atoms), 0.0, 0.0) for n in range(len(atoms))),
    )
    return Gathered(name, cell.formula, cell, {"energy_ev_per_atom": energy})


def rows(*members: tuple[str, float | None]) -> dict[str, dict[str, Any]]:
    """Return the rows of species with energies in eV/atom, by formula (and n, if again)."""
    given = [gathered(f"{n}", *member) for n, member in enumerate(members)]
    found = plugin.rows(given, plugin.params())
    return {f"{one.formula}{one.candidate}": row for one, row in zip(given, found, strict=True)}


MAGNESIUM, OXYGEN = ("Mg", -1.5), ("O", -4.9)


def test_formation_energies_refer_to_the_lowest_candidate_of_each_element() -> None:
    found = rows(MAGNESIUM, OXYGEN, ("Mg O", -6.0), ("Mg", -1.0))
    assert found["MgO2"]["formation_energy_ev_per_atom"] == pytest.approx(-6.0 + (1.5 + 4.9) / 2)
    assert found["Mg3"]["formation_energy_ev_per_atom"] == pytest.approx(0.5)
    assert (found["Mg3"]["above_hull_ev_per_atom"], found["Mg3"]["on_hull"]) == (
        pytest.approx(0.5),
        False,
    )


def test_a_decomposition_names_phases_and_their_shares_of_the_atoms() -> None:
    found = rows(MAGNESIUM, OXYGEN, ("Mg O", -6.0), ("Mg Mg O", -4.0))
    assert found["Mg2O3"]["decomposition"] == [
        {"candidate": "2", "formula": "MgO", "fraction": pytest.approx(2 / 3)},
        {"candidate": "0", "formula": "Mg", "fraction": pytest.approx(1 / 3)},
    ]


def test_without_a_reference_of_an_element_all_is_unknown_and_the_note_says_which() -> None:
    found = rows(MAGNESIUM, OXYGEN, ("Mg O", -6.0), ("Ni O", -5.0), ("Ni Ti", -6.0))
    assert found["NiO3"] == {"note": "unknown: no candidate of Ni alone has a result to refer to"}
    assert "Ni or Ti alone" in found["NiTi4"]["note"]
    assert found["MgO2"]["above_hull_ev_per_atom"] == 0.0


def test_a_result_without_an_energy_is_unknown_and_no_part_of_the_hull() -> None:
    found = rows(MAGNESIUM, OXYGEN, ("Mg O", None))
    assert found["MgO2"] == {"note": "unknown: the result has no energy_ev_per_atom"}


def test_a_compound_whose_competitors_are_missing_says_that_it_looks_too_stable() -> None:
    elements = (("Sr", -1.7), ("Ti", -7.9), OXYGEN)
    alone = rows(*elements, ("Sr Ti O O O", -8.0))
    assert alone["SrTiO33"]["note"] == (
        "looks too stable: no result of a binary Sr-O (SrO), Ti-O (TiO2)"
    )
    together = rows(*elements, ("Sr Ti O O O", -8.0), ("Sr O", -6.0), ("Ti O O", -8.9))
    assert "note" not in together["SrTiO33"]


def test_rows_do_not_depend_on_the_order_of_candidates() -> None:
    members = [MAGNESIUM, OXYGEN, ("Mg O", -6.0), ("Mg Mg O", -4.0)]
    forth = [row["above_hull_ev_per_atom"] for row in rows(*members).values()]
    back = [row["above_hull_ev_per_atom"] for row in rows(*members[::-1]).values()]
    assert forth == pytest.approx(back[::-1], abs=1e-12)
