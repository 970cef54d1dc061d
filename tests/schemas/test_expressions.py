import contextlib
import math
from datetime import datetime

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.columns import ColumnType, arrow_type
from schemas.expressions import ExpressionError, parse

COLUMNS: dict[str, ColumnType] = {
    "tolerance_factor": "float",
    "n_atoms": "int",
    "charge_neutral": "bool",
    "formula": "text",
    "elements": "texts",
    "amounts": "floats",
    "made_at": "timestamp",
    "choice": "json",
    "scf.band_gap_ev": "float",
    "scf.converged": "bool",
}
ROW = {
    "tolerance_factor": 0.9,
    "n_atoms": 5,
    "charge_neutral": True,
    "formula": "SrTiO3",
    "elements": ["O", "Sr", "Ti"],
    "amounts": [3.0, 1.0, 1.0],
    "made_at": datetime(2026, 1, 1),  # noqa: DTZ001  (naive UTC by definition)
    "choice": "{}",
    "scf.band_gap_ev": None,
    "scf.converged": None,
}

VERDICTS = {
    "0.80 <= tolerance_factor <= 1.05": True,
    "0.80 <= tolerance_factor < 0.9": False,
    "charge_neutral": True,
    "not charge_neutral": False,
    "n_atoms == 5 and formula == 'SrTiO3'": True,
    'formula != "SrTiO3"': False,
    "'Ti' in elements": True,
    "'Pb' not in elements": True,
    "formula in ['BaTiO3', 'SrTiO3',]": True,
    "n_atoms in [1, -2, 5]": True,
    "n_atoms not in [5]": False,
    "3 in amounts": True,
    "scf.band_gap_ev is null": True,
    "scf.band_gap_ev is not null": False,
    "scf.band_gap_ev > 0.3": None,
    "scf.band_gap_ev > 0.3 and n_atoms > 9": False,
    "scf.band_gap_ev > 0.3 or n_atoms < 9": True,
    "not scf.converged": None,
    "1 < n_atoms < scf.band_gap_ev": None,
    "9 < n_atoms < scf.band_gap_ev": False,
    "n_atoms / 0 > 1": None,
    "n_atoms / 0 is null": True,
    "(0 - 8) ** 0.5 is null": True,
    "10 ** 300 * 10 ** 300 is null": True,
    "-n_atoms ** 2 == 0 - 25": True,
    "2 ** 3 ** 2 == 512": True,
    "2 ** -1 == 0.5": True,
    "10 - 4 - 3 == 3": True,
    "12 / 2 / 3 == 2": True,
    "1 + 2 * 3 == 7": True,
    "(1 + 2) * 3 == 9": True,
    "1e-3 == .001": True,
    "true": True,
    "charge_neutral == false": False,
    "'a' < 'b'": True,
    "made_at == made_at": True,
}


@pytest.mark.parametrize(("text", "verdict"), VERDICTS.items(), ids=VERDICTS)
def test_an_expression_has_the_same_verdict_for_a_row_and_for_a_batch(
    text: str,
    verdict: bool | None,  # noqa: FBT001  (a table of cases)
) -> None:
    expression = parse(text)
    assert expression.problems(COLUMNS) == []
    assert expression.evaluate(ROW) is verdict
    assert expression.evaluate_batch(batch([ROW] * 3)).to_pylist() == [verdict] * 3
    assert expression.evaluate_batch(batch([])).to_pylist() == []


def batch(rows: list[dict[str, object]]) -> pa.RecordBatch:
    return pa.record_batch(
        {
            name: pa.array([row.get(name) for row in rows], type=arrow_type(kind))
            for name, kind in COLUMNS.items()
        }
    )


def test_the_names_of_an_expression_are_those_it_reads() -> None:
    assert parse("a + b.c_d > 1 and 'x' in e").names == {"a", "b.c_d", "e"}


