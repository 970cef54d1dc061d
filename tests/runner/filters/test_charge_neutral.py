import json
import random
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from pymatgen.core import Composition
from smact import Element as SmactElement
from smact.screening import smact_validity

from runner.crystal.elements import SYMBOLS, element
from runner.filters.charge_neutral import ChargeNeutralParams, plugin
from schemas.protocols import Surroundings

HERE = Surroundings(folder=Path(), seed=0)


def scored(*compositions: Mapping[str, int], **params: object) -> list[dict[str, object]]:
    batch = pa.record_batch(
        {
            "elements": pa.array([sorted(c) for c in compositions], pa.list_(pa.string())),
            "amounts": pa.array(
                [[float(c[e]) for e in sorted(c)] for c in compositions], pa.list_(pa.float64())
            ),
        }
    )
    rows: list[dict[str, object]] = plugin.scorer(ChargeNeutralParams.model_validate(params), HERE)(
        batch
    ).to_pylist()
    return rows


@pytest.mark.parametrize(
    ("composition", "states"),
    [
        ({"Sr": 1, "Ti": 1, "O": 3}, {"Sr": 2, "Ti": 4, "O": -2}),
        ({"Ca": 1, "Sn": 1, "Se": 3}, {"Ca": 2, "Sn": 4, "Se": -2}),
        ({"Cs": 2, "Pb": 2, "I": 6}, {"Cs": 1, "Pb": 2, "I": -1}),
        ({"Fe": 2, "O": 3}, {"Fe": 3, "O": -2}),
        ({"Ga": 1, "As": 1}, {"Ga": 3, "As": -3}),
        ({"Si": 2}, {"Si": 0}),
        ({"Na": 1, "Cl": 2}, None),
        ({"Cu": 3, "Au": 1}, None),
    ],
)
def test_known_compounds_get_the_states_that_chemists_give_them(
    composition: Mapping[str, int], states: Mapping[str, int] | None
) -> None:
    (row,) = scored(composition)

    assert row["charge_neutral"] is (states is not None)
    assert json.loads(str(row["oxidation_states"] or "null")) == states
    assert (row["note"], row["error"]) == (None, None)


def test_an_element_without_states_is_unknown_and_not_rejected() -> None:
    (row,) = scored({"Ar": 1, "O": 1})

    assert row["charge_neutral"] is None
    assert row["note"] == "no common oxidation states of Ar"


def test_magnetite_is_neutral_only_with_mixed_valence() -> None:
    (fixed,) = scored({"Fe": 3, "O": 4})
    (mixed,) = scored({"Fe": 3, "O": 4}, mixed_valence=True)

    assert fixed["charge_neutral"] is False
    assert json.loads(str(mixed["oxidation_states"])) == {"Fe": {"2": 1, "3": 2}, "O": -2}


def test_the_electronegativity_test_refuses_cations_that_hold_electrons_tighter() -> None:
    # Gold (2.54) as the cation of hydrogen (2.20).
    (free,) = scored({"Au": 1, "H": 3})
    (ordered,) = scored({"Au": 1, "H": 3}, ordered=True)

    assert free["charge_neutral"] is True
    assert ordered["charge_neutral"] is False


def test_all_states_reach_further_than_common_ones() -> None:
    titanium_monoxide = {"Ti": 1, "O": 1}

    assert scored(titanium_monoxide)[0]["charge_neutral"] is False
    assert scored(titanium_monoxide, states="all")[0]["charge_neutral"] is True


@pytest.mark.parametrize(
    ("composition", "states"),
    [
        ({"Ni": 1, "O": 1}, {"Ni": 2, "O": -2}),
        ({"La": 1, "Mn": 1, "O": 3}, {"La": 3, "Mn": 3, "O": -2}),
        ({"Li": 1, "Ni": 1, "O": 2}, {"Li": 1, "Ni": 3, "O": -2}),
        ({"Sr": 1, "Fe": 1, "O": 3}, {"Sr": 2, "Fe": 4, "O": -2}),
        ({"Ba": 1, "O": 2}, {"Ba": 2, "O": -1}),
    ],
)
def test_among_all_states_common_ones_are_preferred(
    composition: Mapping[str, int], states: Mapping[str, int]
) -> None:
    (row,) = scored(composition, states="all")

    assert json.loads(str(row["oxidation_states"])) == states


def test_other_states_of_an_element_take_the_place_of_the_tables() -> None:
    nickelate = {"Li": 1, "Ni": 1, "O": 2}

    (table,) = scored(nickelate)
    (other,) = scored(nickelate, other_states={"Ni": [2, 3, 4]})
    (none,) = scored(nickelate, other_states={"Ni": []})

    assert table["charge_neutral"] is False
    assert json.loads(str(other["oxidation_states"])) == {"Li": 1, "Ni": 3, "O": -2}
    assert none["note"] == "no common oxidation states of Ni"


@pytest.mark.parametrize("states", [{"Nl": [2]}, {"Ni": [40]}])
def test_states_of_what_is_no_element_and_impossible_ones_are_refused(states: object) -> None:
    with pytest.raises(ValidationError, match=r"not an element|less than or equal to 12"):
        ChargeNeutralParams.model_validate({"other_states": states})


def test_the_verdicts_are_those_of_smact_on_the_same_states() -> None:
    # Elements to which both give one electronegativity, no two of them the same: it refuses ties.
    known = {s: SmactElement(s) for s in SYMBOLS[:94]}
    same = {s: of.pauling_eneg for s, of in known.items()}
    same = {s: value for s, value in same.items() if value == element(s).electronegativity}
    rng = random.Random(3)
    rows = [
        {
            symbol: rng.randint(1, 6)
            for symbol in sorted(rng.sample(sorted(same), rng.choice((2, 3))))
        }
        for _ in range(400)
    ]
    rows = [row for row in rows if len({same[symbol] for symbol in row}) == len(row)]
    states = {s: of.oxidation_states_icsd24 or [] for s, of in known.items()}

    ours = scored(*rows, ordered=True, other_states=states)
    theirs = [
        smact_validity(Composition(row), include_alloys=False, oxidation_states_set="icsd24")
        for row in rows
    ]

    # What cannot be known is refused there.
    assert [bool(row["charge_neutral"]) for row in ours] == theirs
    assert 50 < sum(theirs) < len(theirs) - 50


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.sampled_from(SYMBOLS[:94]), st.integers(1, 6), min_size=2, max_size=4),
    st.integers(2, 4),
)
def test_the_states_found_sum_to_zero_and_are_the_same_for_a_supercell(
    composition: dict[str, int], multiple: int
) -> None:
    row, larger = scored(composition, {e: n * multiple for e, n in composition.items()})

    assert row == larger
    if row["charge_neutral"]:
        states = json.loads(str(row["oxidation_states"]))
        assert sum(states[e] * n for e, n in composition.items()) == 0
        assert all(states[e] in element(e).common_states for e in composition)
