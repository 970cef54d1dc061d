from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numbers_space import Numbers, NumbersParams, digit, screening

from runner.screening import Screening, Survivor, screen
from runner.screening_table import Source
from runner.selection import Step, draw
from schemas.errors import UserError
from schemas.expressions import parse
from schemas.protocols import Surroundings
from schemas.registry import generators, scores


def table(folder: Path) -> dict[int, dict[str, Any]]:
    """The rows of a screening table by their number, without timing; none occurs twice."""
    rows = pq.read_table(folder).drop(["score_s"]).to_pylist()
    by_row = {row["row"]: row for row in rows}
    assert len(by_row) == len(rows)
    return by_row


def run(folder: Path, *steps: Step, **options: Any) -> tuple[list[Survivor], dict[int, Any]]:
    survivors = screen(screening(*steps, folder=folder, **options))
    return survivors, table(folder)


def test_every_row_gets_a_verdict_with_the_step_and_the_values_that_decided(
    tmp_path: Path,
) -> None:
    survivors, rows = run(
        tmp_path / "t", digit(params={"null": [3], "failing": [5]}, keep="digit <= 4.5")
    )

    verdicts = Counter(row["verdict"] for row in rows.values())
    assert verdicts == {"pass": 19, "reject": 19, "unknown": 1, "error": 1}
    assert [survivor.row for survivor in survivors][:5] == [0, 1, 2, 4, 10]
    assert (rows[0]["step"], rows[0]["reason"]) == (None, None)
    assert (rows[6]["step"], rows[6]["reason"]) == ("digit", "digit = 6; keep: digit <= 4.5")
    assert rows[3]["reason"] == "digit = null; keep: digit <= 4.5 (digit: no digit)"
    assert (rows[3]["note"], rows[3]["digit"]) == ("digit: no digit", None)
    assert (rows[5]["verdict"], rows[5]["reason"]) == ("error", "division failed")


def test_ids_are_there_for_survivors_and_for_cells_that_a_score_asked_for(tmp_path: Path) -> None:
    survivors, rows = run(tmp_path / "t", digit(keep="digit < 1"))
    _, read = run(tmp_path / "u", digit(keep="digit < 1", params={"reads": "structure"}))

    assert {row["row"] for row in rows.values() if row["candidate_id"]} == {0, 10, 20, 30}
    assert rows[10]["candidate_id"] == survivors[1].candidate_id == survivors[1].candidate.id
    assert all(row["candidate_id"] for row in read.values())
    assert survivors[1].scores == {"digit": 0.0}


def test_a_cell_that_cannot_be_built_is_an_error_of_its_row_alone(tmp_path: Path) -> None:
    survivors, late = run(tmp_path / "t", digit(keep="digit < 2"), unbuildable=(10,))
    reading = digit(keep="digit < 2", params={"reads": "structure"})
    again, early = run(tmp_path / "u", reading, unbuildable=(10,))

    assert [s.row for s in survivors] == [s.row for s in again] == [0, 1, 11, 20, 21, 30, 31]
    assert (late[10]["verdict"], late[10]["step"]) == ("error", "build")
    assert (early[10]["verdict"], early[10]["step"]) == ("error", "digit")
    assert late[10]["reason"] == early[10]["reason"] == "no structure: 10 cannot be built"


def test_unknown_rows_go_on_where_the_step_keeps_them(tmp_path: Path) -> None:
    step = digit(keep="digit <= 0", params={"null": [3]}, unknown="keep")
    survivors, rows = run(tmp_path / "t", step)

    assert [survivor.row for survivor in survivors] == [0, 3, 10, 20, 30]
    assert (rows[3]["verdict"], rows[3]["note"]) == ("pass", "digit: no digit")


def test_top_takes_the_best_rows_and_the_earlier_of_equal_ones(tmp_path: Path) -> None:
    scored = digit(params={"null": [9]})
    lowest, rows = run(tmp_path / "t", scored, Step(label="top", top=6, by="digit"))
    highest, _ = run(
        tmp_path / "u", scored, Step(label="top", top=2, by="digit", order="descending")
    )

    assert [survivor.row for survivor in lowest] == [0, 1, 10, 11, 20, 30]
    assert [survivor.row for survivor in highest] == [19, 29]
    assert rows[21]["reason"] == "digit = 1; not among the 6 lowest"
    assert (rows[9]["verdict"], rows[9]["step"]) == ("unknown", "top")


