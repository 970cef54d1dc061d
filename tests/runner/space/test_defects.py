from collections import Counter
from pathlib import Path

import pytest
from pydantic import ValidationError

from runner.space.defects import DefectsParams, plugin
from schemas.candidate import Candidate
from schemas.errors import UserError
from schemas.protocols import Surroundings
from schemas.structure import Structure

PEROVSKITE = {
    "kind": "prototype",
    "prototype": "perovskite-cubic",
    "species": {"A": ["Sr"], "B": ["Ti"], "X": ["O"]},
    "lattice_ang": 3.905,
}
EIGHT = {"matrix": [2, 2, 2]}


def made(folder: Path = Path(), **params: object) -> list[Candidate]:
    given = DefectsParams.model_validate({"of": PEROVSKITE, "supercell": EIGHT, **params})
    return list(plugin.candidates(given, Surroundings(folder=folder, seed=7)))


def test_there_is_one_vacancy_for_each_set_of_equivalent_sites() -> None:
    found = made(vacancies=True)

    assert [c.extra["defect"] for c in found] == ["v_Sr", "v_Ti", "v_O"]
    assert [c.extra["defect_multiplicity"] for c in found] == [1, 1, 3]
    assert [c.formula for c in found] == ["Sr7Ti8O24", "Sr8Ti7O24", "Sr8Ti8O23"]
    for candidate in found:
        assert candidate.structure.n_atoms == 39


def test_a_substitution_puts_the_new_atom_on_the_place_of_the_old_one() -> None:
    (perfect, doped) = made(substitutions={"Ti": ["Nb"]}, pristine=True)

    (place,) = (
        position
        for symbol, position in zip(
            doped.structure.species, doped.structure.frac_coords, strict=True
        )
        if symbol == "Nb"
    )
    there = dict(zip(perfect.structure.frac_coords, perfect.structure.species, strict=True))
    assert there[place] == "Ti"
    assert set(doped.structure.frac_coords) == set(perfect.structure.frac_coords)
    assert doped.extra["defect"] == "Nb_Ti"
    assert (perfect.extra["defect"], perfect.formula) == ("none", "SrTiO3")


def test_antisites_exchange_every_pair_of_elements_and_repeat_no_substitution() -> None:
    found = made(antisites=True, substitutions={"Ti": ["Sr", "Nb"]})

    names = [c.extra["defect"] for c in found]
    assert Counter(names) == Counter(["O_Sr", "Ti_Sr", "Sr_Ti", "Nb_Ti", "O_Ti", "Sr_O", "Ti_O"])


def test_an_interstitial_is_as_far_from_all_atoms_as_its_column_says() -> None:
    found = made(interstitials=["Li"])

    assert [c.extra["defect_multiplicity"] for c in found] == [3, 8]
    for candidate in found:
        structure = candidate.structure.to_pymatgen()
        distances = structure.distance_matrix[-1][:-1]
        assert structure[-1].specie.symbol == "Li"
        assert min(distances) == pytest.approx(candidate.extra["defect_room_ang"], abs=1e-6)


def test_each_charge_is_a_candidate_of_its_own() -> None:
    found = made(vacancies=["O"], charges=[0, 1, 2])

    assert [c.structure.charge for c in found] == [0.0, 1.0, 2.0]
    assert [c.extra["defect_charge"] for c in found] == [0, 1, 2]
    assert len({c.id for c in found}) == 3


def test_moments_tell_sites_apart_and_new_atoms_have_none(tmp_path: Path) -> None:
    iron = Structure(
        lattice_ang=((2.9, 0.0, 0.0), (0.0, 2.9, 0.0), (0.0, 0.0, 2.9)),
        species=("Fe", "Fe"),
        frac_coords=((0.0, 0.0, 0.0), (0.5, 0.5, 0.5)),
        moments_bohr=(2.0, -2.0),
    )
    (tmp_path / "fe.json").write_text(iron.model_dump_json())
    files = {"kind": "structures", "files": "fe.json"}

    up, down = made(tmp_path, of=files, substitutions={"Fe": ["Cr"]})
    vacancy, _ = made(tmp_path, of=files, vacancies=True)
    between = made(tmp_path, of=files, interstitials=["H"], interstitial_distance_ang=0.5)[0]

    assert up.structure.moments_bohr == (0.0,) + (2.0,) * 7 + (-2.0,) * 8
    assert down.structure.moments_bohr == (2.0,) * 8 + (0.0,) + (-2.0,) * 7
    assert vacancy.structure.moments_bohr == (2.0,) * 7 + (-2.0,) * 8
    assert (between.structure.moments_bohr or ())[-1] == 0.0


def test_the_only_atom_of_a_cell_cannot_be_taken_away() -> None:
    copper = {"kind": "prototype", "prototype": "fcc", "species": {"A": ["Cu"]}}

    (candidate,) = made(of=copper, supercell=None, vacancies=True)

    with pytest.raises(UserError, match="Cu: has one atom: a vacancy needs a supercell"):
        _ = candidate.structure


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "no defects; give vacancies, substitutions, antisites or interstitials"),
        ({"vacancies": ["Ox"]}, "'Ox' is not an element"),
        ({"substitutions": {"Ti": ["Ti"]}}, "Ti: at least one element, all of them others"),
        ({"interstitials": ["li"]}, "did you mean 'Li'"),
        ({"vacancies": True, "charges": [1, 1]}, "lists a charge more than once"),
        ({"vacancies": True, "supercell": {}}, "exactly one of matrix"),
    ],
)
def test_mistakes_in_params_are_named(params: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        made(**params)
