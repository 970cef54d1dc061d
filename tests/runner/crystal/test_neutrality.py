import json
from collections.abc import Mapping, Sequence

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.crystal.compositions import Compositions, compositions
from runner.crystal.elements import SYMBOLS
from runner.crystal.neutrality import Neutrality
from runner.crystal.oxidation import Assignment, Oxidation, StateTable
from runner.crystal.state_texts import states_json


def held(rows: Sequence[Mapping[str, int]]) -> Compositions:
    return compositions(
        pa.record_batch(
            {
                "elements": pa.array([list(row) for row in rows], pa.list_(pa.string())),
                "amounts": pa.array(
                    [[float(n) for n in row.values()] for row in rows], pa.list_(pa.float64())
                ),
            }
        )
    )


def found(rules: Oxidation, rows: Sequence[Mapping[str, int]]) -> list[Assignment]:
    batch = held(rows)
    answers = Neutrality(rules).assign(batch)
    texts = states_json(batch, answers).to_pylist()
    return [
        Assignment(
            neutral=None if neutral < 0 else bool(neutral),
            states=json.loads(text) if text else None,
            note=note,
        )
        for neutral, text, note in zip(
            answers.neutral.tolist(), texts, answers.notes.to_pylist(), strict=True
        )
    ]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.dictionaries(st.sampled_from(SYMBOLS[:96]), st.integers(1, 6), min_size=1, max_size=4),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from(("common", "all")),
    st.fixed_dictionaries({"ordered": st.booleans(), "mixed_valence": st.booleans()}),
)
def test_a_batch_is_given_the_assignments_that_search_finds_row_by_row(
    rows: list[dict[str, int]], states: StateTable, rule: dict[str, bool]
) -> None:
    rules = Oxidation(states, **rule)

    one_by_one = [rules.assign(list(row), list(row.values())) for row in rows]

    assert found(rules, rows) == one_by_one


def test_a_composition_with_too_many_choices_for_a_table_is_searched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rules = Oxidation("all", ordered=True, mixed_valence=False)
    rows = [{"Fe": 2, "Mn": 1, "O": 4}, {"Sr": 1, "Ti": 1, "O": 3}]
    from_table = found(rules, rows)
    monkeypatch.setattr("runner.crystal.neutrality.LARGEST_NUMBER_OF_CHOICES", 0)

    assert found(rules, rows) == from_table
    assert all(row.neutral for row in from_table)


def test_rows_are_the_same_when_few_choices_are_held_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rules = Oxidation("common", ordered=False, mixed_valence=False)
    rows = [{"Fe": n, "Mn": 1, "O": m} for n in range(1, 6) for m in range(1, 8)]
    at_once = found(rules, rows)
    monkeypatch.setattr("runner.crystal.neutrality.CHOICES_AT_ONCE", 3)

    assert found(rules, rows) == at_once
    assert {row.neutral for row in at_once} == {True, False}
