"""Pilots as processes on this machine: what they take, what they leave, when they go."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from consistency import assert_consistent
from pilot_bench import ROOT, PilotBench, allocation, programs, until

from schemas.stage_file import Forecast

SPEC = """
version: 1
campaign: flights
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [METALS], X: [S]}
stages:
  only: {engine: toy, task: relax, SETTINGS}
"""
FOUR = "Mg, Ca, Sr, Ba"


def spec(metals: str = FOUR, settings: str = "x: 1.0") -> str:
    return SPEC.replace("METALS", metals).replace("SETTINGS", settings)


@pytest.fixture
def toys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file in which the program logs its starts and ends."""
    log = tmp_path / "toys.log"
    monkeypatch.setenv("TOY_LOG", str(log))
    return log


@pytest.fixture
def pilots(bench: Any, tmp_path: Path) -> Iterator[Any]:
    """Return a function that prepares a campaign and its exchange folder."""
    made: list[PilotBench] = []

    def prepare(text: str) -> PilotBench:
        made.append(PilotBench(bench.prepare(text), tmp_path / "exchange"))
        return made[-1]

    yield prepare
    for one in made:
        one.dismiss()


def lines(log: Path) -> list[list[str]]:
    return [line.split() for line in log.read_text().splitlines()] if log.exists() else []


def here(tmp_path: Path, name: str = "toy_program.py") -> list[psutil.Process]:
    """Return the programs that run for this test."""
    return programs(name, below=tmp_path)


def test_stages_are_carried_out_announced_and_accounted_for(pilots: Any) -> None:
    fleet = pilots(spec())
    places = fleet.hand_over()
    assert fleet.work() == "idle"
    assert fleet.exchange.done_names() == {one.name for one in places}
    (report,) = fleet.exchange.reports("first")
    (begun,) = fleet.exchange.begun("first")
    assert (report.stages, report.running, report.died, report.left) == (4, 0, 0, "idle")
    assert 0 < report.program_cpu_s < report.busy_core_s < report.cores * report.seconds
    assert (begun.allocation.cores, begun.process.pid) == (2, fleet.pilots[0].pid)
    assert [one.ending.kind for one in fleet.take_in()] == ["known"] * 4
    assert_consistent(fleet.run.store)


def test_stages_side_by_side_run_on_cores_of_their_own(pilots: Any, tmp_path: Path) -> None:
    if len(psutil.Process().cpu_affinity() or ()) < 2:
        pytest.skip("this machine has one core")
    fleet = pilots(spec("Mg, Ca", "seconds: 1.0"))
    fleet.hand_over()
    pilot = fleet.start()
    two = until(lambda: found if len(found := here(tmp_path)) == 2 else None)
    allowed = [
        next(
            line.split()[1]
            for line in Path(f"/proc/{one.pid}/status").read_text().splitlines()
            if line.startswith("Cpus_allowed_list")
        )
        for one in two
    ]
    assert len(set(allowed)) == 2
    assert all(one.isdigit() for one in allowed)
    assert fleet.leave(pilot) == "idle"


def test_wide_and_narrow_stages_never_take_more_cores_than_there_are(
    pilots: Any, toys: Path
) -> None:
    text = spec("Mg, Ca, Sr", "seconds: 0.1")
    fleet = pilots(text + "  wide: {engine: toy, task: relax, x: 3.0, resources: {cores: 2}}\n")
    assert len(fleet.hand_over()) == 6
    assert fleet.work() == "idle"
    cores = {
        one["directory"]: one["cores"]
        for delivery in fleet.take_in()
        for one in [attempt.model_dump() for attempt in delivery.attempts]
    }
    busy, most = 0, []
    for word, directory in lines(toys):
        busy += cores[directory] * (1 if word == "start" else -1)
        most.append(busy)
    assert len(cores) == 6
    assert max(most) == 2
    assert most[-1] == 0


def test_of_two_pilots_that_begin_at_once_each_stage_has_one(pilots: Any, toys: Path) -> None:
    fleet = pilots(spec("Mg, Ca, Sr, Ba, Zn, Cd", "seconds: 0.2"))
    fleet.hand_over()
    both = [fleet.start(job, allocation=allocation(1)) for job in ("first", "second")]
    for pilot, job in zip(both, ("first", "second"), strict=True):
        fleet.leave(pilot, job)
    started = Counter(directory for word, directory in lines(toys) if word == "start")
    assert (len(started), set(started.values())) == (6, {1})
    done = [one.stages for job in ("first", "second") for one in fleet.exchange.reports(job)]
    assert sum(done) == 6
    assert [one.ending.kind for one in fleet.take_in()] == ["known"] * 6
    assert_consistent(fleet.run.store)


