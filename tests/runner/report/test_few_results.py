"""Reports of campaigns that have one material, one result of a stage, or a part of the prices."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from runner.api import Tables, pareto_front
from runner.export.parquet import publish
from runner.report import best, compare, cost, failures
from runner.report.build import report
from runner.report.markup import number
from runner.report.objectives import objectives
from runner.report.points import Points, points
from runner.report.published import Published
from schemas.errors import UserError
from schemas.tables import fixed_columns, stage_columns

START = datetime(2026, 1, 1)  # noqa: DTZ001  (tables hold naive UTC)
SPEC = """\
version: 1
campaign: few
stages:
  relax: {engine: espresso, task: vc-relax, pseudopotentials: gth-pbe}
  gap: {engine: espresso, task: scf, structure: relax, pseudopotentials: gth-pbe}
"""
REPAIRED = json.dumps([{"failure": "scf_not_converged", "action": "set mixing_beta"}])
CELL = json.dumps(
    {
        "lattice_ang": [[0, 2.7, 2.7], [2.7, 0, 2.7], [2.7, 2.7, 0]],
        "species": ["Si", "Si"],
        "frac_coords": [[0, 0, 0], [0.25, 0.25, 0.25]],
    }
)


def result(candidate: int, stage: str, **values: Any) -> dict[str, Any]:
    return {
        "stage": stage, "candidate_id": f"{candidate:064x}", "formula": "Si", "elements": ["Si"],
        "n_atoms": 2, "key": f"{candidate}{stage}", "engine": "espresso", "task": "scf",
        "cached": False, "outcome": "ok", "schema_version": 1, "recovery": "[]",
        "started_at": START, "structure": CELL, **values,
    }  # fmt: skip


def attempt(at: int, stage: str = "relax", **values: Any) -> dict[str, Any]:
    return {
        "stage": stage, "candidate_id": f"{at:064x}", "key": f"{at}{stage}", "attempt": "1",
        "started_at": START, "finished_at": START, "outcome": "ok", "corrections": "[]",
        "walltime_s": 1.0, "core_hours": 0.5, "cores": 1, "machine": "node1", "worker": "node1:1",
        **values,
    }  # fmt: skip


def published_of(
    root: Path, results: Sequence[Mapping[str, Any]], attempts: Sequence[Mapping[str, Any]] = ()
) -> Published:
    """Publish a campaign with these rows, and open it."""
    partition = {"campaign": "few"}
    columns = (*fixed_columns("results"), *stage_columns())
    for stage in sorted({one["stage"] for one in results}):
        rows = [dict(one) for one in results if one["stage"] == stage]
        publish(root, "results", {**partition, "stage": stage}, rows, columns)
    if attempts:
        paid = [dict(one) for one in attempts]
        publish(root, "attempts", partition, paid, fixed_columns("attempts"))
    about = {
        "revision": 1, "spec_sha256": "0" * 64, "started_at": START, "updated_at": START,
        "state": "settled", "spec": SPEC,
    }  # fmt: skip
    publish(root, "campaigns", partition, [about], fixed_columns("campaigns"))
    return Published([root], "few")


def names(found: Points) -> set[str]:
    return {one.name for one in found.numbers}


def one_material() -> list[dict[str, Any]]:
    relaxed = {"volume_ang3_per_atom": 19.7, "energy_ev_per_atom": -107.0, "n_kpoints": 8}
    return [
        result(1, "relax", **relaxed, band_gap_ev=0.5),
        result(1, "gap", **relaxed, band_gap_ev=0.61),
    ]


def test_one_material_has_its_numbers_and_its_structure(tmp_path: Path) -> None:
    pytest.importorskip("plotly")
    with published_of(tmp_path, one_material()) as published:
        found = points(published)
        by = objectives(found.numbers)
        listed = best.section(found, by)
        assert compare.scatter_section(found, by) is not None
        assert compare.distribution_section(found, by) is None  # one value is not distributed
    assert by[0].name == "gap.band_gap_ev"
    assert {"gap.energy_ev_per_atom", "gap.n_kpoints", "relax.volume_ang3_per_atom"} <= names(found)
    assert "The best 1 of 1 by band gap (gap) / eV" in listed.body
    assert "<td class=n>0.61</td>" in listed.body
    assert "<td class=n>19.7</td>" in listed.body
    assert "best-card" in listed.body
    text = report([tmp_path], "few")
    assert "nothing can be ranked" not in text
    assert "largest band gap" not in text  # of one there is no largest
    assert "Si 0.61" in text


def test_the_page_of_one_material_opens_with_its_cell(tmp_path: Path, page: Any) -> None:
    pytest.importorskip("plotly")
    published_of(tmp_path / "tables", one_material()).__exit__(None, None, None)
    target = tmp_path / "few.html"
    target.write_text(report([tmp_path / "tables"], "few"), encoding="utf-8")
    page.goto(target.as_uri())
    page.wait_for_selector("html[data-ready]")
    assert page.complaints == []
    assert page.locator("#best-card svg circle").count() > 2
    assert "0.61" in page.locator("#best-card dl").inner_text()
    assert "Pareto front: 1 candidate that" in page.locator("#pareto caption").inner_text()


def test_python_has_the_numbers_of_one_material(tmp_path: Path) -> None:
    published_of(tmp_path, one_material()).__exit__(None, None, None)
    (row,) = Tables([tmp_path], "few").candidates().to_pylist()
    assert (row["gap.band_gap_ev"], row["relax.volume_ang3_per_atom"]) == (0.61, 19.7)


def test_one_result_of_the_last_stage_is_what_candidates_are_ranked_by(tmp_path: Path) -> None:
    rows = [result(at, "relax", band_gap_ev=float(at), n_kpoints=8) for at in (1, 2, 3)]
    rows += [
        result(1, "gap", band_gap_ev=1.5),
        result(3, "gap", outcome="failed", failure="scf_not_converged", structure=None),
    ]
    with published_of(tmp_path, rows) as published:
        found = points(published)
    by = objectives(found.numbers)
    assert by[0].name == "gap.band_gap_ev"
    ranked = [found.candidate[at] for at in best.ranked(found, by[0])]
    assert ranked == [f"{1:064x}"]
    assert "relax.n_kpoints" not in names(found)  # alike for all three
    drawn = compare.distribution_section(found, by)
    assert drawn is not None
    assert drawn.data["distribution"] == {"x": "relax.band_gap_ev"}


def test_results_of_a_stage_that_agree_are_shown_where_another_stage_differs(
    tmp_path: Path,
) -> None:
    rows = [result(at, "relax", band_gap_ev=at / 10) for at in (1, 2)]
    rows += [result(at, "gap", band_gap_ev=0.0) for at in (1, 2)]  # two metals after all
    with published_of(tmp_path, rows) as published:
        assert objectives(points(published).numbers)[0].name == "gap.band_gap_ev"


def test_twins_are_ranked_by_what_they_have_alike(tmp_path: Path) -> None:
    rows = [result(at, "relax", band_gap_ev=0.5) for at in (1, 2)]
    with published_of(tmp_path, rows) as published:
        assert names(points(published)) == {"relax.band_gap_ev"}


def test_references_do_not_make_a_column_of_one_material_a_constant(tmp_path: Path) -> None:
    rows = [
        result(at, "hull", engine="analysis", task="hull", above_hull_ev_per_atom=0.0)
        for at in (1, 2)
    ]
    rows.append(result(1, "relax", band_gap_ev=0.5))
    screened = {"row": 0, "candidate_id": f"{1:064x}", "formula": "Si", "elements": ["Si"],
                "verdict": "pass", "control": False}  # fmt: skip
    publish(tmp_path, "screening", {"campaign": "few"}, [screened], fixed_columns("screening"))
    with published_of(tmp_path, rows) as published:
        assert objectives(points(published).numbers)[0].name == "hull.above_hull_ev_per_atom"


def test_the_front_over_a_column_that_is_not_there_names_the_nearest(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    published_of(tmp_path, one_material()).__exit__(None, None, None)
    candidates = Tables([tmp_path], "few").candidates().to_pandas()
    volume = "gap.volume_ang3_per_atom"
    assert len(pareto_front(candidates, volume, "gap.band_gap_ev")) == 1
    with pytest.raises(UserError, match=r"no column 'gap\.band_gap'.*'gap\.band_gap_ev'"):
        pareto_front(candidates, "gap.band_gap", volume)
    with pytest.raises(UserError, match="'formula' of the candidates: not numbers"):
        pareto_front(candidates, volume, "formula")


@pytest.mark.parametrize(
    ("usd", "text"),
    [(0.0, "US$ 0.00"), (0.00123456, "0.123 cents"), (0.0099, "0.99 cents"), (0.01, "US$ 0.01"),
     (1234.567, "US$ 1,234.57")],
)  # fmt: skip
def test_amounts_below_a_cent_are_told_in_cents(usd: float, text: str) -> None:
    assert cost.amount(usd) == text


def test_with_a_part_of_the_prices_nothing_is_said_per_material(tmp_path: Path) -> None:
    attempts = [attempt(1, cost_usd=0.002), attempt(2), attempt(3), attempt(4, core_hours=0.0)]
    rows = [result(at, "relax") for at in (1, 2, 3, 4)]
    with published_of(tmp_path, rows, attempts) as published:
        text = cost.money(published)
    assert text.endswith("Those with a price cost 0.2 cents; 2 of 3 attempts had no price.")
    assert "material" not in text


def test_what_was_known_before_is_not_among_the_materials_that_were_paid(tmp_path: Path) -> None:
    attempts = [attempt(1, cost_usd=0.25), attempt(1, "gap", cost_usd=0.001)]
    rows = [result(1, "relax"), result(1, "gap"), result(2, "relax", cached=True)]
    with published_of(tmp_path, rows, attempts) as published:
        text = cost.money(published)
        listed = cost.section(published).body
    cents = number(25.1, 3)
    assert f"They cost US$ 0.25, {cents} cents for the one material with a new result." in text
    assert "US$ 0.25</td>" in listed
    assert "0.1 cents</td>" in listed


def test_repairs_of_results_that_were_known_before_are_not_counted(tmp_path: Path) -> None:
    rows = [
        result(1, "relax", recovery=REPAIRED),
        result(2, "relax", recovery=REPAIRED, cached=True),
    ]
    with published_of(tmp_path, rows) as published:
        body = failures.section(published).body
    assert "set mixing_beta</td><td class=n>1</td><td class=n>1</td>" in body
