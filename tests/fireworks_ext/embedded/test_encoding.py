import operator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from bson import Int64, ObjectId
from hypothesis import given
from hypothesis import strategies as st
from mongomock.filtering import bson_compare

from fireworks_ext.embedded.encoding import NULL, encode, searchable

scalars = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(2**53 - 3, 2**53 + 3),
    st.floats(allow_nan=False),
    st.booleans(),
    st.text(),
    st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)).map(  # noqa: DTZ001 - as BSON
        lambda date: date.replace(microsecond=date.microsecond // 1000 * 1000)
    ),
    st.binary(min_size=12, max_size=12).map(ObjectId),
)


@given(scalars, scalars)
def test_keys_compare_as_mongomock_compares_values(one: Any, other: Any) -> None:
    expected = bson_compare(operator.lt, one, other)
    assert (encode(one) < encode(other)) == expected
    if type(one) is type(other):
        assert (encode(one) == encode(other)) == (one == other)


def test_numbers_that_are_equal_have_one_key() -> None:
    assert encode(1) == encode(1.0) == encode(Int64(1))
    assert encode(0.0) == encode(-0.0)
    assert encode(2**53 + 1) != encode(float(2**53))


def test_a_date_with_a_time_zone_has_the_key_of_its_moment() -> None:
    there = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=5)))
    assert encode(there) == encode(there.astimezone(UTC).replace(tzinfo=None))


@pytest.mark.parametrize("value", [float("nan"), 2**63, {"a": 1}, [1], b"x", "\ud800"])
def test_values_without_a_useful_key_are_not_searched_by_it(value: Any) -> None:
    assert not searchable(value)


def test_null_is_below_every_value_but_the_empty_array() -> None:
    assert encode(None) == NULL
    assert encode(float("-inf")) > NULL
