"""What is read from the bytes of documents is what their values become as Python objects."""

from __future__ import annotations

import random
import re
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any

import bson
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.export.arrays import array
from runner.export.fields import Fields, fields
from runner.export.json_arrays import json_texts
from runner.export.rows import array_of, json_text
from runner.export.structures import structure_texts
from schemas.columns import Column, ColumnType
from schemas.errors import UserError
from schemas.structure import Structure

WHOLE = st.integers(-(2**63), 2**63 - 1)
PLAIN = st.none() | WHOLE | st.floats() | st.booleans() | st.text(max_size=4)
T0 = datetime(2026, 1, 1)  # noqa: DTZ001
TIMES = st.integers(-(10**12), 10**12).map(lambda ms: T0 + timedelta(milliseconds=ms))
NESTED = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)
NUMBERS = st.integers(1, 3).flatmap(
    lambda n: st.lists(st.lists(st.floats(), min_size=n, max_size=n), min_size=1, max_size=3)
)
NAMES = ["a", "b", "longer", "longest", "longest_", "longest_one", "the_longest_name_of_all_names"]
VALUES: dict[ColumnType, st.SearchStrategy[Any]] = {
    "float": st.floats() | st.none() | st.integers(-9, 9),
    "int": WHOLE | st.none(),
    "bool": st.booleans() | st.none(),
    "text": st.text(max_size=20) | st.none(),
    "timestamp": TIMES | st.none(),
    "texts": st.lists(st.text(max_size=3), max_size=3) | st.none(),
    "floats": st.lists(st.floats(), max_size=3) | st.none(),
    "json": NESTED | NUMBERS | st.lists(st.floats(), min_size=2, max_size=3),
}


def read(documents: list[dict[str, Any]], *names: str) -> Fields:
    blobs = [bson.encode(one) for one in documents]
    starts = [0, *accumulate(map(len, blobs))][: len(blobs)]
    return fields(b"".join(blobs) + bytes(8), starts, names)


def outcome(make: Any) -> Any:
    try:
        return make()
    except UserError as error:
        return str(error)


def same(values: list[Any], column: Column, *, absent: int | None = None) -> None:
    documents = [
        {"n": n} if n == absent else {"n": n, "x": value, "z": 1} for n, value in enumerate(values)
    ]
    plain = [bson.decode(bson.encode(one)).get("x") for one in documents]
    expected = outcome(lambda: array_of(plain, column, str).to_pylist())
    found = outcome(lambda: array(read(documents, "n", "x")["x"], column, str).to_pylist())
    assert found == expected


@pytest.mark.parametrize("kind", list(VALUES))
@given(data=st.data())
def test_a_field_becomes_what_its_values_become(kind: ColumnType, data: Any) -> None:
    strategy = VALUES[kind] if data.draw(st.booleans()) else VALUES[kind] | PLAIN
    values = data.draw(st.lists(strategy, max_size=8))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("runner.export.fields._FEW", data.draw(st.sampled_from([0, 8])))
        same(values, Column("x", kind, ""), absent=data.draw(st.none() | st.integers(0, 8)))


@given(
    some=st.lists(st.dictionaries(st.sampled_from(NAMES), NESTED), max_size=12),
    times=st.sampled_from([1, 4]),
)
@example([*[{"a": 1, NAMES[-1]: 2}] * 12, {"a": 1}], 1)
def test_fields_are_found_in_whatever_order_they_stand(
    some: list[dict[str, Any]], times: int
) -> None:
    documents = some * times
    wanted = NAMES[::2]
    found = read(documents, *wanted)
    for name in wanted:
        values = [found[name].python(row) for row in range(len(documents))]
        plain = [bson.decode(bson.encode(one)).get(name) for one in documents]
        assert repr(values) == repr(plain)  # NaN is not itself


def test_what_is_in_documents_without_being_asked_for_is_named() -> None:
    documents = [{"v": {"a": 1} | ({"odd": n} if n in {3, 15} else {})} for n in range(20)]
    inner = read(documents, "v")["v"].inner(("a", "b"), others=True)
    assert inner.others == {"odd": 3}
    assert inner["b"].is_null.all()


@pytest.mark.parametrize("number", [1, 20])
def test_a_value_that_no_ledger_holds_is_refused(number: int) -> None:
    with pytest.raises(UserError, match="BSON type 11, which no result has"):
        read([{"y": re.compile("a"), "x": 1.0}] * number, "x")


def test_fields_of_some_documents_are_spread_over_rows() -> None:
    found = read([{"x": float(n)} for n in range(3)], "x").spread(np.array([4, 0, 2]), 5)
    column = Column("x", "float", "")
    assert array(found["x"], column, str).to_pylist() == [1.0, None, 2.0, None, 0.0]


@given(st.lists(NUMBERS | st.lists(st.floats(), max_size=3), min_size=2, max_size=12))
@example([[[1.0, float("nan")], [-0.0, 1e-7]]] * 9 + [[[1.0, 2.0], [3, 4.0]]])
def test_lists_of_numbers_are_written_as_one_by_one(values: list[Any]) -> None:
    found = json_texts(read([{"x": value} for value in values], "x")["x"])
    assert found.to_pylist() == [json_text(value) for value in values]


def test_a_text_that_is_no_json_is_refused_with_its_row() -> None:
    found = read([{"x": "[1]"}] * 9 + [{"x": "{not json"}], "x")
    with pytest.raises(UserError, match=r"row 9: column 'x' takes json, found str '\{not json'"):
        array(found["x"], Column("x", "json", ""), lambda row: f"row {row}")


def cell(chance: random.Random, atoms: int, **fields: Any) -> Structure:
    return Structure(
        lattice_ang=((4.0 + chance.random(), 0.0, 0.0), (0.0, 4.0, 1e-7), (0.0, 0.0, 1e22)),
        species=tuple(chance.choices(["Sr", "Ti", "O"], k=atoms)),
        frac_coords=tuple((chance.random(), n / atoms, -0.0) for n in range(atoms)),
        **fields,
    )


@pytest.mark.parametrize("rows", [4, 40])
def test_a_stored_cell_is_published_as_the_structure_writes_it(rows: int) -> None:
    chance = random.Random(rows)
    cells: list[Structure | None] = [cell(chance, chance.choice([1, 2, 5])) for _ in range(rows)]
    cells += [None, cell(chance, 2, charge=-1.0), cell(chance, 2, moments_bohr=(0.5, -0.5))]
    documents: list[dict[str, Any]] = [{"x": one and one.flat()} for one in cells]
    documents += [{"x": one and one.model_dump()} for one in cells]  # as it was stored once
    found = structure_texts(read(documents, "x")["x"], str).to_pylist()
    expected = [one and json_text(one.model_dump(mode="json")) for one in cells]
    assert found == expected * 2


def test_a_stored_cell_without_vectors_is_refused_with_its_row() -> None:
    whole = cell(random.Random(1), 2).flat()
    broken = {name: value for name, value in whole.items() if name != "frac_coords"}
    found = read([{"x": whole}, {"x": None}, {"x": broken}], "x")
    with pytest.raises(UserError, match="row 2: the structure has no vectors"):
        structure_texts(found["x"], lambda row: f"row {row}")


def test_arrays_keep_nothing_of_the_bytes_that_they_were_read_from() -> None:
    values = read([{"x": "ab", "filler": "c" * 10_000} for _ in range(9)], "x")["x"]
    texts = array(values, Column("x", "text", ""), str)
    assert isinstance(texts, pa.StringArray)
    assert texts.get_total_buffer_size() < 1000
