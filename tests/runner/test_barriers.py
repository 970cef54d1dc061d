"""What is chosen when all rows have been seen."""

import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numbers_space import digit, screening

from runner.barriers import Best, Front, Spread
from runner.selection import Step

points = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=40)


def through(choice: Any, values: list[tuple[float, ...]]) -> tuple[list[int], list[int]]:
    """Return the rows that are chosen, and the others in any order."""
    out: list[int] = []
    for row, value in enumerate(values):
        if choice.wants(value, row):
            out += choice.offer(value, row, row)
        else:
            out.append(row)
    kept, late = choice.release()
    return kept, sorted(out + late)


@given(points)
def test_the_front_holds_exactly_the_rows_that_none_beats(values: list[tuple[int, int]]) -> None:
    kept, others = through(Front(), values)
    beaten = {
        row
        for row, (a, b) in enumerate(values)
        if any((c, d) != (a, b) and c <= a and d <= b for c, d in values)
    }
    assert kept == [row for row in range(len(values)) if row not in beaten]
    assert others == sorted(beaten)


@given(points, st.integers(1, 5))
def test_the_best_are_the_first_of_the_sorted(values: list[tuple[int, int]], size: int) -> None:
    kept, others = through(Best(size), values)
    ranked = sorted(range(len(values)), key=lambda row: (values[row][0], row))
    assert kept == sorted(ranked[:size])
    assert others == sorted(ranked[size:])


def test_the_spread_takes_the_best_and_leaves_out_what_is_alike() -> None:
    # Three clumps; the best of all is in the first.
    values = [(0.1 * i + clump, 10.0 * clump + 0.01 * i) for i in range(5) for clump in range(3)]
    kept, others = through(Spread(3), values)
    assert 0 in kept
    assert sorted(int(values[row][1] // 10) for row in kept) == [0, 1, 2]
    assert sorted(kept + others) == list(range(15))


def test_the_spread_takes_all_where_there_are_fewer_and_none_of_none() -> None:
    assert through(Spread(5), [(1.0, 2.0), (0.0, 2.0)]) == ([0, 1], [])
    assert through(Spread(5), []) == ([], [])


@pytest.mark.parametrize(
    "step",
    [
        Step(label="front", pareto={"digit": "ascending", "third": "descending"}),
        Step(label="spread", top=3, by="number", order="descending", diverse=("digit", "third")),
    ],
)
def test_choices_do_not_depend_on_batches_and_every_row_has_its_reason(
    tmp_path: Path, step: Step
) -> None:
    steps = [digit(), digit("b", as_name="third", params={"modulus": 3, "null": [4]}), step]
    tables = []
    for name, batch_rows in (("a", 3), ("b", 100)):
        list(screening(*steps, folder=tmp_path / name, batch_rows=batch_rows, n=60).survivors())
        rows = pq.read_table(tmp_path / name).drop(["score_s"]).to_pylist()
        tables.append(sorted(rows, key=lambda row: row["row"]))
    assert tables[0] == tables[1]
    verdicts = {row["row"]: row["verdict"] for row in tables[0]}
    assert verdicts[4] == "unknown"
    assert len(verdicts) == 60
    passed = [row for row in tables[0] if row["verdict"] == "pass"]
    assert 1 <= len(passed) < 60
    if step.pareto:
        # The remainders by ten and by three: 0 and 2 is the best of both.
        assert {(row["digit"], row["third"]) for row in passed} == {(0.0, 2.0)}
    else:
        assert len(passed) == 3
        assert 59 in verdicts
    rejected = [row["reason"] for row in tables[0] if row["verdict"] == "reject"]
    assert all("better in all" in one or "differ most" in one for one in rejected)


def test_a_shuffled_space_has_the_same_front() -> None:
    rng = random.Random(5)
    values = [(rng.random(), rng.random()) for _ in range(500)]
    kept = {values[row] for row in through(Front(), values)[0]}
    rng.shuffle(values)
    assert {values[row] for row in through(Front(), values)[0]} == kept


def test_of_equivalent_structures_the_first_goes_on_whatever_the_batches(tmp_path: Path) -> None:
    for name, batch_rows in (("a", 3), ("b", 100)):
        step = Step(label="distinct", distinct=True)
        list(
            screening(
                step, folder=tmp_path / name, batch_rows=batch_rows, n=20, cells=4
            ).survivors()
        )
        rows = pq.read_table(tmp_path / name).to_pylist()
        passed = sorted(row["row"] for row in rows if row["verdict"] == "pass")
        assert passed == [0, 1, 2, 3]
        reasons = {row["row"]: row["reason"] for row in rows if row["verdict"] == "reject"}
        assert reasons[7] == "the same crystal as row 3"
        assert len(reasons) == 16
