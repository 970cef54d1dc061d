from collections.abc import Mapping
from itertools import islice
from math import gcd
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from runner.crystal.elements import SYMBOLS, element
from runner.crystal.oxidation import oxidation
from runner.space import prototype
from runner.space.compositions import CompositionsParams, plugin
from schemas.candidate import Candidate
from schemas.errors import UserError
from schemas.protocols import Surroundings

HERE = Surroundings(folder=Path(), seed=0)
LAYERED: Mapping[str, Any] = {
    "prototype": "layered-o3",
    "species": {"A": ["Li", "Na"], "M": ["Ti", "Fe", "Co"], "X": ["O", "F"]},
}


def made(**params: object) -> list[Candidate]:
    return list(plugin.candidates(CompositionsParams.model_validate(params), HERE))


def test_only_balanced_ones_are_made_with_the_states_that_balance_them() -> None:
    candidates = made(**LAYERED)

    assert [c.formula for c in candidates] == ["LiFeO2", "LiCoO2", "NaFeO2", "NaCoO2"]
    assert {c.extra["states_by_site"] for c in candidates} == {'{"A":1,"M":3,"X":-2}'}
    assert made(**LAYERED, states="all")[0].formula == "LiTiO2"


def test_without_balance_the_cells_are_those_of_the_prototype_generator() -> None:
    ours = made(**LAYERED, neutral=False)
    params = prototype.PrototypeParams.model_validate(LAYERED)
    theirs = list(prototype.plugin.candidates(params, HERE))

    assert [c.id for c in ours] == [c.id for c in theirs]
    assert (
        plugin.count(CompositionsParams.model_validate({**LAYERED, "neutral": False}), HERE) == 12
    )


def test_they_are_those_that_the_rules_of_oxidation_find_neutral() -> None:
    elements = [s for s in SYMBOLS[:57] if element(s).common_states]
    species = {"A": elements, "B": ["Ti", "Nb", "Fe"], "X": ["O", "F", "N"]}
    rules = oxidation("common", ordered=False, mixed_valence=False)
    params = prototype.PrototypeParams.model_validate(
        {"prototype": "perovskite-cubic", "species": species}
    )

    expected = {
        c.formula
        for c in prototype.plugin.candidates(params, HERE)
        if len(c.composition) == 3
        and rules.assign(tuple(c.composition), tuple(c.composition.values())).neutral
    }
    found = made(prototype="perovskite-cubic", species=species, repeated=False)

    assert expected
    assert {c.formula for c in found} == expected


def test_an_element_may_be_in_two_states_on_two_labels() -> None:
    spinel = {"prototype": "spinel", "species": {"A": ["Fe"], "B": ["Fe"], "X": ["O"]}}

    (magnetite,) = made(**spinel)

    assert magnetite.formula == "Fe3O4"
    assert magnetite.extra["states_by_site"] == '{"A":2,"B":3,"X":-2}'
    assert made(**spinel, repeated=False) == []


def test_given_states_take_the_place_of_the_table_and_make_the_count_known() -> None:
    params = CompositionsParams.model_validate(
        {
            "prototype": "olivine",
            "species": {"A": ["Li", "Na"], "M": ["Mn", "Fe"], "T": ["P", "Si"], "X": ["O"]},
            "oxidation_states": {
                "Li": [1], "Na": [1], "Mn": [2, 3], "Fe": [2], "P": [5], "Si": [4], "O": [-2],
            },
        }
    )  # fmt: skip
    formulas = [c.formula for c in plugin.candidates(params, HERE)]

    assert formulas == [
        "LiMnPO4", "LiMnSiO4", "LiFePO4", "NaMnPO4", "NaMnSiO4", "NaFePO4",
    ]  # fmt: skip
    assert plugin.count(params, HERE) == len(formulas)


