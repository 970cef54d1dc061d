from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from runner.space.slabs import SlabsParams, plugin
from schemas.candidate import Candidate
from schemas.errors import UserError
from schemas.protocols import Surroundings

HERE = Surroundings(folder=Path(), seed=7)
MAGNESIA = {
    "kind": "prototype",
    "prototype": "rocksalt",
    "species": {"A": ["Mg"], "X": ["O"]},
    "lattice_ang": 4.21,
}
PEROVSKITE = {
    "kind": "prototype",
    "prototype": "perovskite-cubic",
    "species": {"A": ["Sr"], "B": ["Ti"], "X": ["O"]},
    "lattice_ang": 3.905,
}


def made(**params: object) -> list[Candidate]:
    given = SlabsParams.model_validate(
        {"of": MAGNESIA, "thickness_ang": 6.0, "vacuum_ang": 12.0, **params}
    )
    return list(plugin.candidates(given, HERE))


def test_rocksalt_has_three_low_surfaces_and_only_the_last_is_polar() -> None:
    # Tasker, J. Phys. C 12, 4977 (1979), doi:10.1088/0022-3719/12/22/036: types 1, 1 and 3.
    found = made(max_miller=1)

    assert [c.extra["miller"] for c in found] == ["1 0 0", "1 1 0", "1 1 1"]
    assert [c.extra["slab_polar"] for c in found] == [False, False, True]
    assert [c.extra["slab_symmetric"] for c in found] == [True, True, False]


def test_a_slab_stands_upright_in_the_vacuum_that_was_asked_for() -> None:
    for candidate in made(max_miller=1):
        structure = candidate.structure
        a, b, c = (np.array(vector) for vector in structure.lattice_ang)
        heights = np.array(structure.frac_coords)[:, 2] * np.linalg.norm(c)

        assert abs(a @ c) < 1e-6
        assert abs(b @ c) < 1e-6
        assert np.linalg.norm(c) - np.ptp(heights) >= 12.0
        assert np.ptp(heights) == pytest.approx(candidate.extra["slab_thickness_ang"])
        # Its centre of mass is in the middle.
        assert (heights.max() + heights.min()) / 2 == pytest.approx(np.linalg.norm(c) / 2, abs=0.5)
        assert np.linalg.norm(np.cross(a, b)) == pytest.approx(candidate.extra["slab_area_ang2"])


def test_the_smallest_surface_cell_of_a_primitive_parent_is_that_of_the_cube() -> None:
    (square,) = made(millers=[[1, 0, 0]])

    assert square.extra["slab_area_ang2"] == pytest.approx(4.21**2 / 2)
    assert square.composition == {"Mg": 4, "O": 4}


def test_both_terminations_come_when_sides_are_made_alike() -> None:
    found = made(of=PEROVSKITE, millers=[[1, 0, 0]], symmetrize=True)

    assert sorted(c.formula for c in found) == ["Sr2TiO4", "SrTi2O5"]
    assert [c.extra["termination"] for c in found] == [0, 1]
    assert all(c.extra["slab_symmetric"] and c.extra["slab_polar"] is False for c in found)


def test_a_polar_slab_has_the_dipole_of_its_layers() -> None:
    (polar,) = made(millers=[[1, 1, 1]])

    # Layers of Mg2+ and O2-, one ion each, 4.21 / (2 sqrt 3) apart: pairs of the same dipole.
    pairs, apart = polar.composition["Mg"], 4.21 / (2 * 3**0.5)
    dipole = abs(polar.extra["slab_dipole_e_per_ang"]) * polar.extra["slab_area_ang2"]
    assert dipole == pytest.approx(pairs * 2 * apart)


def test_where_states_are_not_known_polarity_is_null() -> None:
    alloy = {
        "kind": "prototype",
        "prototype": "cesium-chloride",
        "species": {"A": ["Ni"], "X": ["Al"]},
        "lattice_ang": 2.88,
    }

    (slab,) = made(of=alloy, millers=[[1, 1, 0]])

    assert slab.extra["slab_polar"] is None
    assert slab.extra["slab_dipole_e_per_ang"] is None


def test_what_cannot_be_cut_stays_a_candidate_that_says_why() -> None:
    unknown = {"kind": "prototype", "prototype": "fcc", "species": {"A": ["Og"]}}

    (candidate,) = made(of=unknown, max_miller=1)

    with pytest.raises(UserError, match="no radii to estimate its lattice from"):
        _ = candidate.structure


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "either max_miller or millers; found neither"),
        ({"max_miller": 1, "millers": [[1, 0, 0]]}, "found both"),
        ({"millers": [[0, 0, 0]]}, "0, 0, 0 is no surface"),
        ({"millers": [[2, 0, 0]]}, r"\[2, 0, 0\] is the surface \[1, 0, 0\]"),
        ({"millers": [[1, 0, 0], [1, 0, 0]]}, "lists a surface more than once"),
    ],
)
def test_mistakes_in_params_are_named(params: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        made(**params)
