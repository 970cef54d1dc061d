"""`campaign report --notebook`: a notebook that runs from top to bottom."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runner.report.notebook import notebook


def cells(text: str) -> list[dict[str, Any]]:
    document = json.loads(text)
    assert (document["nbformat"], document["nbformat_minor"]) == (4, 5)
    found: list[dict[str, Any]] = document["cells"]
    assert len({one["id"] for one in found}) == len(found)
    return found


def execute(text: str) -> dict[str, Any]:
    """Run the cells one after the other, and keep what the last line of each shows."""
    names: dict[str, Any] = {}
    for cell in cells(text):
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)
            exec(compile("".join(cell["source"]), cell["id"], "exec"), names)  # noqa: S102  (that is what a notebook is for)
    return names


def test_every_cell_runs_and_finds_what_the_report_shows(tables: Path) -> None:
    pytest.importorskip("plotly")
    pytest.importorskip("pandas")
    names = execute(notebook([tables], "made-up"))
    assert len(names["best"]) == len(names["candidates"])
    assert names["by"] == "hull.above_hull_ev_per_atom"
    assert len(names["on_front"]) >= 1
    assert len(names["hull"]) > 200
    assert len(names["structures"]) > 200
    assert names["repaired"]
    assert names["bands_figure"] is names["dos_figure"] is None


def test_the_curves_of_a_candidate_are_drawn(tables: Path) -> None:
    pytest.importorskip("plotly")
    pytest.importorskip("pandas")
    names = execute(notebook([tables], "curves"))
    formula, bands = names["curve"]("band_structure")
    assert len(names["bands_figure"].data) == sum(map(len, bands["energies_ev"])) > 1
    assert tuple(names["bands_figure"].layout.xaxis.ticktext) == tuple(
        word for _, word in bands["ticks"]
    )
    _, dos = names["curve"]("density_of_states", formula)
    assert len(names["dos_figure"].data) == len(dos["states_per_ev"]) >= 1


def test_the_notebook_of_a_campaign_with_little_in_it_runs_too(
    bench: Any, call: Any, tmp_path: Path
) -> None:
    pytest.importorskip("plotly")
    spec = """
    version: 1
    campaign: one
    space:
      - {kind: prototype, prototype: rocksalt, species: {A: [Mg], X: [S]}}
    stages:
      relax: {engine: toy, task: relax}
    """
    bench.run(spec)
    target = tmp_path / "one.ipynb"
    assert call("report", "one", "--notebook", str(target)) == (0, f"{target}\n", "")
    assert not (tmp_path / "one.html").exists()
    assert len(execute(target.read_text("utf-8"))["structures"]) == 1
