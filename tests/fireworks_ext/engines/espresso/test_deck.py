import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fireworks_ext.engines.espresso.deck import Deck, deck_text, make_deck
from fireworks_ext.engines.espresso.params import EspressoParams
from fireworks_ext.engines.espresso.version import Version
from schemas.errors import UserError
from schemas.structure import Structure

Make = Callable[..., EspressoParams]
GOLDEN = Path(__file__).parent / "golden"
FILES = {"Si": "Si.UPF", "Fe": "Fe.UPF", "O": "O.UPF"}


def _deck(task: str, structure: Structure, params: EspressoParams, **more: object) -> Deck:
    return make_deck(
        task,
        structure,
        params,
        files=FILES,
        version=Version(6, 7),
        **more,  # type: ignore[arg-type]
    )


def _iron_oxide(moments: tuple[float, ...] | None) -> Structure:
    return Structure(
        lattice_ang=((0.0, 2.1, 2.1), (2.1, 0.0, 2.1), (4.2, 4.2, 0.0)),
        species=("Fe", "Fe", "O", "O"),
        frac_coords=((0.0, 0.0, 0.0), (0.0, 0.0, 0.5), (0.5, 0.5, 0.25), (0.5, 0.5, 0.75)),
        moments_bohr=moments,
    )


def _compare(name: str, text: str) -> None:
    assert text == (GOLDEN / name).read_text()


def test_the_deck_of_a_single_point_is_the_golden_one(
    silicon: Structure, make_params: Make
) -> None:
    _compare("si-scf.in", deck_text(_deck("scf", silicon, make_params())))


def test_the_deck_of_a_cell_relaxation_is_the_golden_one(
    silicon: Structure, make_params: Make
) -> None:
    params = make_params(params={"cell_dofree": "shape", "nosym": True, "nbnd": 8})
    _compare("si-vc-relax.in", deck_text(_deck("vc-relax", silicon, params)))


def test_the_deck_of_an_antiferromagnet_with_u_is_the_golden_one(make_params: Make) -> None:
    params = make_params(
        spin="collinear", hubbard_u_ev={"Fe": 4.3}, smearing="gaussian", kshift=(1, 1, 0)
    )
    deck = _deck("relax", _iron_oxide((4.0, -4.0, 0.0, 0.0)), params, from_density=True)
    _compare("feo-relax.in", deck_text(deck))


def test_sites_of_one_element_with_other_moments_are_other_species(make_params: Make) -> None:
    params = make_params(spin="collinear")
    deck = _deck("scf", _iron_oxide((4.0, -4.0, 0.0, 0.0)), params)
    assert deck.sites == ("Fe1", "Fe2", "O", "O")
    system = deck.namelists["system"]
    assert system["starting_magnetization(1)"] == 0.25
    assert system["starting_magnetization(2)"] == -0.25
    assert system["ntyp"] == 3


def test_moments_by_element_keep_one_species_per_element(make_params: Make) -> None:
    params = make_params(spin="collinear", moments_bohr={"Fe": 4.0})
    assert _deck("scf", _iron_oxide(None), params).sites == ("Fe", "Fe", "O", "O")


def test_more_kinds_of_atoms_than_pw_has_room_for_are_refused(make_params: Make) -> None:
    many = Structure(
        lattice_ang=((9.0, 0.0, 0.0), (0.0, 9.0, 0.0), (0.0, 0.0, 9.0)),
        species=("Fe",) * 11,
        frac_coords=tuple((i / 11, 0.0, 0.0) for i in range(11)),
        moments_bohr=tuple(0.1 * i for i in range(11)),
    )
    with pytest.raises(UserError, match="room for 10"):
        _deck("scf", many, make_params(spin="collinear"))


def test_moments_that_do_not_fit_the_sites_are_refused(make_params: Make) -> None:
    params = make_params(spin="collinear", moments_bohr=(1.0, 2.0))
    with pytest.raises(UserError, match="2 moments for 4 sites"):
        _deck("scf", _iron_oxide(None), params)


def test_the_cell_survives_the_stored_form(silicon: Structure, make_params: Make) -> None:
    deck = _deck("scf", silicon, make_params())
    again = Deck.model_validate_json(deck.model_dump_json())
    assert again == deck
    assert deck_text(again) == deck_text(deck)
    assert again.structure == silicon


def test_a_raw_keyword_goes_before_the_one_that_the_engine_writes(
    silicon: Structure, make_params: Make
) -> None:
    deck = _deck("scf", silicon, make_params(params={"conv_thr": 1e-11, "occupations": "fixed"}))
    assert "conv_thr = 1e-11" in deck_text(deck)
    assert "occupations = 'fixed'" in deck_text(deck)


def test_fixed_occupations_get_empty_bands_for_a_gap(silicon: Structure, make_params: Make) -> None:
    deck = _deck("scf", silicon, make_params(smearing="none"))
    assert deck.namelists["system"]["nbnd"] == 8
    more = _deck("scf", silicon, make_params(smearing="none", params={"nbnd": 12}))
    assert more.namelists["system"]["nbnd"] == 12


fraction = st.floats(-1, 1, allow_nan=False)
length = st.floats(3, 60)


@given(a=length, b=length, c=length, x=fraction, y=fraction, z=fraction)
def test_the_deck_keeps_twelve_digits_of_every_coordinate(
    a: float, b: float, c: float, x: float, y: float, z: float
) -> None:
    structure = Structure(
        lattice_ang=((a, 0.0, 0.1), (0.0, b, 0.0), (0.2, 0.0, c)),
        species=("Si",),
        frac_coords=((x, y, z),),
    )
    params = EspressoParams(
        pseudopotentials="debian-pbe",
        ecutwfc_ry=20,
        ecutrho_ry=80,
        kmesh=(1, 1, 1),
        valences={"Si": 4.0},
    )
    text = deck_text(_deck("scf", structure, params))
    cell = text.split("angstrom\n")[1].split("ATOMIC_POSITIONS")[0]
    written = [float(word) for word in cell.split()]
    assert written == pytest.approx([a, 0, 0.1, 0, b, 0, 0.2, 0, c], rel=1e-12, abs=1e-13)
    position = re.findall(r"^  Si +(-?\d.*)$", text, re.MULTILINE)[-1]
    assert [float(word) for word in position.split()] == pytest.approx([x, y, z], abs=1e-15)
