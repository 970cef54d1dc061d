import re
from collections.abc import Callable
from math import cos, radians, sin

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fireworks_ext.engines.espresso.cost import sizes, work
from fireworks_ext.engines.espresso.magnetism import direction, resolve_moments, site_moments, size
from fireworks_ext.engines.espresso.params import EspressoParams
from fireworks_ext.engines.espresso.physics import physics
from schemas.errors import UserError
from schemas.structure import Structure

Make = Callable[..., EspressoParams]
component = st.floats(-5, 5).filter(lambda x: abs(x) > 1e-3)


@given(x=component, y=component, z=component)
def test_size_and_angles_give_the_moment_back(x: float, y: float, z: float) -> None:
    polar, around = (radians(angle) for angle in direction((x, y, z)))
    length = size((x, y, z))
    back = (sin(polar) * cos(around), sin(polar) * sin(around), cos(polar))
    assert [length * one for one in back] == pytest.approx([x, y, z], abs=1e-9)


def test_a_number_is_a_moment_along_z() -> None:
    assert direction(2.0) == (0.0, 0.0)
    assert direction(-2.0) == (180.0, 0.0)


def test_numbers_and_vectors_along_z_are_one_kind_of_atoms(
    silicon: Structure, make_params: Make
) -> None:
    params = make_params(spin="noncollinear", moments_bohr=[1.0, [0.0, 0.0, 1.0]])
    assert len(set(site_moments(silicon, params))) == 1


def test_vectors_are_refused_where_spin_has_one_axis(make_params: Make) -> None:
    with pytest.raises(ValidationError, match=re.escape("say spin: noncollinear")):
        make_params(spin="collinear", moments_bohr={"Si": [1, 0, 0]})


def test_all_mistakes_of_spin_are_told_at_once(make_params: Make) -> None:
    with pytest.raises(ValidationError) as caught:
        make_params(spin="collinear", moments_bohr={"Si": [1, 0, 0]}, spin_orbit=True)
    assert "spin_orbit couples all directions" in str(caught.value)
    assert "moments_bohr holds vectors" in str(caught.value)


def test_spinors_without_moments_are_asked_for_them(silicon: Structure, make_params: Make) -> None:
    params = make_params(spin="noncollinear", spin_orbit=True)
    with pytest.raises(UserError, match=r"needs starting moments.*say spin: none"):
        resolve_moments(silicon, params)


def test_moments_of_length_zero_are_no_magnetism(silicon: Structure, make_params: Make) -> None:
    params = make_params(spin="noncollinear", moments_bohr={"Si": [0, 0, 0]})
    assert resolve_moments(silicon, params) is None


@pytest.mark.parametrize("raw", [{"noncolin": True}, {"lspinorb": True}])
def test_the_keyword_beside_the_word_is_refused(make_params: Make, raw: dict[str, bool]) -> None:
    with pytest.raises(ValidationError, match=f"keyword '{next(iter(raw))}'"):
        make_params(spin="noncollinear", spin_orbit=True, params=raw)
    assert make_params(params=raw).params == raw


def test_params_with_vectors_survive_their_stored_form(make_params: Make) -> None:
    params = make_params(
        spin="noncollinear", spin_orbit=True, moments_bohr=[[1, 0, 0], [0, 0.5, -1]]
    )
    assert EspressoParams.model_validate_json(params.model_dump_json()) == params
    kept = physics("scf", params)
    assert kept["moments_bohr"] == [[1, 0, 0], [0, 0.5, -1]]
    assert kept["spin_orbit"] is True
    assert "spin_orbit" not in physics("scf", make_params())


def test_spinors_have_twice_the_bands_and_cost_several_times_as_much(
    silicon: Structure, make_params: Make
) -> None:
    plain, spinors = make_params(), make_params(spin_orbit=True)
    assert sizes(silicon, spinors)[1] == 2 * sizes(silicon, plain)[1]
    assert 4 < work(silicon, "scf", spinors) / work(silicon, "scf", plain) < 8
