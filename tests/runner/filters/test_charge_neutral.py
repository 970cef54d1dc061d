import json
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
