"""What is kept of a result's files, and what happens when something that was deleted is needed."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path
from typing import Any

import pytest
from consistency import assert_consistent

from fireworks_ext import retention
from schemas.retention import ArtefactClass, Retention

SPEC = """
version: 1
campaign: files
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg], X: [S]}
stages:
  first: {engine: stepping, steps: 2, step_s: 0.0, RETENTION}
"""
SECOND = "  second: {engine: stepping, steps: 3, step_s: 0.0, charge_density: first}\n"
DELETED = "retention: {charge_density: delete, outputs: compress}"


def spec(retention: str = DELETED) -> str:
    return SPEC.replace("RETENTION", retention)


def directory(run: Any, attempt: int = 0) -> Path:
    found = sorted(run.store.attempts.find({"stage": "first"}), key=lambda one: one["started_at"])
    return Path(found[attempt]["directory"])


def test_files_of_a_result_are_kept_compressed_or_deleted_by_their_class(bench: Any) -> None:
    run = bench.prepare(spec())
    bench.work_off(run)
    folder = directory(run)
    assert not (folder / "density").exists()
    assert not (folder / "state.json").exists()
    assert (folder / "in.json").exists()
    assert not (folder / "toy.out").exists()
    assert b"done" in gzip.decompress((folder / "toy.out.gz").read_bytes())


def test_what_a_later_stage_uses_is_kept(bench: Any) -> None:
    run = bench.prepare(spec() + SECOND)
    bench.work_off(run)
    assert (directory(run) / "density").read_text() == "density"


def test_a_stage_whose_files_were_deleted_runs_again_for_the_one_that_needs_them(
    bench: Any,
) -> None:
    run = bench.prepare(spec())
    bench.work_off(run)
    before = run.store.results.find_one({})
    assert bench.run(spec() + SECOND).stages[1].ok == 1
    assert bench.computed == [("MgS", "first"), ("MgS", "second")]
    after = run.store.results.find_one({"_id": before["_id"]})
    assert Path(after["artefacts"], "density").exists()
    moved = ("artefacts",)
    same = {name: value for name, value in before.items() if name not in moved}
    assert {name: value for name, value in after.items() if name not in moved} == same
    assert_consistent(run.store)
    bench.run(spec() + SECOND)
    assert bench.computed == []


def test_a_whole_run_directory_that_was_removed_is_made_again(bench: Any) -> None:
    run = bench.prepare(spec("step_s: 0.0").replace("step_s: 0.0, step_s", "step_s"))
    bench.work_off(run)
    shutil.rmtree(directory(run))
    status = bench.run(spec("protected: []") + SECOND)
    assert status.stages[1].ok == 1
    assert bench.computed == [("MgS", "first"), ("MgS", "second")]


def test_files_of_another_campaign_are_made_again_too(bench: Any) -> None:
    run = bench.prepare(spec())
    bench.work_off(run)
    other = (spec() + SECOND).replace("campaign: files", "campaign: other")
    status = bench.run(other)
    assert status.stages[1].ok == 1
    assert bench.computed == [("MgS", "first"), ("MgS", "second")]
    paid = run.store.attempts.count_documents({"campaign": "other", "stage": "first"})
    assert paid == 1


def test_an_upstream_that_now_fails_is_a_failure_of_the_stage_that_needs_it(bench: Any) -> None:
    run = bench.prepare(spec())
    bench.work_off(run)
    hangs = spec("silent_at: 1, " + DELETED) + SECOND
    status = bench.run(hangs)
    assert status.failures == {"upstream_lost": 1}
    (failed,) = run.store.candidates.find({})
    assert "could not be made anew" in failed["stages"]["second"]["reason"]


@pytest.mark.parametrize("fate", ["keep", "compress", "delete"])
def test_a_file_that_two_classes_name_belongs_to_the_first(tmp_path: Path, fate: str) -> None:
    (tmp_path / "a.out").write_text("text")
    patterns = {ArtefactClass.OUTPUTS: ("*.out",), ArtefactClass.SCRATCH: ("*",)}
    retention.apply(tmp_path, patterns, Retention(outputs=fate, scratch="keep"))
    names = {"keep": ["a.out"], "compress": ["a.out.gz"], "delete": []}
    assert sorted(one.name for one in tmp_path.iterdir()) == names[fate]