def test_control_rows_are_exactly_as_many_rejects_and_pass_later_steps_unjudged(
    tmp_path: Path,
) -> None:
    survivors, rows = run(
        tmp_path / "t",
        digit(keep="digit < 5", control_sample=4),
        digit("second", as_name="third", params={"modulus": 3}, keep="third < 1"),
    )

    control = [survivor for survivor in survivors if survivor.control]
    assert len(control) == 4
    for survivor in control:
        row = rows[survivor.row]
        assert (row["verdict"], row["step"], row["control"]) == ("reject", "digit", True)
        assert row["third"] is not None
        assert row["candidate_id"] == survivor.candidate_id
    assert sum(row["control"] for row in rows.values()) == 4


def test_the_control_sample_depends_on_the_seed_and_draws_evenly(tmp_path: Path) -> None:
    step = digit(keep="digit < 0", control_sample=4)
    drawn: Counter[int] = Counter()
    for seed in range(200):
        rows = [survivor.row for survivor in screen(screening(step, seed=seed))]
        assert len(set(rows)) == 4
        drawn.update(rows)

    # 200 x 4 draws of 40 rows: 20 each, standard deviation 4.2; five of them on either side.
    assert len(drawn) == 40
    assert max(drawn.values()) < 41


def test_a_row_number_is_drawn_for_a_step_and_a_seed_together() -> None:
    assert draw(1, "a", 5) == draw(1, "a", 5)
    assert len({draw(1, "a", 5), draw(2, "a", 5), draw(1, "b", 5), draw(1, "a", 6)}) == 4


STEPS = (
    digit(keep="digit < 7", params={"null": [3, 13], "failing": [4]}, control_sample=3),
    digit("more", as_name="more", params={"modulus": 7}),
    Step(label="top", top=9, by="more", control_sample=2),
)


@settings(max_examples=25, deadline=None)
@given(batch_rows=st.integers(1, 60), n=st.integers(0, 60), cells=st.integers(1, 60))
def test_verdicts_do_not_depend_on_batches_and_survivors_are_a_subset(
    tmp_path_factory: pytest.TempPathFactory, batch_rows: int, n: int, cells: int
) -> None:
    folder = tmp_path_factory.mktemp("t")
    survivors, rows = run(folder / "a", *STEPS, n=n, cells=cells, batch_rows=batch_rows)
    again, whole = run(folder / "b", *STEPS, n=n, cells=cells, batch_rows=1000)

    assert rows == whole
    assert [s.row for s in survivors] == [s.row for s in again]
    assert set(rows) == set(range(n))
    assert {s.row for s in survivors} <= set(rows)
    passing = {row for row, values in rows.items() if values["verdict"] == "pass"}
    assert {s.row for s in survivors if not s.control} == passing


@settings(max_examples=25, deadline=None)
@given(n=st.integers(0, 60), cells=st.integers(1, 60), control=st.integers(0, 20))
def test_the_funnel_counts_every_row_once(n: int, cells: int, control: int) -> None:
    one = screening(
        digit(keep="digit < 7", params={"null": [3], "failing": [4]}, control_sample=control),
        Step(label="top", top=9, by="digit"),
        n=n,
        cells=cells,
    )
    survivors = screen(one)
    first, top = one.funnel.steps

    assert one.funnel.enumerated == first.entered == n
    for step in (first, top):
        assert step.entered == step.passed + step.rejected + step.unknown + step.errors
    assert first.control == min(control, first.rejected)
    assert top.entered == first.passed
    assert top.passed == min(9, top.entered)
    assert one.funnel.survivors == len(survivors)
    assert len(survivors) + one.funnel.duplicates == top.passed + first.control


def test_a_second_row_of_the_same_cell_is_rejected_with_the_first_named(tmp_path: Path) -> None:
    survivors, rows = run(tmp_path / "t", digit(), n=6, cells=4)

    assert [survivor.row for survivor in survivors] == [0, 1, 2, 3]
    assert (rows[5]["verdict"], rows[5]["step"]) == ("reject", "duplicate")
    assert rows[5]["reason"] == "same cell as row 1"


