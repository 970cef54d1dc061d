"""The queries that ship: each is allowed, finds what it is about, and takes a campaign."""

# ruff: noqa: S608  (queries of names that these tests give)

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from synthetic_tables import publish_campaign

from runner.sql.examples import Example, example, examples
from runner.sql.query import query
from schemas.errors import UserError

ALL = examples()


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two campaigns that were never run."""
    folder = tmp_path_factory.mktemp("synthetic")
    publish_campaign(folder, "first", 60)
    publish_campaign(folder, "second", 40, seed=2)
    return folder


def rows_of(tables: Path, name: str, campaign: str | None = "first") -> list[dict[str, Any]]:
    """Return the rows of an example."""
    found = query(example(name).of(campaign).sql, [tables])
    return [dict(zip([name for name, _ in found.columns], row, strict=True)) for row in found.rows]


def one(tables: Path, sql: str) -> Any:
    """Return the one value that a query has."""
    ((value,),) = query(sql, [tables]).rows
    return value


@pytest.mark.parametrize("shipped", ALL, ids=lambda shipped: shipped.name)
def test_an_example_is_answered_without_a_warning(tables: Path, shipped: Example) -> None:
    found = query(shipped.sql, [tables])
    assert found.rows
    assert found.warnings == ()


@pytest.mark.parametrize("shipped", ALL, ids=lambda shipped: shipped.name)
def test_an_example_can_be_asked_of_one_campaign(tables: Path, shipped: Example) -> None:
    mine = shipped.of("second")
    assert "'NAME'" not in mine.sql
    found = query(mine.sql, [tables])
    assert found.rows
    names = [name for name, _ in found.columns]
    if "campaign" in names:
        assert {row[names.index("campaign")] for row in found.rows} == {"second"}
    assert query(shipped.of("nobody's").sql, [tables]).rows == []


@pytest.mark.parametrize("shipped", ALL, ids=lambda shipped: shipped.name)
def test_an_example_says_what_it_is_and_what_it_answers(shipped: Example) -> None:
    assert shipped.title
    assert "?" in shipped.question
    assert shipped.sql.startswith("SELECT")
    assert shipped.text().endswith(shipped.sql + "\n")
    assert max(map(len, shipped.text().splitlines())) <= 125


def test_examples_answer_all_questions_that_are_promised() -> None:
    assert {shipped.name for shipped in ALL} >= {
        "best-candidates", "funnel", "stability", "failures", "cost-per-result", "slow-stages",
        "repairs", "core-hours-by-element",
    }  # fmt: skip


def test_the_best_candidates_come_with_the_most_stable_first(tables: Path) -> None:
    rows = rows_of(tables, "best-candidates")
    above = [row["above_hull_ev_per_atom"] for row in rows]
    assert above == sorted(above)
    gap = (
        "SELECT band_gap_ev FROM results WHERE campaign = 'first' AND stage = 'gap' AND "
        f"candidate_id = '{rows[0]['candidate_id']}'"
    )
    assert rows[0]["band_gap_ev"] == one(tables, gap)


def test_the_funnel_counts_every_candidate_once_per_part(tables: Path) -> None:
    rows = rows_of(tables, "funnel")
    assert sum(row["candidates"] for row in rows if row["part"] == "filter") == 60
    passed = [row["candidates"] for row in rows if row["step"] == "passed all"]
    at_relax = [row["candidates"] for row in rows if row["step"] == "relax"]
    assert sum(at_relax) == sum(passed)


def test_costs_of_a_result_hold_what_failed_attempts_took(tables: Path) -> None:
    for row in rows_of(tables, "cost-per-result"):
        assert row["core_hours"] == pytest.approx(0.1 * row["attempts"])
        where = f"campaign = 'first' AND stage = '{row['stage']}'"
        failed = one(tables, f"SELECT count(*) FROM attempts WHERE {where} AND outcome = 'failed'")
        assert row["wasted_core_hours"] == pytest.approx(0.1 * failed)
        assert row["core_hours_per_result"] == pytest.approx(row["core_hours"] / row["results"])


def test_repairs_say_what_was_changed(tables: Path) -> None:
    rows = rows_of(tables, "repairs")
    assert {row["failure"] for row in rows} == {"scf_not_converged"}
    assert {row["first_remedy"] for row in rows} == {"set mixing_beta"}
    assert {row["most_changes"] for row in rows} == {1}


def test_core_hours_of_a_calculation_count_for_each_of_its_elements(tables: Path) -> None:
    rows = {row["element"]: row for row in rows_of(tables, "core-hours-by-element")}
    asked = (
        "SELECT count(*) FROM results WHERE campaign = 'first' AND contains(elements, 'Li') "
        "AND outcome IN ('ok', 'failed')"
    )
    assert rows["Li"]["calculations"] == one(tables, asked)


def test_an_example_that_is_not_there_is_told_with_its_neighbour() -> None:
    with pytest.raises(UserError, match="did you mean 'funnel'"):
        example("funel")


@pytest.fixture
def data(bench: Any) -> Path:
    """Tables where the command finds them."""
    folder = bench.folder / "data" / "tables"
    folder.mkdir(parents=True)
    publish_campaign(folder, "first", 60)
    return folder


def test_the_command_lists_prints_and_asks_them(data: Path, call: Any) -> None:
    code, out, _ = call("sql", "--examples")
    assert code == 0
    assert all(shipped.name in out for shipped in ALL)
    code, out, _ = call("sql", "--examples", "funnel", "--campaign", "first")
    assert out == example("funnel").of("first").text()
    code, out, _ = call("sql", "--example", "funnel", "--campaign", "first", "--csv")
    assert code == 0
    assert out.startswith("campaign,part,step,outcome,candidates\nfirst,filter,")
    code, out, _ = call("sql", "--examples", "--json")
    assert {one["name"] for one in json.loads(out)["data"]} == {one.name for one in ALL}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--example", "funel"), "did you mean 'funnel'"),
        (("--example", "funnel", "SELECT 1"), "one of them"),
        (("SELECT 1", "--campaign", "first"), "WHERE campaign"),
        ((), "--examples"),
    ],
)
def test_what_the_command_cannot_do_it_says(call: Any, words: tuple[str, ...], said: str) -> None:
    code, _, err = call("sql", *words)
    assert code == 2
    assert said in err
