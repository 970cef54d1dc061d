"""Ids and keys: pinned, because every stored result hangs on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.identity import (
    barrier_key,
    candidate_id,
    canonical_json,
    digest,
    row_key,
    stage_key,
)
from schemas.structure import Structure

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "identities.json").read_text())

PLAIN = Structure(
    lattice_ang=((0.0, 2.81, 2.81), (2.81, 0.0, 2.81), (2.81, 2.81, 0.0)),
    species=("Mg", "O"),
    frac_coords=((0.0, 0.0, 0.0), (0.5, 0.5, 0.5)),
)
MOMENTS = PLAIN.model_copy(update={"species": ("Ni", "O"), "moments_bohr": (2.0, 0.0)})
SUPERCELL = Structure(
    lattice_ang=((0.0, 5.62, 5.62), (2.81, 0.0, 2.81), (2.81, 2.81, 0.0)),
    species=("Mg", "Mg", "O", "O"),
    frac_coords=((0.0, 0.0, 0.0), (0.5, 0.0, 0.0), (0.25, 0.5, 0.5), (0.75, 0.5, 0.5)),
)
CELLS = {"plain": PLAIN, "moments": MOMENTS, "supercell": SUPERCELL}
KEYS: dict[str, dict[str, Any]] = {
    "relax": {
        "engine": "espresso",
        "task": "vc-relax",
        "physics": {"ecutwfc_ry": 40.0, "kspacing_per_ang": 0.2, "spin": "none"},
        "physics_version": 1,
        "files": {"Mg": "a" * 64, "O": "b" * 64},
        "inputs": {"structure": "c" * 64},
    },
    "sweep": {
        "engine": "espresso",
        "task": "scf",
        "physics": {"ecutwfc_ry": 60.0},
        "physics_version": 2,
        "files": {},
        "inputs": {"structure": "d" * 64, "charge_density": "e" * 64},
        "point": {"ecutwfc_ry": 60.0},
    },
}


@pytest.mark.parametrize("name", CELLS)
def test_ids_of_cells_are_what_they_always_were(name: str) -> None:
    assert candidate_id(CELLS[name]) == GOLDEN["candidates"][name]


BARRIER: dict[str, Any] = {
    "analysis": "hull",
    "version": 1,
    "params": {"energy": "energy_ev_per_atom"},
    "members": ("b" * 64, "a" * 64, "c" * 64 + ":" + "d" * 64),
}


def test_keys_of_analyses_are_what_they_always_were() -> None:
    key = barrier_key(**BARRIER)
    assert {"barrier": key, "row": row_key(key, "a" * 64)} == GOLDEN["analyses"]


def test_the_order_of_what_an_analysis_gathers_does_not_count_and_all_else_does() -> None:
    key = barrier_key(**BARRIER)
    assert barrier_key(**{**BARRIER, "members": sorted(BARRIER["members"])}) == key
    other: dict[str, Any] = {"analysis": "rank", "version": 2, "params": {}, "members": ["a" * 64]}
    for part, value in other.items():
        assert barrier_key(**{**BARRIER, part: value}) != key
    assert row_key(key, "a" * 64) != row_key(key, "b" * 64)


@pytest.mark.parametrize("name", KEYS)
def test_keys_are_what_they_always_were(name: str) -> None:
    assert stage_key(**KEYS[name]) == GOLDEN["keys"][name]


coordinates = st.floats(0.0, 1.0, exclude_max=True, allow_nan=False)
moments = st.floats(-5.0, 5.0, allow_nan=False)


@st.composite
def cells(draw: st.DrawFn) -> Structure:
    n_atoms = draw(st.integers(1, 5))
    return Structure(
        lattice_ang=((draw(st.floats(2.0, 9.0)), 0.0, 0.0), (0.1, 4.0, 0.0), (0.0, 0.3, 5.0)),
        species=tuple(draw(st.sampled_from(["Mg", "O", "Ni"])) for _ in range(n_atoms)),
        frac_coords=tuple(
            (draw(coordinates), draw(coordinates), draw(coordinates)) for _ in range(n_atoms)
        ),
        moments_bohr=draw(
            st.none() | st.tuples(*[moments for _ in range(n_atoms)]),
        ),
    )


@given(cells(), st.randoms(use_true_random=False))
def test_the_order_of_sites_does_not_matter(cell: Structure, random: Any) -> None:
    order = list(range(cell.n_atoms))
    random.shuffle(order)
    permuted = cell.model_copy(
        update={
            "species": tuple(cell.species[i] for i in order),
            "frac_coords": tuple(cell.frac_coords[i] for i in order),
            "moments_bohr": cell.moments_bohr and tuple(cell.moments_bohr[i] for i in order),
        }
    )
    assert candidate_id(permuted) == candidate_id(cell)


@given(cells(), st.lists(st.integers(-3, 3), min_size=15, max_size=15))
def test_sites_may_be_given_in_any_image_of_the_cell(cell: Structure, shifts: list[int]) -> None:
    # Coordinates on the grid of 1e-6: between two steps, adding 3 can change the rounding.
    on_grid = [[round(x * 10**6) / 10**6 for x in site] for site in cell.frac_coords]
    steps = iter(shifts)
    shifted = tuple(tuple(x + next(steps) for x in site) for site in on_grid)
    home = cell.model_copy(update={"frac_coords": tuple(tuple(site) for site in on_grid)})
    away = cell.model_copy(update={"frac_coords": shifted})
    assert candidate_id(away) == candidate_id(home)


def test_a_coordinate_just_below_one_is_that_just_above_zero() -> None:
    below = PLAIN.model_copy(update={"frac_coords": ((1.0 - 1e-9, 0.0, 0.0), (0.5, 0.5, 0.5))})
    assert candidate_id(below) == candidate_id(PLAIN)


@pytest.mark.parametrize(
    "change",
    [
        {"species": ("Ca", "O")},
        {"species": ("O", "Mg"), "frac_coords": ((0.0, 0.0, 0.0), (0.4, 0.5, 0.5))},
        {"moments_bohr": (0.0, 0.0)},
        {"moments_bohr": (1.0, 0.0)},
        {"charge": 1.0},
        {"lattice_ang": ((0.0, 2.82, 2.81), (2.81, 0.0, 2.81), (2.81, 2.81, 0.0))},
        {"frac_coords": ((0.0, 0.0, 0.0), (0.5, 0.5, 0.500002))},
    ],
)
def test_another_cell_has_another_id(change: dict[str, Any]) -> None:
    assert candidate_id(PLAIN.model_copy(update=change)) != candidate_id(PLAIN)


def test_a_supercell_is_another_candidate() -> None:
    assert len({candidate_id(cell) for cell in CELLS.values()}) == 3


def test_moments_belong_to_their_sites() -> None:
    up = MOMENTS.model_copy(update={"moments_bohr": (0.0, 2.0)})
    assert candidate_id(up) != candidate_id(MOMENTS)


@pytest.mark.parametrize(
    "part", ["engine", "task", "physics", "physics_version", "files", "inputs"]
)
def test_every_part_of_a_key_counts(part: str) -> None:
    other: dict[str, Any] = {
        "engine": "toy",
        "task": "scf",
        "physics": {"ecutwfc_ry": 41.0},
        "physics_version": 2,
        "files": {"Mg": "f" * 64},
        "inputs": {"initial": "c" * 64},
    }
    assert stage_key(**{**KEYS["relax"], part: other[part]}) != GOLDEN["keys"]["relax"]


def test_canonical_json_has_one_text_per_value() -> None:
    assert canonical_json({"b": [1, None], "a": "é"}) == '{"a":"é","b":[1,null]}'
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"a": float("nan")})
