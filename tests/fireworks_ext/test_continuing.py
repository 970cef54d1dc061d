"""Stopped, killed, hung and out of time: a calculation goes on from where it was."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from consistency import assert_consistent
from stepping_campaigns import attempts, done, program, stop_once, work_until

SPEC = """
version: 1
campaign: steps
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg], X: [S]}
stages:
  count: {engine: stepping, SETTINGS}
"""


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file in which the program logs each of its steps."""
    path = tmp_path / "steps.log"
    monkeypatch.setenv("TOY_LOG", str(path))
    return path


def spec(settings: str) -> str:
    return SPEC.replace("SETTINGS", settings)


def test_a_stopped_calculation_goes_on_from_its_last_step(bench: Any, steps: Path) -> None:
    run = bench.prepare(spec("steps: 12"))
    stop_once(bench, run, steps, 4)
    assert [one["outcome"] for one in attempts(run)] == ["interrupted"]
    bench.work_off(run)
    assert done(steps) == list(range(1, 13))
    first, second = attempts(run)
    assert second["outcome"] == "ok"
    assert second["continued"] == f"step {first_steps(first)}"
    assert_consistent(run.store)


def first_steps(attempt: dict[str, Any]) -> int:
    printed = Path(attempt["directory"], "toy.out").read_text()
    return printed.count("step ")


def test_a_killed_program_goes_on_when_it_is_sent_on_again(bench: Any, steps: Path) -> None:
    run = bench.prepare(spec("steps: 12"))
    work_until(bench, run, steps, 5, lambda _: os.kill(program().pid, signal.SIGKILL))
    (failed,) = attempts(run)
    assert (failed["outcome"], failed["failure"]) == ("failed", "killed_by_signal")
    assert failed["exit_code"] == -signal.SIGKILL
    (firework,) = run.store.fireworks.find({})
    run.store.launchpad.rerun_fw(firework["fw_id"])
    bench.work_off(run)
    assert [one["outcome"] for one in attempts(run)] == ["failed", "ok"]
    assert max(Counter(done(steps)).values()) == 1


def test_checkpoints_are_taken_on_the_way_and_the_newest_are_kept(
    bench: Any, steps: Path, tmp_path: Path
) -> None:
    saved = tmp_path / "saved"
    status = bench.run(spec(f"steps: 30, checkpoint: {{every_min: 0.004, keep: 2, to: {saved}}}"))
    assert status.stages[0].ok == 1
    assert done(steps) == list(range(1, 31))
    run = bench.prepare(spec(f"steps: 30, checkpoint: {{every_min: 0.004, keep: 2, to: {saved}}}"))
    (attempt,) = attempts(run)
    taken = attempt["checkpoints"]
    assert len(taken) >= 3
    assert all(one["bytes"] > 0 and 0 <= one["seconds"] < 5 for one in taken)
    kept = sorted(one.parent.name for one in saved.rglob("state.json"))
    assert kept == sorted(one["name"] for one in taken)[-2:]


def test_what_is_lost_with_the_machine_goes_on_from_the_checkpoint(
    bench: Any, steps: Path, tmp_path: Path
) -> None:
    settings = spec(f"steps: 40, checkpoint: {{every_min: 0.004, to: {tmp_path / 'saved'}}}")
    run = bench.prepare(settings)
    stop_once(bench, run, steps, 25)
    (attempt,) = attempts(run)
    Path(attempt["directory"], "state.json").unlink()
    bench.work_off(run)
    assert [one["outcome"] for one in attempts(run)] == ["interrupted", "ok"]
    again = [step for step, times in Counter(done(steps)).items() if times > 1]
    assert len(again) < 10


def test_a_run_out_of_time_goes_on_by_itself_as_often_as_it_may(bench: Any, steps: Path) -> None:
    settings = "steps: 20, step_s: 0.1, resources: {walltime_min: 0.012}"
    run = bench.prepare(spec(settings))
    bench.work_off(run)
    assert done(steps) == list(range(1, 21))
    assert {one["outcome"] for one in attempts(run)[:-1]} == {"interrupted"}
    assert attempts(run)[-1]["outcome"] == "ok"


def test_a_run_out_of_time_fails_when_it_has_gone_on_often_enough(bench: Any, steps: Path) -> None:
    settings = "steps: 50, step_s: 0.1, resources: {walltime_min: 0.012}"
    run = bench.prepare(spec(settings + ", checkpoint: {continuations: 2}"))
    bench.work_off(run)
    outcomes = [(one["outcome"], one["failure"]) for one in attempts(run)]
    assert outcomes == [
        ("interrupted", "out_of_walltime"),
        ("interrupted", "out_of_walltime"),
        ("failed", "out_of_walltime"),
    ]


def test_a_program_that_falls_silent_is_ended_and_named(bench: Any, steps: Path) -> None:
    run = bench.prepare(spec("steps: 12, silent_at: 6"))
    bench.work_off(run)
    (attempt,) = attempts(run)
    assert (attempt["outcome"], attempt["failure"]) == ("failed", "hung")
    assert attempt["walltime_s"] < 20


def test_a_damaged_state_is_not_gone_on_from(bench: Any, steps: Path) -> None:
    run = bench.prepare(spec("steps: 8"))
    stop_once(bench, run, steps, 3)
    (attempt,) = attempts(run)
    Path(attempt["directory"], "state.json").write_text('{"done": ')
    bench.work_off(run)
    assert attempts(run)[-1]["outcome"] == "ok"
    assert attempts(run)[-1]["continued"] is None
    assert done(steps)[-8:] == list(range(1, 9))