def test_a_nan_in_a_column_is_unknown() -> None:
    row = {"tolerance_factor": math.nan}
    expression = parse("tolerance_factor > 0")
    assert expression.evaluate(row) is None
    assert expression.evaluate_batch(batch([row])).to_pylist() == [None]


def test_a_null_in_a_list_leaves_membership_unknown() -> None:
    row = {"elements": ["O", None]}
    for text, verdict in (("'O' in elements", True), ("'Ti' in elements", None)):
        assert parse(text).evaluate(row) is verdict
        assert parse(text).evaluate_batch(batch([row])).to_pylist() == [verdict]


def test_a_batch_without_the_column_is_refused() -> None:
    with pytest.raises(KeyError):
        parse("other > 1").evaluate_batch(batch([ROW]))


def test_dictionary_and_32_bit_columns_are_read_like_others() -> None:
    table = pa.record_batch(
        {
            "formula": pa.array(["a", "b", None]).dictionary_encode(),
            "tolerance_factor": pa.array([0.5, None, 2.0], pa.float32()),
        }
    )
    verdict = parse("formula == 'a' or tolerance_factor > 1").evaluate_batch(table)
    assert verdict.to_pylist() == [True, None, True]


ERRORS = {
    "": ("found nothing", 1),
    "   ": ("found nothing", 1),
    "n_atoms >": ("ends too early", 10),
    "(n_atoms > 3": ("ends too early", 13),
    "n_atoms > 3)": ("found ')' where it cannot stand", 12),
    "n_atoms = 3": ("`==` compares", 9),
    "a && b": ("write `and`", 3),
    "a || b": ("write `or`", 3),
    "!a": ("write `not`", 1),
    "2 ^ 3 > 1": ("write `**`", 3),
    "a % 2 == 0": ("there is no remainder", 3),
    "formula == 'x": ("a quote that is not closed", 12),
    "a b": ("found 'b' where it cannot stand", 3),
    "0.8x > 1": ("found 'x'", 4),
    "a in []": ("found ']'", 7),
    "a in [1, 'x']": ("mixes numbers and texts", 6),
    "1e999 > 2": ("beyond the largest number", 1),
    "reference(Li) > 1": ("functions such as reference", 10),
    "x == \u00e9": ("found '\u00e9'", 6),
    "not " * 400 + "a": ("nested more than 50 levels", 1401),
    "-" * 300 + "1 > 2": ("nested more than 50 levels", 251),
    "2 ** " * 200 + "1 > 2": ("nested more than 50 levels", 751),
    "a" * 2001: ("at most 2000", 2001),
}


@pytest.mark.parametrize(("text", "expected"), ERRORS.items(), ids=[t[:20] for t in ERRORS])
def test_what_is_no_expression_is_refused_with_its_column(
    text: str, expected: tuple[str, int]
) -> None:
    message, column = expected
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert message in str(caught.value)
    assert caught.value.column == column


PROBLEMS = {
    "tolerance_factor > 'x'": "tolerance_factor is a number and 'x' is text",
    "tolerence_factor > 1": "no column 'tolerence_factor'; did you mean 'tolerance_factor'?",
    "sfc.band_gap_ev > 1": "no stage 'sfc'; did you mean 'scf'?",
    "scf.band_gap > 1": "scf has no column 'band_gap'; did you mean 'band_gap_ev'?",
    "n_atoms": "found a number, expected a truth value",
    "n_atoms and charge_neutral": "`and` joins truth values and n_atoms is a number",
    "not n_atoms": "`not` takes a truth value and n_atoms is a number",
    "formula + 1 > 2": "`+` calculates with numbers and formula is text",
    "-formula > 2": "`-` takes a number and formula is text",
    "formula == null": "nothing compares with null; write `formula is null`",
    "elements == ['O']": "`==` does not compare elements, a list of texts",
    "charge_neutral < true": "`<` does not compare charge_neutral, a truth value",
    "n_atoms in elements": "n_atoms is a number and elements is a list of texts",
    "'a' in formula": "`in` looks into a list and formula is text",
    "choice == 'x'": "choice is a JSON value and 'x' is text",
    "made_at > 3": "made_at is a time and 3 is a number",
}


