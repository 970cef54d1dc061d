"""Every example of docs/python.md runs, one after the other, with a small campaign."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import InvalidFile, UserError

PAGE = (Path(__file__).parents[1] / "docs" / "python.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SPEC = """
version: 1
campaign: sulfides
space:
  - {kind: prototype, prototype: rocksalt, species: {A: [Mg, Ca], X: [S]}}
stages:
  relax: {engine: rehearsal, task: vc-relax}
  gap: {engine: rehearsal, task: scf, structure: relax}
defaults:
  rehearsal: {protocol: fast, failures: {}, time_scale: 0.01}
export: {to: results}
"""


@pytest.fixture
def campaign(bench: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    from runner.api import Campaign

    for name, value in bench.environ.items():
        monkeypatch.setenv(name, value)
    bench.run(SPEC)
    return Campaign.load(bench.folder / "spec.yaml")


def test_the_examples_of_the_page_run(campaign: Any, bench: Any, capsys: Any) -> None:
    pytest.importorskip("pandas")
    names: dict[str, Any] = {}
    here = Path.cwd()
    os.chdir(bench.folder)  # the page names files that lie here
    try:
        for example in EXAMPLES:
            exec(compile(example, "python.md", "exec"), names)  # noqa: S102  (that is what the page says to do)
    finally:
        os.chdir(here)
    assert len(EXAMPLES) == 3
    assert sorted(names["gaps"]["formula"]) == ["CaS", "MgS"]
    assert len(names["structures"]) == 2
    assert names["status"].state == "settled"
    assert names["plan"].survivors.expected == 2
    assert "relax" in capsys.readouterr().out


def test_calls_that_the_page_lists_exist() -> None:
    from runner import api

    listed = set(re.findall(r"^\| `campaign\.(\w+)", PAGE, re.MULTILINE))
    public = {name for name in vars(api.Campaign) if not name.startswith("_")} - {"load"}
    assert listed == public


def test_results_of_a_stage_hold_only_what_it_computed(campaign: Any) -> None:
    every, one = campaign.results(), campaign.results("gap")
    assert every.num_rows == 4
    assert one.num_rows == 2
    assert set(one.column_names) < set(every.column_names)
    assert "failure" not in one.column_names


def test_structures_are_pymatgens_and_those_of_the_stage(campaign: Any) -> None:
    from pymatgen.core import Structure

    relaxed, last = campaign.structures("relax"), campaign.structures()
    assert relaxed.keys() == last.keys() == set(campaign.results("gap")["candidate_id"].to_pylist())
    assert all(isinstance(one, Structure) for one in last.values())


def test_columns_of_sql_have_the_types_of_their_values(campaign: Any) -> None:
    found = campaign.sql("SELECT stage, count(*) AS n FROM results GROUP BY stage ORDER BY stage")
    assert found.to_pylist() == [{"stage": "gap", "n": 2}, {"stage": "relax", "n": 2}]
    assert [str(one.type) for one in found.schema] == ["string", "int64"]
    assert campaign.sql("SELECT formula FROM results WHERE stage = 'no'").num_rows == 0


def test_mistakes_are_told_as_the_commands_tell_them(campaign: Any, bench: Any) -> None:
    from runner.api import Campaign, Tables

    with pytest.raises(UserError, match="no results of a stage 'gup'; did you mean 'gap'"):
        campaign.results("gup")
    with pytest.raises(UserError, match="no results of a stage 'gup'"):
        campaign.structures("gup")
    with pytest.raises(UserError, match="the query cannot be answered"):
        campaign.tables.sql("SELEC 1")
    with pytest.raises(UserError, match="no table 'result'; did you mean 'results'"):
        campaign.tables.columns("result")
    with pytest.raises(UserError, match="nothing is published of a campaign 'sulfates'"):
        Tables([bench.folder / "results"], "sulfates")
    bad = bench.write(SPEC.replace("engine: rehearsal, task: vc-relax", "engine: toi"), "bad.yaml")
    with pytest.raises(InvalidFile, match="no engine 'toi'"):
        Campaign.load(bad)


def test_a_report_is_written_from_python_too(campaign: Any, tmp_path: Path) -> None:
    pytest.importorskip("plotly")
    target = tmp_path / "report.html"
    assert campaign.report(target) == target
    assert "Campaign sulfides" in target.read_text("utf-8")