def test_several_generators_are_a_union_in_their_order(tmp_path: Path) -> None:
    prototype = generators.get("prototype")

    def source(name: str, **species: list[str]) -> Source:
        params = prototype.params.model_validate({"prototype": name, "species": species})
        return Source("prototype", prototype, params)

    one = Screening(
        sources=[
            source("rocksalt", A=["Mg"], X=["O"]),
            Source("numbers", Numbers(), NumbersParams(n=1)),
            source("rocksalt", A=["Ca", "Mg"], X=["O"]),
        ],
        steps=[],
        campaign="test",
        surroundings=Surroundings(folder=Path(), seed=0),
        folder=tmp_path / "t",
    )
    survivors = screen(one)
    rows = table(tmp_path / "t")

    assert [s.candidate.formula for s in survivors] == ["MgO", "Cu", "CaO"]
    assert (rows[0]["prototype"], rows[0]["number"]) == ("rocksalt", None)
    assert rows[3]["reason"] == "same cell as row 0"


def test_shards_hold_at_most_their_number_of_rows_and_have_one_schema(tmp_path: Path) -> None:
    run(tmp_path / "t", *STEPS, n=40, shard_rows=15)
    files = sorted((tmp_path / "t").iterdir())

    assert [file.name for file in files] == [f"part-0000{i}.parquet" for i in range(3)]
    assert [pq.read_metadata(file).num_rows for file in files] == [15, 15, 10]
    assert len({pq.read_schema(file) for file in files}) == 1
    assert pq.read_metadata(files[0]).row_group(0).column(0).compression == "ZSTD"


def test_an_empty_space_still_has_a_table(tmp_path: Path) -> None:
    survivors, rows = run(tmp_path / "t", *STEPS, n=0)

    assert survivors == []
    assert rows == {}


def test_a_screening_that_is_not_finished_leaves_the_former_table(tmp_path: Path) -> None:
    run(tmp_path / "t", digit(), n=3)
    unfinished = screening(digit(), n=40, folder=tmp_path / "t").survivors()
    next(unfinished)
    unfinished.close()  # type: ignore[attr-defined]  # it is a generator

    assert len(table(tmp_path / "t")) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["t"]

    run(tmp_path / "t", digit(), n=40, shard_rows=100)
    assert len(table(tmp_path / "t")) == 40
    assert [path.name for path in tmp_path.iterdir()] == ["t"]


def test_a_sample_screens_that_fraction_of_the_rows_and_gives_them_the_same_verdicts(
    tmp_path: Path,
) -> None:
    _, rows = run(tmp_path / "t", digit(keep="digit < 5"), n=1000)
    _, sampled = run(tmp_path / "u", digit(keep="digit < 5"), n=1000, fraction=0.2)

    assert 140 < len(sampled) < 260  # 200, standard deviation 12.6
    assert sampled == {row: values for row, values in rows.items() if row in sampled}


