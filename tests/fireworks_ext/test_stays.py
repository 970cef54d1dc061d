"""Stages whose upstream files were deleted: they travel nowhere, and fail nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from consistency import assert_consistent

from fireworks_ext.folders.offline import stages
from runner import workers

SPEC = """
version: 1
campaign: files
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg, Ca], X: [S]}
stages:
  first: {engine: stepping, steps: 2, step_s: 0.0}
  second: {engine: stepping, steps: 3, step_s: 0.0, charge_density: first}
"""


@pytest.fixture
def run(bench: Any) -> Any:
    """Return a run whose first stage is done, its files deleted for one candidate."""
    made = bench.prepare(SPEC)
    workers.hand_over(made.store, "files", bench.folder / "first", 10)
    workers.work_offline(bench.folder / "first", lambda _: None)
    workers.ingest(made.store, bench.folder / "first")
    return made


def density(run: Any) -> Path:
    """Return a file that MgS second needs."""
    found = run.store.attempts.find_one({"formula": "MgS", "stage": "first"})
    return Path(found["directory"]) / "density"


def second(run: Any) -> dict[str, str]:
    return {one["formula"]: one["stages"]["second"]["state"] for one in run.store.candidates.find()}


def test_a_stage_that_needs_deleted_files_stays_for_those_who_can_make_them_anew(
    bench: Any, run: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    density(run).unlink()
    travel = tmp_path / "travel"
    assert len(workers.hand_over(run.store, "files", travel, 1)) == 1  # the other one
    assert len(stages(travel)) == 1
    assert workers.hand_over(run.store, "files", travel, 10) == []
    assert "charge density of stage 'first' is gone" in caplog.text
    assert "campaign run" in caplog.text
    workers.work_offline(travel, lambda _: None)
    workers.ingest(run.store, travel)
    assert second(run) == {"MgS": "ready", "CaS": "ok"}
    assert_consistent(run.store)
    bench.work_off(run)
    assert second(run) == {"MgS": "ok", "CaS": "ok"}
    assert_consistent(run.store)


def test_files_that_are_deleted_on_the_way_give_the_stage_back(
    bench: Any, run: Any, tmp_path: Path
) -> None:
    travel = tmp_path / "travel"
    workers.hand_over(run.store, "files", travel, 10)
    density(run).unlink()
    ended: list[Any] = []
    workers.work_offline(travel, ended.append)
    back = next(one for one in ended if one.order.formula == "MgS")
    assert back.ending.kind == "interrupted"
    assert "makes it anew" in back.ending.reason
    workers.ingest(run.store, travel)
    assert second(run) == {"MgS": "ready", "CaS": "ok"}
    bench.work_off(run)
    assert second(run) == {"MgS": "ok", "CaS": "ok"}
    assert_consistent(run.store)
