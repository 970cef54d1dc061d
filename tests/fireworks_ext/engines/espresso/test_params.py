import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fireworks_ext.engines.espresso.keywords import KEYWORDS
from fireworks_ext.engines.espresso.params import EspressoParams
from fireworks_ext.engines.espresso.physics import NOT_PHYSICS, is_physics, physics
from fireworks_ext.engines.espresso.protocols import NAMES, protocol
from fireworks_ext.engines.espresso.wording import OWNED, SAME_QUANTITY, twice
from schemas.errors import UserError

Make = Callable[..., EspressoParams]


@pytest.mark.parametrize("name", NAMES)
def test_every_protocol_is_valid_params(name: str, make_params: Make) -> None:
    params = make_params(**protocol(name))
    assert params.kspacing_per_ang


def test_protocols_get_stricter_from_fast_to_stringent() -> None:
    for field in ("kspacing_per_ang", "conv_thr_ry_per_atom", "fmax_ev_per_ang", "degauss_ry"):
        fast, balanced, stringent = (protocol(name)[field] for name in NAMES)
        assert fast > balanced > stringent  # type: ignore[operator]


def test_an_unknown_protocol_is_refused_with_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'balanced'"):
        protocol("balance")


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"ecutwfcc": 40}, "did you mean 'ecutwfc'"),
        ({"nbnd": 20.5}, "nbnd' is integer"),
        ({"nosym": 1}, "nosym' is logical"),
        ({"mixing_mode": 3}, "mixing_mode' is character"),
        ({"hubbard_u": 4.0}, "needs an index"),
        ({"nbnd(2)": 4}, "takes no index"),
        ({"prefix": "si"}, "run directories are laid out alike"),
        ({"nat": 2}, "the structure says it"),
        ({"Calculation": "nscf"}, "the stage's `task` says it"),
        ({"celldm(1)": 10.2}, "the structure says it"),
        ({"nspin": 4}, "spin: collinear"),
    ],
)
def test_raw_keywords_that_cannot_be_are_refused_with_the_reason(
    make_params: Make, raw: dict[str, object], words: str
) -> None:
    with pytest.raises(ValidationError, match=re.escape(words)):
        make_params(params=raw)


def test_keywords_with_an_index_are_accepted_in_any_spelling(make_params: Make) -> None:
    params = make_params(params={"Hubbard_U( 1 )": 4.0, "starting_magnetization(2)": 0.5})
    assert params.params == {"hubbard_u(1)": 4.0, "starting_magnetization(2)": 0.5}


def test_a_raw_keyword_means_the_same_as_its_field(make_params: Make) -> None:
    settings = {"pseudopotentials": "debian-pbe", "kmesh": (2, 2, 2)}
    raw = EspressoParams.model_validate({**settings, "params": {"ecutwfc": 40, "nspin": 1}})
    field = EspressoParams.model_validate({**settings, "ecutwfc_ry": 40})
    assert raw == field


def test_the_same_quantity_twice_is_an_error() -> None:
    with pytest.raises(ValidationError, match="'ecutwfc_ry' and the keyword 'ecutwfc'"):
        EspressoParams.model_validate(
            {"pseudopotentials": "gth-pbe", "ecutwfc_ry": 40, "params": {"ecutwfc": 60}}
        )
    assert twice({"degauss_ry": 0.02, "params": {"degauss": 0.02}})
    assert not twice({"degauss_ry": 0.02, "params": {"nbnd": 4}})


def test_a_raw_keyword_goes_before_what_the_protocol_sets(make_params: Make) -> None:
    params = make_params(**protocol("balanced"), params={"degauss": 0.001})
    assert params.degauss_ry == 0.001


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"hubbard_u(1)": 4.0, "lda_plus_u": True},
        {"starting_magnetization(1)": 0.5},
        {"conv_thr": 1e-12, "occupations": "fixed", "forc_conv_thr": 1e-5},
        {"ecutwfc": 31, "degauss": 0.003, "nspin": 2},
    ],
)
def test_params_survive_their_stored_form(raw: dict[str, object]) -> None:
    params = EspressoParams.model_validate(
        {"pseudopotentials": "gth-pbe", **protocol("fast"), "params": raw}
    )
    assert EspressoParams.model_validate_json(params.model_dump_json()) == params
    resolved = params.model_copy(update={"moments_bohr": {"Fe": 0.0}, "valences": {"Fe": 16.0}})
    assert EspressoParams.model_validate_json(resolved.model_dump_json()) == resolved


def test_fields_and_raw_keywords_agree_on_what_they_are_called() -> None:
    assert set(SAME_QUANTITY) <= set(EspressoParams.model_fields)
    assert {name for names in SAME_QUANTITY.values() for name in names} <= set(KEYWORDS)
    assert set(OWNED) <= set(KEYWORDS)
    assert NOT_PHYSICS - {"ionic_steps"} <= set(KEYWORDS)


def test_every_field_says_whether_it_is_physics_and_what_it_means() -> None:
    for name, field in EspressoParams.model_fields.items():
        assert isinstance(field.json_schema_extra, dict), name
        assert isinstance(field.json_schema_extra["physics"], bool), name
        assert field.description, name


@pytest.mark.parametrize(
    "parameter",
    [
        *("mixing_beta", "electron_maxstep", "diagonalization", "startingwfc", "mixing_mode"),
        *("mixing_ndim", "restart_mode", "startingpot", "ionic_steps", "nstep"),
    ],
)
def test_how_the_answer_is_reached_is_not_physics(parameter: str) -> None:
    assert not is_physics("scf", parameter)


@pytest.mark.parametrize(
    "parameter",
    [
        *("ecutwfc", "ecutwfc_ry", "smearing", "degauss", "degauss_ry", "kspacing_per_ang"),
        *("conv_thr", "nspin", "hubbard_u(1)", "input_dft", "a-name-that-nobody-knows"),
    ],
)
def test_what_changes_the_answer_is_physics(parameter: str) -> None:
    assert is_physics("scf", parameter)


def test_physics_holds_the_spacing_and_not_the_mesh_that_follows(make_params: Make) -> None:
    kept = physics("scf", make_params(kmesh=None, kspacing_per_ang=0.2))
    assert kept["kspacing_per_ang"] == 0.2
    assert "kmesh" not in kept


def test_an_explicit_mesh_makes_the_spacing_irrelevant(make_params: Make) -> None:
    assert physics("scf", make_params(kspacing_per_ang=0.2)) == physics("scf", make_params())


def test_a_single_point_does_not_depend_on_settings_of_relaxations(make_params: Make) -> None:
    one = make_params(fmax_ev_per_ang=0.1, params={"cell_dofree": "shape"})
    other = make_params(fmax_ev_per_ang=0.001)
    assert physics("scf", one) == physics("scf", other)
    assert physics("vc-relax", one) != physics("vc-relax", other)


@given(beta=st.floats(0.01, 1.0), steps=st.integers(1, 500), mode=st.sampled_from(["TF", "plain"]))
def test_settings_of_the_solver_never_enter_the_key(beta: float, steps: int, mode: str) -> None:
    base = {"pseudopotentials": "gth-pbe", "kmesh": (1, 1, 1), "ecutwfc_ry": 30}
    solver = {"mixing_beta": beta, "electron_maxstep": steps, "params": {"mixing_mode": mode}}
    plain = physics("relax", EspressoParams.model_validate(base))
    assert physics("relax", EspressoParams.model_validate({**base, **solver})) == plain
