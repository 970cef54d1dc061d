"""Whole columns become what their values become one by one; the hash sees content, not groups."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.export.content import ColumnHash
from runner.export.rows import _converted, array_of, arrow_table
from schemas.columns import Column, ColumnType, arrow_type
from schemas.errors import UserError

NUMBERS = st.integers(-(2**70), 2**70) | st.floats() | st.booleans()
PLAIN = st.none() | NUMBERS | st.text(max_size=4)
TIMES = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)) | st.datetimes(  # noqa: DTZ001
    datetime(1900, 1, 1),  # noqa: DTZ001
    datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5))]),
)
NESTED = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)
VALUES: dict[ColumnType, st.SearchStrategy[Any]] = {
    "float": PLAIN,
    "int": PLAIN,
    "bool": PLAIN,
    "text": PLAIN,
    "timestamp": TIMES | st.none(),
    "texts": st.none() | st.lists(PLAIN, max_size=3) | st.text(max_size=2),
    "floats": st.none() | st.lists(PLAIN, max_size=3) | st.tuples(st.floats()),
    "json": st.none() | st.lists(NESTED, max_size=3) | st.dictionaries(st.text(max_size=2), NESTED),
}


class Word(StrEnum):
    ONE = "one"


def outcome(make: Any, values: list[Any], column: Column) -> Any:
    try:
        return make(values, column, str).to_pylist()
    except UserError as error:
        return str(error)


@pytest.mark.parametrize("kind", list(VALUES))
@given(data=st.data())
def test_a_column_becomes_what_its_values_become_one_by_one(kind: ColumnType, data: Any) -> None:
    values = data.draw(st.lists(VALUES[kind], max_size=4))
    column = Column("x", kind, "")
    assert outcome(array_of, values, column) == outcome(_converted, values, column)


@given(values=st.lists(st.floats(allow_nan=True) | st.none(), max_size=6))
@example(values=[float("inf"), None, float("nan"), -0.0])
def test_numbers_that_are_none_become_null(values: list[float | None]) -> None:
    column = Column("x", "float", "")
    assert outcome(array_of, values, column) == outcome(_converted, values, column)


def test_words_of_a_closed_list_are_text() -> None:
    assert outcome(array_of, [Word.ONE, None], Column("x", "text", "")) == ["one", None]


def hashed(kind: ColumnType, *groups: list[Any]) -> bytes:
    one = ColumnHash(Column("x", kind, ""))
    for group in groups:
        one.add(pa.array(group, arrow_type(kind)))
    return one.digest()


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("float", [1.0, None, -0.0, 0.0]),
        ("int", [1, None, 0, -1]),
        ("bool", [True, None, False, False]),
        ("text", ["a", None, "", "bc"]),
        ("timestamp", [datetime(2026, 1, 1), None, datetime(2026, 1, 2), None]),  # noqa: DTZ001
        ("texts", [["a", "b"], None, [], [None, ""]]),
        ("floats", [[1.0, None], None, [], [2.0]]),
    ],
)
def test_groups_leave_no_trace_in_the_hash_and_every_value_does(
    kind: ColumnType, values: list[Any]
) -> None:
    whole = hashed(kind, values)
    assert hashed(kind, values[:1], values[1:]) == whole
    assert hashed(kind, values[:3], [], values[3:]) == whole
    seen = {whole}
    for number in range(len(values)):
        changed = list(values)
        changed[number] = values[1] if values[number] is not None else values[0]
        seen.add(hashed(kind, changed))
    assert len(seen) == len(values) + 1


def test_a_sliced_array_has_the_hash_of_a_copy() -> None:
    array = pa.array(["aa", "b", None, "c"])
    one, two = ColumnHash(Column("x", "text", "")), ColumnHash(Column("x", "text", ""))
    one.add(array[1:])
    two.add(pa.array(array[1:].to_pylist()))
    assert one.digest() == two.digest()


def test_neighbours_do_not_run_into_each_other() -> None:
    assert hashed("text", ["ab", "c"]) != hashed("text", ["a", "bc"])
    assert hashed("texts", [["a"], ["b"]]) != hashed("texts", [["a", "b"], []])


def test_rows_are_sorted_by_candidate() -> None:
    column = Column("candidate_id", "text", "")
    table = arrow_table([{"candidate_id": name} for name in "bac"], (column,))
    assert table.column(0).to_pylist() == ["a", "b", "c"]
