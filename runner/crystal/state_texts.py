"""Assignments of oxidation states as JSON, many at once."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from runner.crystal.compositions import Compositions, symbol_ranks
from runner.crystal.elements import SYMBOLS
from runner.crystal.neutrality import Answers
from runner.crystal.oxidation import LARGEST_STATE, Assignment
from schemas.identity import canonical_json
from schemas.model import JsonValue

if TYPE_CHECKING:
    import pyarrow as pa


def states_json(compositions: Compositions, answers: Answers) -> pa.StringArray:
    """Return the states of neutral rows as canonical JSON (`{"O":-2,"Sr":2}`), null elsewhere."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    texts, rows = [pa.nulls(1, pa.string())], []
    neutral = answers.neutral == 1
    neutral[list(answers.mixed)] = False
    for group in compositions.groups():
        kept = neutral[group.rows]
        numbers = group.numbers[kept]
        if not len(numbers):
            continue
        places = compositions.starts[group.rows[kept]][:, None] + np.arange(numbers.shape[1])
        codes = (numbers * (2 * LARGEST_STATE + 1)) + answers.states[places] + LARGEST_STATE
        by_symbol = np.argsort(symbol_ranks()[numbers], axis=1)
        codes = np.take_along_axis(codes, by_symbol, axis=1)
        parts = [_fragments().take(pa.array(column)) for column in codes.T]
        joined = pc.binary_join_element_wise(*parts, ",")
        texts.append(pc.binary_join_element_wise(pa.scalar("{"), joined, pa.scalar("}"), ""))
        rows.append(group.rows[kept])
    if answers.mixed:
        texts.append(pa.array([_mixed(one) for one in answers.mixed.values()], pa.string()))
        rows.append(np.array(list(answers.mixed), np.int64))
    where = np.zeros(len(compositions), np.int64)  # the null that stands first
    if rows:
        flat = np.concatenate(rows)
        where[flat] = np.arange(1, len(flat) + 1)
    return pa.concat_arrays(texts).take(pa.array(where))


@cache
def _fragments() -> pa.StringArray:
    """Return `"O":-2` for every element and state."""
    import pyarrow as pa

    states = range(-LARGEST_STATE, LARGEST_STATE + 1)
    return pa.array([f'"{symbol}":{state}' for symbol in ("", *SYMBOLS) for state in states])


def _mixed(answer: Assignment) -> str:
    # A copy: the type of JSON does not take in a mapping of narrower values.
    states: dict[str, JsonValue] = {}
    for symbol, state in (answer.states or {}).items():
        states[symbol] = state if isinstance(state, int) else {**state}
    return canonical_json(states)
