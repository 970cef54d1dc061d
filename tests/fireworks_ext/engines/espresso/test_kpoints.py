from collections.abc import Callable
from math import pi

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fireworks_ext.engines.espresso.kpoints import (
    mesh_of,
    n_irreducible,
    reciprocal_lengths_per_ang,
)
from fireworks_ext.engines.espresso.params import EspressoParams
from schemas.errors import UserError
from schemas.structure import Structure

Make = Callable[..., EspressoParams]


def _box(a: float, b: float, c: float) -> Structure:
    return Structure(
        lattice_ang=((a, 0.0, 0.0), (0.0, b, 0.0), (0.0, 0.0, c)),
        species=("Si",),
        frac_coords=((0.0, 0.0, 0.0),),
    )


def test_the_spacing_measures_reciprocal_lengths_with_two_pi(make_params: Make) -> None:
    box = _box(4.0, 8.0, 40.0)
    assert reciprocal_lengths_per_ang(box.lattice_ang) == pytest.approx(
        (2 * pi / 4, 2 * pi / 8, 2 * pi / 40)
    )
    assert mesh_of(box, make_params(kmesh=None, kspacing_per_ang=0.2)) == (8, 4, 1)


def test_a_spacing_that_divides_exactly_adds_no_point(make_params: Make) -> None:
    params = make_params(kmesh=None, kspacing_per_ang=2 * pi / 4 / 3)
    assert mesh_of(_box(4.0, 4.0, 4.0), params) == (3, 3, 3)


def test_the_explicit_mesh_goes_before_the_spacing(make_params: Make) -> None:
    assert mesh_of(_box(4.0, 4.0, 4.0), make_params(kspacing_per_ang=0.1)) == (2, 2, 2)


def test_neither_mesh_nor_spacing_is_an_error(make_params: Make) -> None:
    with pytest.raises(UserError, match="kspacing_per_ang"):
        mesh_of(_box(4.0, 4.0, 4.0), make_params(kmesh=None))


@given(st.floats(2, 30), st.floats(2, 30), st.floats(0.05, 1.0))
def test_the_mesh_is_never_coarser_than_the_spacing(a: float, c: float, spacing: float) -> None:
    box = _box(a, a, c)
    params = EspressoParams(pseudopotentials="gth-pbe", kspacing_per_ang=spacing)
    lengths = reciprocal_lengths_per_ang(box.lattice_ang)
    for length, points in zip(lengths, mesh_of(box, params), strict=True):
        assert length / points <= spacing * (1 + 1e-6)
        assert points == 1 or length / (points - 1) > spacing * (1 - 1e-6)


def test_symmetry_reduces_the_mesh_as_pw_does(silicon: Structure) -> None:
    # pw.x: 8 k-points for this cell with 4 4 4 0 0 0, and 10 with 4 4 4 1 1 1
    assert n_irreducible(silicon, (4, 4, 4), (0, 0, 0)) == 8
    assert n_irreducible(silicon, (4, 4, 4), (1, 1, 1)) == 10
    assert n_irreducible(silicon, (1, 1, 1), (0, 0, 0)) == 1


def test_without_symmetry_k_and_minus_k_are_still_the_same(silicon: Structure) -> None:
    # pw.x with nosym: 36 k-points for 4 4 4 0 0 0, 32 with 4 4 4 1 1 1, and 14 for 3 3 3 0 0 0
    assert n_irreducible(silicon, (4, 4, 4), (0, 0, 0), symmetric=False) == 36
    assert n_irreducible(silicon, (4, 4, 4), (1, 1, 1), symmetric=False) == 32
    assert n_irreducible(silicon, (3, 3, 3), (0, 0, 0), symmetric=False) == 14
