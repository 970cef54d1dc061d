import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from runner.space.substitution import SubstitutionParams, plugin
from schemas.candidate import Candidate
from schemas.errors import UserError
from schemas.protocols import Surroundings
from schemas.structure import Structure

OLIVINE = {
    "kind": "prototype",
    "prototype": "olivine",
    "species": {"A": ["Li"], "M": ["Fe"], "T": ["P"], "X": ["O"]},
}
SALT = Structure(
    lattice_ang=((4.0, 0.0, 0.0), (0.0, 4.0, 0.0), (0.0, 0.0, 4.0)),
    species=("Na", "Cl"),
    frac_coords=((0.0, 0.0, 0.0), (0.5, 0.5, 0.5)),
    moments_bohr=(0.0, 1.0),
)


def made(folder: Path = Path(), **params: object) -> list[Candidate]:
    given = SubstitutionParams.model_validate(params)
    return list(plugin.candidates(given, Surroundings(folder=folder, seed=0)))


def test_similar_ions_come_the_likeliest_first_above_the_threshold() -> None:
    candidates = made(of=OLIVINE, keep=["O", "P"], threshold=2e-3)

    chances = [c.extra["substitution_probability"] for c in candidates]
    assert chances == sorted(chances, reverse=True)  # type: ignore[type-var]  # they are numbers
    assert min(chances) >= 2e-3  # type: ignore[type-var,operator]
    formulas = [c.formula for c in candidates]
    assert {"LiMnPO4", "LiMgPO4", "NaFePO4"} <= set(formulas)
    assert "LiFePO4" not in formulas


def test_a_candidate_keeps_the_lattice_and_says_its_parent_and_what_came() -> None:
    sodium = next(c for c in made(of=OLIVINE, at_most=1) if c.formula == "NaFePO4")

    assert sodium.structure.formula == "NaFePO4"
    assert sodium.sites == {"A": "Na", "M": "Fe", "T": "P", "X": "O"}
    assert sodium.extra["parent_formula"] == "LiFePO4"
    assert sodium.extra["substitutions"] == '{"Li+":"Na+"}'
    assert sodium.choice["replaced"] == {"Li+": "Na+"}
    (parent,) = {c.extra["parent"] for c in made(of=OLIVINE)}
    assert parent != sodium.id


def test_parents_are_read_from_files_one_after_the_other(tmp_path: Path) -> None:
    bromide = SALT.model_copy(update={"species": ("Na", "Br")})
    (tmp_path / "1.json").write_text(json.dumps([SALT.model_dump(), bromide.model_dump()]))

    candidates = made(
        tmp_path, of={"kind": "structures", "files": "*.json"}, per_parent=2, threshold=1e-4
    )

    assert [c.extra["parent_formula"] for c in candidates] == ["NaCl", "NaCl", "NaBr", "NaBr"]
    assert candidates[0].structure.lattice_ang == SALT.lattice_ang
    assert candidates[0].structure.moments_bohr is None
    assert [c.extra["file_index"] for c in candidates] == [0, 0, 1, 1]


def test_only_elements_that_may_come_do_and_charges_balance() -> None:
    salts = {"kind": "prototype", "prototype": "rocksalt", "species": {"A": ["Na"], "X": ["Cl"]}}

    few = made(of=salts, elements=["K", "Br"], threshold=1e-4)
    assert [c.formula for c in few] == ["KCl", "NaBr", "KBr"]
    some = made(of=salts, elements=["Mg", "O"], threshold=1e-5)
    assert [c.formula for c in some] == ["MgO"]
    charged = made(of=salts, elements=["Mg", "O"], threshold=1e-5, neutral=False)
    assert {"MgO", "MgCl", "NaO"} <= {c.formula for c in charged}


def test_a_parent_whose_states_are_not_known_is_a_row_with_the_reason() -> None:
    alloy = {"kind": "prototype", "prototype": "l1-0", "species": {"A": ["Cu"], "B": ["Ni"]}}

    (candidate,) = made(of=alloy)

    with pytest.raises(UserError, match=r"CuNi: no choice of oxidation states is neutral; give"):
        _ = candidate.structure


def test_given_states_of_parents_decide_which_ions_they_are() -> None:
    oxide = {"kind": "prototype", "prototype": "rocksalt", "species": {"A": ["Ti"], "X": ["O"]}}

    (failed,) = made(of=oxide)
    with pytest.raises(UserError, match="TiO: no choice of oxidation states"):
        _ = failed.structure
    assert made(of=oxide, oxidation_states={"Ti": [2]}, threshold=1e-4)[0].structure


def test_files_that_are_not_there_are_told_before_anything_is_made(tmp_path: Path) -> None:
    params = SubstitutionParams.model_validate({"of": {"kind": "structures", "files": "x.cif"}})

    with pytest.raises(UserError, match=r"of: there is no file 'x\.cif'"):
        plugin.count(params, Surroundings(folder=tmp_path, seed=0))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"of": OLIVINE, "keep": ["o"]}, "'o' is not an element"),
        ({"of": OLIVINE, "threshold": 0.0}, "greater than 0"),
        ({"of": OLIVINE, "at_most": 0}, "greater than or equal to 1"),
        ({"of": OLIVINE, "oxidation_states": {"Fe": []}}, "no states are given for Fe"),
        ({"of": {"kind": "prototipe"}}, "did you mean 'prototype'"),
    ],
)
def test_mistakes_in_params_are_named(params: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SubstitutionParams.model_validate(params)
