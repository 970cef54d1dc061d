"""Programs that do not start: a machine's fault at first, a stage's only after a second one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from consistency import assert_consistent
from pilot_bench import PilotBench, allocation

SPEC = """
version: 1
campaign: starts
space:
  - {kind: prototype, prototype: rocksalt, species: {A: [Mg, Ca, Sr, Ba], X: [S]}}
stages:
  only: {engine: toy, task: relax}
"""
MISSING = "/nowhere/python"


@pytest.fixture
def fleet(bench: Any, tmp_path: Path) -> Iterator[PilotBench]:
    """Return a campaign of four stages, and its exchange folder."""
    made = PilotBench(bench.prepare(SPEC), tmp_path / "exchange")
    yield made
    made.dismiss()


def lost_start(fleet: PilotBench, monkeypatch: pytest.MonkeyPatch, job: str = "broken") -> str:
    """Run a pilot on whose machine no program starts, on one core; return why it left."""
    with monkeypatch.context() as there:
        there.setenv("TOY_PYTHON", MISSING)
        pilot = fleet.start(job, allocation=allocation(1), idle_s=60.0)
        assert pilot.wait(60.0) == 1
    return fleet.log(job).strip().rpartition("left: ")[2]


def test_a_machine_on_which_no_program_starts_is_left_and_its_stages_go_on_elsewhere(
    fleet: PilotBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.hand_over()
    why = lost_start(fleet, monkeypatch)
    assert why.startswith("this node starts no programs: program_not_found: ")
    assert MISSING in why
    (report,) = fleet.exchange.reports("broken")
    assert (report.left, report.stages, report.died) == (why, 0, 0)
    assert not fleet.exchange.done_names()
    assert fleet.work("whole") == "idle"
    assert [one.ending.kind for one in fleet.take_in()] == ["known"] * 4
    failed = list(fleet.run.store.attempts.find({"failure": "program_not_found"}))
    assert len(failed) == 2
    assert_consistent(fleet.run.store)


def test_what_did_not_start_on_a_second_machine_either_has_failed(
    fleet: PilotBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in fleet.hand_over():
        (place / "died.json").write_text(json.dumps({"not_started": ["another-machine"]}))
    lost_start(fleet, monkeypatch)
    assert [one.ending.kind for one in fleet.take_in()] == ["failed"] * 2


def test_on_one_machine_a_stage_that_never_starts_has_failed_the_third_time(
    fleet: PilotBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.hand_over()
    for number in range(3):
        assert not fleet.exchange.done_names()
        lost_start(fleet, monkeypatch, f"job-{number}")
    assert [one.ending.kind for one in fleet.take_in()] == ["failed"] * 2


def test_a_jobs_own_stage_has_failed_at_once(
    fleet: PilotBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own,) = fleet.hand_over(1, folder=fleet.exchange.own("large"))
    monkeypatch.setenv("TOY_PYTHON", MISSING)
    assert fleet.work("large", own_only=True) == "done"
    assert fleet.exchange.done_names() == {own.name}
    result = json.loads((own / "result.json").read_text())
    assert result["ending"]["failure"]["name"] == "program_not_found"


def test_one_stage_alone_says_nothing_of_a_machine(
    fleet: PilotBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.hand_over(1)
    monkeypatch.setenv("TOY_PYTHON", MISSING)
    assert fleet.work() == "idle"
    assert not fleet.exchange.done_names()
