"""Pilots that are stopped, run out of time or are killed, and others that go on from there."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from consistency import assert_consistent
from pilot_bench import PilotBench, allocation, kill, programs, until
from stepping_campaigns import attempts, done

from fireworks_ext.folders.claims import claim_folder
from fireworks_ext.processes import this_process
from schemas.stage_file import Forecast

SPEC = """
version: 1
campaign: steps
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg], X: [S]}
stages:
  count: {engine: stepping, steps: STEPS}
"""


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file in which the program logs each of its steps."""
    log = tmp_path / "steps.log"
    monkeypatch.setenv("TOY_LOG", str(log))
    return log


@pytest.fixture
def pilots(bench: Any, tmp_path: Path) -> Iterator[Any]:
    """Return a function that prepares a campaign of so many steps."""
    made: list[PilotBench] = []

    def prepare(number: int) -> PilotBench:
        run = bench.prepare(SPEC.replace("STEPS", str(number)))
        made.append(PilotBench(run, tmp_path / "exchange"))
        return made[-1]

    yield prepare
    for one in made:
        one.dismiss()


def after(steps: Path, wanted: int) -> None:
    """Wait until so many steps were done."""
    until(lambda: steps.exists() and len(done(steps)) >= wanted)


def test_a_signal_for_all_that_reaches_the_program_first_fails_no_stage(
    pilots: Any, steps: Path
) -> None:
    fleet = pilots(60)
    fleet.hand_over()
    pilot = fleet.start()
    after(steps, 4)
    for program in programs("stepping_program", below=steps.parent):
        program.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    pilot.send_signal(signal.SIGTERM)
    assert fleet.leave(pilot) == "asked"
    assert [one.ending.kind for one in fleet.take_in()] == ["interrupted"]


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGTERM])
def test_stopped_by_a_signal_a_stage_goes_on_in_another_pilot(
    pilots: Any, steps: Path, number: signal.Signals
) -> None:
    fleet = pilots(60)
    (place,) = fleet.hand_over()
    pilot = fleet.start()
    after(steps, 4)
    pilot.send_signal(number)
    assert fleet.leave(pilot) == "asked"
    assert fleet.exchange.done_names() == {place.name}
    assert [one.ending.kind for one in fleet.take_in()] == ["interrupted"]
    fleet.exchange.forget(place.name)
    (again,) = fleet.hand_over()
    assert again.name != place.name
    assert fleet.work("second") == "idle"
    assert [one.ending.kind for one in fleet.take_in()] == ["known"]
    assert done(steps) == list(range(1, 61))
    assert [one["outcome"] for one in attempts(fleet.run)] == ["interrupted", "ok"]
    assert_consistent(fleet.run.store)


@pytest.mark.slow  # 15 s: there has to be time for a start on a busy machine
def test_before_the_end_of_its_job_a_stage_saves_its_state_and_another_job_goes_on(
    pilots: Any, steps: Path
) -> None:
    fleet = pilots(400)
    fleet.hand_over()
    limited = allocation(for_s=30.0)
    assert fleet.work(allocation=limited, stop_before_s=20.0) == "time"
    assert limited.ends_at is not None
    assert time.time() < limited.ends_at
    before = len(done(steps))
    assert 0 < before < 400
    assert [one.ending.kind for one in fleet.take_in()] == ["interrupted"]
    fleet.hand_over()
    assert fleet.work("second") == "idle"
    assert [one.ending.kind for one in fleet.take_in()] == ["known"]
    assert done(steps) == list(range(1, 401))


def test_when_a_pilot_is_killed_its_programs_end_and_another_pilot_goes_on(
    pilots: Any, steps: Path, tmp_path: Path
) -> None:
    fleet = pilots(80)
    (place,) = fleet.hand_over()
    pilot = fleet.start()
    after(steps, 4)
    kill(pilot)
    until(lambda: not programs("stepping_program.py", below=tmp_path))
    assert len(done(steps)) < 80
    # Who was left behind says nothing: the stage may be somebody else's by now.
    assert not (place / "result.json").exists()
    assert fleet.work("second") == "idle"
    assert [one.ending.kind for one in fleet.take_in()] == ["known"]
    assert done(steps) == list(range(1, 81))
    assert_consistent(fleet.run.store)


def test_no_other_pilot_takes_a_stage_whose_program_still_runs(
    pilots: Any, steps: Path, tmp_path: Path
) -> None:
    fleet = pilots(60)
    (place,) = fleet.hand_over()
    pilot = fleet.start()
    after(steps, 4)
    (program,) = programs("stepping_program.py", below=tmp_path)
    program.suspend()  # it will not end as soon as it is asked to
    kill(pilot)
    assert claim_folder(place, this_process()) is None
    program.resume()
    claim = until(lambda: claim_folder(place, this_process()))
    assert not programs("stepping_program.py", below=tmp_path)
    claim.give_back()


def test_a_pilot_whose_stage_was_given_to_somebody_else_keeps_silent(
    pilots: Any, steps: Path, tmp_path: Path
) -> None:
    fleet = pilots(40)
    (place,) = fleet.hand_over()
    pilot = fleet.start()
    after(steps, 4)
    (place / "claim-2").write_text("elsewhere:1:1")
    assert fleet.leave(pilot) == "idle"
    assert not (place / "result.json").exists()
    assert not fleet.exchange.done_names()
    (report,) = fleet.exchange.reports("first")
    assert (report.stages, report.died) == (0, 0)


@pytest.mark.slow  # 30 s: the grace of a program, and of its process
def test_what_does_not_stop_when_it_is_asked_to_is_ended(
    pilots: Any, steps: Path, tmp_path: Path
) -> None:
    fleet = pilots(2000)
    (place,) = fleet.hand_over()
    pilot = fleet.start()
    after(steps, 4)
    (program,) = programs("stepping_program.py", below=tmp_path)
    program.parent().suspend()
    pilot.send_signal(signal.SIGTERM)
    assert fleet.leave(pilot) == "asked"
    assert not programs("stepping_program.py", below=tmp_path)
    assert not (place / "result.json").exists()
    assert claim_folder(place, this_process()) is not None
    (report,) = fleet.exchange.reports("first")
    assert report.died == 0


def test_a_stage_that_no_job_is_long_enough_for_has_failed_where_it_cannot_go_on(
    bench: Any, tmp_path: Path
) -> None:
    run = bench.prepare(
        SPEC.replace("engine: stepping, steps: STEPS", "engine: toy, task: scf, seconds: 60")
    )
    fleet = PilotBench(run, tmp_path / "exchange")
    fleet.hand_over(forecast=lambda _: Forecast(expected_s=60, high_s=90, basis="known"))
    assert fleet.work(allocation=allocation(for_s=30.0), stop_before_s=20.0) in {"time", "idle"}
    (ended,) = fleet.take_in()
    assert ended.ending.kind == "failed"
    fleet.dismiss()
