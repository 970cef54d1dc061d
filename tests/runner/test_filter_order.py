"""Which order filters are gone through in, and that it changes nothing but reasons."""

import json
import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from numbers_space import digit, screening

from runner.filter_order import Measured, ordered, planned
from runner.selection import Step
from schemas.expressions import parse


def keep(label: str, text: str, **options: Any) -> Step:
    return Step(label=label, keep=parse(text), **options)


def order(steps: list[Step], **costs: tuple[float, float]) -> list[str]:
    measured = {
        name.replace("_", "-"): Measured(cost_s=cost, passes=passes)
        for name, (cost, passes) in costs.items()
    }
    return [step.label for step in ordered(steps, lambda step: measured[step.label])]


def test_the_cheap_and_strict_come_first() -> None:
    steps = [keep("model", "n_atoms > 1"), keep("rule", "n_atoms > 2"), keep("lax", "n_atoms > 3")]
    assert order(steps, model=(1.0, 0.5), rule=(1e-6, 0.5), lax=(1e-6, 0.99)) == [
        "rule", "lax", "model",
    ]  # fmt: skip


def test_among_nearly_equal_ones_the_file_decides() -> None:
    steps = [keep("one", "n_atoms > 1"), keep("two", "n_atoms > 2")]
    assert order(steps, one=(1.9e-6, 0.5), two=(1e-6, 0.5)) == ["one", "two"]
    assert order(steps, one=(2.1e-6, 0.5), two=(1e-6, 0.5)) == ["two", "one"]


def test_a_score_comes_before_what_reads_it_however_slow() -> None:
    score = digit("digit")
    reader = keep("reader", "digit < 5")
    other = keep("other", "n_atoms > 1")
    found = order([score, other, reader], digit=(1.0, 1.0), other=(1e-6, 0.9), reader=(1e-6, 0.1))
    assert found == ["other", "digit", "reader"]


@pytest.mark.parametrize(
    "fence", [{"top": 3, "by": "n_atoms"}, {"keep": parse("n_atoms > 0"), "control_sample": 2}]
)
def test_nothing_passes_a_step_that_sees_all_or_samples(fence: dict[str, Any]) -> None:
    steps = [
        keep("slow", "n_atoms > 1"),
        Step(label="fence", **fence),
        keep("quick", "n_atoms > 2"),
    ]
    found = order(steps, slow=(1.0, 0.5), fence=(1.0, 0.5), quick=(1e-6, 0.01))
    assert found == ["slow", "fence", "quick"]


def test_a_planned_screening_lets_the_same_rows_pass_and_remembers_its_order(
    tmp_path: Path,
) -> None:
    lax = digit("lax", as_name="one", keep="one < 9")
    strict = keep("strict", "number < 10")
    for folder, memory in (
        ("a", None),
        ("b", tmp_path / "order.json"),
        ("c", tmp_path / "order.json"),
    ):
        one = screening(lax, strict, folder=tmp_path / folder)
        if memory:
            one = planned(one, memory)
            assert [step.label for step in one.steps] == ["strict", "lax"]
        list(one.survivors())
    tables = [pq.read_table(tmp_path / name).to_pylist() for name in "abc"]
    passed = [{row["row"] for row in rows if row["verdict"] == "pass"} for rows in tables]
    assert passed[0] == passed[1] == passed[2]
    decided = [sorted((row["row"], row["step"] or "") for row in rows) for rows in tables]
    assert decided[1] == decided[2]


def test_any_order_of_filters_lets_the_same_rows_pass(tmp_path: Path) -> None:
    steps = [
        digit("a", as_name="one", keep="one < 8", params={"null": (3,)}),
        digit("b", as_name="two", keep="two > 1", params={"modulus": 4, "failing": (6,)}),
        keep("c", "number != 17"),
    ]
    rng = random.Random(1)
    passed = []
    for turn in range(4):
        rng.shuffle(steps)
        list(screening(*steps, folder=tmp_path / str(turn), batch_rows=turn + 3).survivors())
        rows = pq.read_table(tmp_path / str(turn)).to_pylist()
        passed.append({row["row"] for row in rows if row["verdict"] == "pass"})
    assert passed[0]
    assert all(one == passed[0] for one in passed)


def test_an_order_that_cannot_be_read_or_kept_is_measured_again(tmp_path: Path) -> None:
    steps = [keep("one", "number > 1"), keep("two", "number > 2")]
    memory = tmp_path / "order.json"
    for damaged in ("{", "[]", "{}"):
        memory.write_text(damaged)
        found = planned(screening(*steps), memory)
        assert len(found.steps) == 2
        assert memory.read_text() != damaged
    (tmp_path / "file").write_text("no folder")
    assert planned(screening(*steps), tmp_path / "file" / "order.json").steps == found.steps


def test_an_order_does_not_hold_for_scores_under_other_names(tmp_path: Path) -> None:
    def named(first: str, second: str) -> list[Step]:
        return [
            digit("first", as_name=first),
            digit("second", as_name=second, params={"modulus": 3}),
            keep("reader", "seen < 2"),
        ]

    memory = tmp_path / "order.json"
    planned(screening(*named("seen", "other")), memory)
    memory.write_text(
        json.dumps({**json.loads(memory.read_text()), "order": ["first", "reader", "second"]})
    )
    found = [step.label for step in planned(screening(*named("other", "seen")), memory).steps]
    assert found.index("second") < found.index("reader")