def test_stages_of_another_job_are_left_to_it(pilots: Any) -> None:
    fleet = pilots(spec("Mg, Ca, Sr"))
    (mine,) = fleet.hand_over(1, folder=fleet.exchange.own("first"))
    (other,) = fleet.hand_over(1, folder=fleet.exchange.own("second"))
    (shared,) = fleet.hand_over(1)
    assert fleet.work("first", own_only=True, idle_s=60.0) == "done"
    assert fleet.exchange.done_names() == {mine.name}
    assert fleet.work("second") == "idle"
    assert fleet.exchange.done_names() == {mine.name, other.name, shared.name}


def test_asked_to_leave_a_pilot_ends_what_runs_and_takes_nothing_new(
    pilots: Any, tmp_path: Path
) -> None:
    fleet = pilots(spec(FOUR, "seconds: 1.5"))
    fleet.hand_over()
    pilot = fleet.start(allocation=allocation(1), idle_s=60.0)
    until(lambda: here(tmp_path))
    fleet.exchange.ask_to_leave()
    assert fleet.leave(pilot) == "leave"
    assert len(fleet.exchange.done_names()) == 1


def test_what_cannot_end_before_the_job_does_is_not_started(pilots: Any, toys: Path) -> None:
    fleet = pilots(spec("Mg, Ca"))
    long = Forecast(expected_s=500.0, high_s=1000.0, basis="test")
    fleet.hand_over(forecast=lambda _: long)
    order = {"allocation": allocation(for_s=300.0), "whole_s": 5000.0, "idle_s": 60.0}
    assert fleet.work(**order) == "time"
    assert not lines(toys)
    assert len(fleet.hand_over()) == 0
    assert fleet.work("second") == "idle"
    assert len(fleet.exchange.done_names()) == 2


def test_a_stage_that_comes_while_nothing_runs_is_taken_at_once(pilots: Any) -> None:
    fleet = pilots(spec("Mg"))
    pilot = fleet.start(idle_s=4.0)
    until(lambda: fleet.exchange.begun("first"))
    (place,) = fleet.hand_over()
    until(fleet.exchange.done_names)
    assert fleet.exchange.done_names() == {place.name}
    assert psutil.Process(pilot.pid).num_threads() == 1  # or a child could inherit a held lock
    assert fleet.leave(pilot) == "idle"


def test_a_stage_whose_process_dies_is_tried_again_and_broken_in_the_end(
    pilots: Any, tmp_path: Path
) -> None:
    fleet = pilots(spec("Mg", "seconds: 60.0"))
    (place,) = fleet.hand_over()
    pilot = fleet.start()
    killed: set[int] = set()
    for _ in range(3):
        program = until(lambda: next((p for p in here(tmp_path) if p.pid not in killed), None))
        killed.add(program.pid)
        program.parent().send_signal(signal.SIGKILL)
        until(lambda one=program: not one.is_running() or one.status() == "zombie")
    assert fleet.leave(pilot) == "idle"
    assert not here(tmp_path)
    (report,) = fleet.exchange.reports("first")
    assert (report.died, report.stages) == (3, 0)
    assert fleet.exchange.done_names() == {place.name}
    (delivery,) = fleet.take_in()
    assert "SIGKILL" in delivery.ending.trace


def test_where_results_cannot_be_kept_a_pilot_leaves_its_stage_to_others(
    pilots: Any, tmp_path: Path
) -> None:
    fleet = pilots(spec("Mg"))
    (place,) = fleet.hand_over()
    stage = place / "stage.json"
    whole = stage.read_text()
    (tmp_path / "file").write_text("in the way of a folder")
    stage.write_text(json.dumps(json.loads(whole) | {"artefacts": f"{tmp_path}/file/below"}))
    assert fleet.work() == "disk"
    assert not fleet.exchange.done_names()
    stage.write_text(whole)
    assert fleet.work("second") == "idle"
    assert [one.ending.kind for one in fleet.take_in()] == ["known"]


def test_when_the_exchange_folder_vanishes_what_runs_is_ended_well(
    pilots: Any, bench: Any, tmp_path: Path
) -> None:
    fleet = pilots(spec("Mg", "seconds: 1.0"))
    fleet.hand_over()
    pilot = fleet.start(idle_s=60.0)
    until(lambda: here(tmp_path))
    fleet.root.rename(tmp_path / "elsewhere")
    assert pilot.wait(60.0) == 0
    assert "left: exchange" in (tmp_path / "elsewhere" / "first.log").read_text()
    assert list(tmp_path.glob("data/artefacts/*/*/*/outcome.json"))


def test_a_stage_that_cannot_be_read_is_in_nobodys_way(pilots: Any) -> None:
    fleet = pilots(spec("Mg"))
    (place,) = fleet.hand_over()
    broken = fleet.exchange.stages / "999-999"
    broken.mkdir()
    (broken / "stage.json").write_text("{}")
    assert fleet.work() == "idle"
    assert fleet.log().count("999-999/stage.json") == 1
    assert fleet.exchange.done_names() == {place.name}


def test_a_job_that_nobody_asked_for_is_refused_in_words(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "runner.pilot", str(tmp_path), "nobody"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60.0
    )
    assert done.returncode == 2
    assert "campaign run" in done.stderr
    assert "Traceback" not in done.stderr