def test_progress_is_told_with_the_total(tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    screen(screening(digit(), n=20, progress=lambda done, total: told.append((done, total))))

    assert told == [(8, 20), (16, 20), (20, 20)]


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([digit(), digit()], "two filter steps are called 'digit'"),
        ([digit(), digit("again")], "again: the column digit exists already"),
        ([digit(as_name="formula")], "the column formula exists already"),
        ([digit(as_name="verdict")], "the column verdict exists already"),
        ([digit(keep="digits < 3")], "digit: keep: .*digit"),
        ([digit(params={"reads": "ghost"})], "reads the column ghost"),
        ([digit(keep="digit < 3", top=3, by="digit")], "both keep and a choice"),
        ([Step(label="top", top=3, by="numbr")], "did you mean 'number'"),
        (
            [Step(label="top", top=3, by="formula")],
            "the column 'formula', expected a column of numbers",
        ),
        ([Step(label="top", top=0, by="number")], "a number of rows from 1"),
        (
            [
                Step(
                    label="c",
                    score="composition",
                    plugin=scores.get("composition"),
                    params=scores.get("composition").params(),
                    as_name="x",
                )
            ],
            "as: one name for several columns; this score adds",
        ),
    ],
)
def test_steps_that_do_not_fit_together_are_refused_at_once(
    steps: list[Step], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        screening(*steps)


def test_the_perovskites_are_screened_by_neutrality_and_tolerance_factor(tmp_path: Path) -> None:
    prototype = generators.get("prototype")
    params: Mapping[str, object] = {
        "prototype": "perovskite-cubic",
        "species": {"A": ["Ca", "Sr", "Ba"], "B": ["Ti", "Zr", "Hf", "Sn"], "X": ["O", "S", "Se"]},
    }
    names = {
        "charge-neutral": "charge_neutral",
        "tolerance-factor": "0.80 <= tolerance_factor <= 1.05",
    }
    one = Screening(
        sources=[Source("prototype", prototype, prototype.params.model_validate(params))],
        steps=[
            Step(
                label=name,
                score=name,
                plugin=scores.get(name),
                params=scores.get(name).params(),
                keep=parse(keep),
            )
            for name, keep in names.items()
        ],
        campaign="perovskites",
        surroundings=Surroundings(folder=tmp_path, seed=7),
        folder=tmp_path / "t",
    )
    survivors = screen(one)

    neutral, tolerant = one.funnel.steps
    assert (neutral.entered, neutral.passed) == (36, 36)
    assert tolerant.unknown == tolerant.errors == 0
    assert "SrTiO3" in {survivor.candidate.formula for survivor in survivors}
    rejects = [row for row in table(tmp_path / "t").values() if row["verdict"] == "reject"]
    assert len(rejects) == 36 - len(survivors)
    assert all(not 0.80 <= row["tolerance_factor"] <= 1.05 for row in rejects)


def test_what_a_generator_could_not_read_is_an_error_of_its_row_and_comes_to_no_filter(
    tmp_path: Path,
) -> None:
    table = tmp_path / "cells.csv"
    table.write_text('cell,x\n"{}",1.0\nnonsense,2.0\n')
    generator = generators.get("table")
    params = generator.params.model_validate(
        {"files": str(table), "structure": "cell", "columns": {"x": "float"}}
    )
    one = Screening(
        sources=[Source("table", generator, params)],
        steps=[Step(label="x", keep=parse("x > 0"))],
        campaign="test",
        surroundings=Surroundings(folder=tmp_path, seed=7),
        folder=tmp_path / "t",
    )
    assert screen(one) == []
    rows = pq.read_table(tmp_path / "t").to_pylist()
    assert [(row["verdict"], row["step"]) for row in rows] == [("error", "read")] * 2
    assert one.funnel.steps[0].entered == 0
    assert one.funnel.unread == 2


def test_a_reject_of_the_control_sample_never_takes_the_place_of_an_equal_cell_that_passed(
    tmp_path: Path,
) -> None:
    survivors, rows = run(
        tmp_path / "t",
        Step(label="keep", keep=parse("number >= 5"), control_sample=5),
        Step(label="top", top=3, by="number"),
        cells=5,
    )

    assert [(one.row, one.control) for one in survivors] == [
        (5, False), (6, False), (7, False), (3, True), (4, True),
    ]  # fmt: skip
    assert rows[0]["reason"].endswith("same cell as row 5")
    assert [rows[row]["verdict"] for row in (0, 5)] == ["reject", "pass"]


def test_columns_of_a_score_get_other_names_by_name() -> None:
    params = scores.get("tolerance-factor").params()
    step = Step(
        label="t",
        score="tolerance-factor",
        plugin=scores.get("tolerance-factor"),
        params=params,
        as_name={"bartel_tau": "tau"},
    )
    assert [column.name for column in step.columns()] == [
        "tolerance_factor", "octahedral_factor", "tau",
    ]  # fmt: skip
    assert step.as_problem() is None
    wrong = replace(step, as_name={"bartel": "tau"})
    assert "did you mean 'bartel_tau'" in str(wrong.as_problem())
    assert "write {tolerance_factor: x}" in str(replace(step, as_name="x").as_problem())


def test_a_row_that_cannot_be_compared_says_that(tmp_path: Path) -> None:
    steps = [digit(params={"null": [3]}), Step(label="top", top=5, by="digit")]
    _, rows = run(tmp_path / "t", *steps, n=12)
    assert rows[3]["reason"].startswith("digit = null; not to be compared")