@pytest.mark.parametrize(("text", "message"), PROBLEMS.items(), ids=PROBLEMS)
def test_an_expression_of_the_wrong_kind_has_a_problem(text: str, message: str) -> None:
    problems = parse(text).problems(COLUMNS)
    assert len(problems) == 1
    assert problems[0].startswith(message)


def test_deep_brackets_and_long_sums_are_read() -> None:
    assert parse("(" * 900 + "charge_neutral" + ")" * 900).evaluate(ROW) is True
    long = parse(" + ".join(["n_atoms"] * 190) + " == 950")
    assert long.evaluate(ROW) is True
    assert long.evaluate_batch(batch([ROW])).to_pylist() == [True]


@given(st.text(max_size=60) | st.text("ab.1'\"()[]<>=!+-*/, \nnotinsrude", max_size=60))
def test_no_text_fails_in_another_way(text: str) -> None:
    with contextlib.suppress(ExpressionError):
        parse(text).problems(COLUMNS)


NUMBERS = st.floats(-1e3, 1e3) | st.integers(-5, 5) | st.sampled_from([0.0, 1e308, 1e-308])
numbers = st.recursive(
    st.sampled_from(["tolerance_factor", "n_atoms", "scf.band_gap_ev", "0", "2.5", "1e300"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/"]), inner).map(
            lambda p: f"({p[0]} {p[1]} {p[2]})"
        ),
        inner.map(lambda text: f"-({text})"),
        # Powers are compared where rounding cannot differ between two implementations.
        inner.map(lambda text: f"(({text}) ** 2)"),
    ),
    max_leaves=4,
)
comparisons = st.one_of(
    st.tuples(numbers, st.sampled_from(["<", "<=", "==", "!=", ">", ">="]), numbers).map(" ".join),
    st.tuples(numbers, numbers, numbers).map(lambda p: f"{p[0]} <= {p[1]} < {p[2]}"),
    numbers.map(lambda text: f"{text} is null"),
    st.sampled_from(
        [
            "charge_neutral", "scf.converged", "charge_neutral == scf.converged", "true",
            "'O' in elements", "formula in elements", "formula not in ['a', 'b']", "formula < 'b'",
            "n_atoms in amounts", "tolerance_factor not in amounts", "elements is not null",
            "n_atoms in [1, 2, 3]",
        ]
    ),
)  # fmt: skip
truths = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(
            lambda p: f"({p[0]}) {p[1]} ({p[2]})"
        ),
        inner.map(lambda text: f"not ({text})"),
    ),
    max_leaves=4,
)


def maybe(strategy: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.none() | strategy


rows = st.fixed_dictionaries(
    {
        "tolerance_factor": maybe(st.floats(allow_nan=True, allow_infinity=True) | NUMBERS),
        "n_atoms": maybe(st.integers(-3, 3)),
        "charge_neutral": maybe(st.booleans()),
        "formula": maybe(st.sampled_from(["a", "b", "O"])),
        "elements": maybe(st.lists(maybe(st.sampled_from(["O", "a"])), max_size=3)),
        "amounts": maybe(st.lists(maybe(st.sampled_from([1.0, 2.0])), max_size=3)),
        "scf.band_gap_ev": maybe(NUMBERS),
        "scf.converged": maybe(st.booleans()),
    }
)


@settings(max_examples=300, deadline=None)
@given(truths, st.lists(rows, max_size=5))
def test_row_by_row_and_in_batches_every_expression_agrees(
    text: str, table: list[dict[str, object]]
) -> None:
    expression = parse(text)
    assert expression.problems(COLUMNS) == []
    one_by_one = [expression.evaluate(row) for row in table]
    assert expression.evaluate_batch(batch(table)).to_pylist() == one_by_one