def test_no_cation_is_more_electronegative_than_an_anion_where_that_is_asked_for() -> None:
    # Carbon is the cation with -4 of silicon: 2.55 against 1.9.
    asked = {"amounts": {"A": 1, "X": 1}, "species": {"A": ["C"], "X": ["Si"]}}
    states = {"C": [4], "Si": [-4]}

    assert len(made(**asked, oxidation_states=states)) == 1
    assert made(**asked, oxidation_states=states, ordered=True) == []


def test_amounts_multiply_fractions_become_whole_and_each_ratio_comes_once() -> None:
    candidates = made(
        species={"A": ["Li"], "M": ["Mn"], "X": ["O"]},
        amounts={"A": [0.5, 1, 2], "M": [1, 2], "X": [2, 4]},
        neutral=False,
    )

    amounts = [tuple(c.composition.values()) for c in candidates]
    assert amounts[:4] == [(1, 2, 4), (1, 2, 8), (1, 4, 4), (1, 4, 8)]
    assert len(set(amounts)) == len(amounts)
    assert all(gcd(*one) == 1 for one in amounts)
    thirds = made(species={"A": ["Na"], "X": ["O"]}, amounts={"A": 0.3333, "X": 1}, neutral=False)
    assert thirds[0].composition == {"Na": 1, "O": 3}


def test_a_composition_without_a_cell_says_what_to_do_when_one_is_asked_for() -> None:
    (salt,) = made(species={"A": ["Na"], "X": ["Cl"]}, amounts={"A": 1, "X": 1})

    assert salt.row()["choice"] == '{"amounts":{"A":1,"X":1},"species":{"A":"Na","X":"Cl"}}'
    with pytest.raises(UserError, match="NaCl is a composition without a cell; give `prototype`"):
        _ = salt.structure


def test_the_first_are_made_without_the_rest() -> None:
    elements = SYMBOLS[2:9] + SYMBOLS[10:17]
    params = CompositionsParams(
        species=dict.fromkeys("ABCDEF", elements),
        amounts=dict.fromkeys("ABCDEF", (1.0, 2.0, 3.0)),
    )

    first = list(islice(plugin.candidates(params, HERE), 5))

    assert len(first) == 5


def test_an_element_without_states_is_named_and_not_dropped() -> None:
    with pytest.raises(UserError, match=r"no common oxidation states of Ne .* \{Ne: \[\.\.\.\]\}"):
        made(species={"A": ["Na", "Ne"], "X": ["Cl"]}, amounts={"A": 1, "X": 1})


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"species": {"A": ["Na"]}}, "found neither of prototype and amounts"),
        (
            {"species": {"A": ["Na"]}, "amounts": {"A": 1}, "prototype": "fcc"},
            "found both of prototype and amounts",
        ),
        ({"species": {"A": ["Na"]}, "amounts": {"B": 1}}, "expected the labels of species: A"),
        ({"species": {"A": ["Na"]}, "amounts": {"A": 0}}, "greater than or equal"),
        ({"species": {"A": ["Na"]}, "amounts": {"A": []}}, "A has none"),
        ({"species": {}, "amounts": {}}, "at least one label"),
        (
            {"species": {"A": ["Na"]}, "amounts": {"A": 1}, "lattice_ang": 3.0},
            "lattice_ang: needs a prototype",
        ),
        (
            {"species": {"A": ["Na"], "B": ["K"]}, "amounts": {"A": [1.0] * 400, "B": [1.0] * 400}},
            "make 160,000 stoichiometries, expected at most 100,000",
        ),
        ({**LAYERED, "oxidation_states": {"fe": [2]}}, "'fe' is not an element"),
        ({**LAYERED, "oxidation_states": {"Fe": []}}, "no states are given for Fe"),
        ({**LAYERED, "prototype": "layered-o4"}, "did you mean 'layered-o3'"),
    ],
)
def test_mistakes_in_params_are_named(params: Mapping[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        CompositionsParams.model_validate(params)
