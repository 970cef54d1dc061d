"""Kills, full disks and races around going on: nothing is lost, done twice, or wrong."""

from __future__ import annotations

import errno
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from consistency import assert_consistent
from stepping_campaigns import attempts, done, program, stop_once, work_until
from stepping_engine import SteppingContinuation, SteppingEngine
from sudden_death import Child, in_child

from fireworks_ext import artefacts, ledger, retention
from fireworks_ext.attempts import calculation, jobs
from fireworks_ext.checkpoints import continuing
from fireworks_ext.checkpoints.places import LocalPlace
from fireworks_ext.worker import sessions
from schemas.result import Correction

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
SPEC = """
version: 1
campaign: steps
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg], X: [S]}
stages:
  first: {engine: stepping, step_s: 0.02, SETTINGS}
"""
SECOND = "  second: {engine: stepping, steps: 12, step_s: 0.02, charge_density: first}\n"
DELETED = "steps: 2, step_s: 0.0, retention: {charge_density: delete}"


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file in which the program logs each of its steps."""
    path = tmp_path / "steps.log"
    monkeypatch.setenv("TOY_LOG", str(path))
    return path


def spec(settings: str, *, second: bool = False, campaign: str = "steps") -> str:
    text = SPEC.replace("SETTINGS", settings).replace("campaign: steps", f"campaign: {campaign}")
    for name in ("step_s",):
        if f"{name}:" in settings:
            text = text.replace("step_s: 0.02, ", "", 1)
    return text + (SECOND if second else "")


def outcomes(run: Any, stage: str = "first") -> list[str]:
    return [one["outcome"] for one in attempts(run) if one["stage"] == stage]


def die(*_arguments: object, **_more: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def after(function: Callable[..., Any], act: Callable[[], object]) -> Callable[..., Any]:
    """Return a function that does something more at its end."""

    def both(*arguments: Any, **more: Any) -> Any:
        answer = function(*arguments, **more)
        act()
        return answer

    return both


def test_kills_between_taking_a_state_over_and_the_start_of_the_program_lose_no_step(
    bench: Any, steps: Path
) -> None:
    text = spec("steps: 10")
    run = bench.prepare(text)
    stop_once(bench, run, steps, 3)

    def killed(patch: Callable[[], None]) -> None:
        def act() -> None:
            run = bench.prepare(text)
            patch()
            bench.work_off(run)

        assert not in_child(act)

    def at_order() -> None:
        artefacts.write_record = die

    def after_order() -> None:
        ledger.start_attempt = die

    def at_restart() -> None:
        SteppingContinuation.restart = die  # type: ignore[method-assign]

    def after_restart() -> None:
        SteppingContinuation.restart = after(SteppingContinuation.restart, die)  # type: ignore[method-assign]

    def at_start() -> None:
        jobs.run_program = die

    for patch in (at_order, after_order, at_restart, after_restart, at_start):
        killed(patch)
    bench.work_off(bench.prepare(text))
    assert done(steps) == list(range(1, 11))
    assert outcomes(run)[0] == "interrupted"
    assert outcomes(run)[-1] == "ok"
    assert set(outcomes(run)[1:-1]) == {"lost"}
    assert_consistent(run.store)


def test_a_calculation_that_ended_while_it_was_asked_to_stop_is_a_result(
    bench: Any, steps: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = bench.prepare(spec("steps: 3"))

    def stop() -> None:
        run.store.fireworks.update_many({}, {"$set": {"spec._fworker": "nobody"}})
        sessions._sessions["steps"].stop()

    monkeypatch.setattr(jobs, "write_exit", after(jobs.write_exit, stop))
    bench.work_off(run)
    assert outcomes(run) == ["ok"]
    assert_consistent(run.store)


def test_a_disk_that_is_full_when_the_program_has_ended_well_loses_no_result(
    bench: Any, steps: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise FULL

    monkeypatch.setattr(jobs, "write_exit", full)
    run = bench.prepare(spec("steps: 3"))
    bench.work_off(run)
    assert outcomes(run) == ["ok"]


def test_a_disk_too_full_to_compress_leaves_files_as_they_are(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise FULL

    monkeypatch.setattr(retention, "gzip", SimpleNamespace(open=full))
    run = bench.prepare(spec("steps: 2, retention: {outputs: compress}"))
    bench.work_off(run)
    assert outcomes(run) == ["ok"]
    (member,) = run.store.candidates.find({})
    assert member["stages"]["first"]["state"] == "ok"
    folder = Path(attempts(run)[0]["directory"])
    assert "done" in (folder / "toy.out").read_text()
    assert not list(folder.glob(".*.part"))
    assert not (folder / "state.json").exists()


def test_a_kill_within_retention_is_made_good(bench: Any) -> None:
    text = spec("steps: 2, retention: {outputs: compress, charge_density: delete}")
    run = bench.prepare(text)

    def act() -> None:
        retention._compress = after(retention._compress, die)
        bench.work_off(bench.prepare(text))

    assert not in_child(act)
    bench.work_off(bench.prepare(text))
    assert outcomes(run) == ["ok"]
    folder = Path(attempts(run)[0]["directory"])
    assert not (folder / "toy.out").exists()
    assert not (folder / "density").exists()
    assert_consistent(run.store)


def test_checkpoints_in_the_run_directory_serve_the_next_attempt(bench: Any, steps: Path) -> None:
    run = bench.prepare(spec("steps: 40, checkpoint: {every_min: 0.003}"))
    stop_once(bench, run, steps, 30)
    (attempt,) = attempts(run)
    assert attempt["checkpoints"]
    Path(attempt["directory"], "state.json").unlink()
    bench.work_off(run)
    assert outcomes(run) == ["interrupted", "ok"]
    again = [step for step, times in Counter(done(steps)).items() if times > 1]
    assert len(again) < 20


def test_a_checkpoint_of_other_params_does_not_bring_them_back(
    bench: Any, steps: Path, tmp_path: Path
) -> None:
    policy = f"checkpoint: {{every_min: 0.003, to: {tmp_path / 'saved'}}}"
    run = bench.prepare(spec(f"steps: 20, {policy}"))
    stop_once(bench, run, steps, 15)
    assert list((tmp_path / "saved").glob("*/*/state.json"))
    run = bench.prepare(spec(f"steps: 20, step_s: 0.0, {policy}"))
    bench.work_off(run)
    last = attempts(run)[-1]
    assert last["outcome"] == "ok"
    assert json.loads(Path(last["directory"], "in.json").read_text())["step_s"] == 0.0


def test_what_a_run_read_is_kept_as_it_read_it(bench: Any, steps: Path) -> None:
    run = bench.prepare(spec("steps: 20, checkpoint: {every_min: 0.003}"))
    bench.work_off(run)
    (attempt,) = attempts(run)
    first = json.loads(Path(attempt["directory"], "runs/1/in.json").read_text())
    second = json.loads(Path(attempt["directory"], "runs/2/in.json").read_text())
    assert "restart" not in first
    assert second["restart"]


def test_a_stop_does_not_count_as_a_continuation_after_the_walltime(
    bench: Any, steps: Path
) -> None:
    limits = "resources: {walltime_min: 0.012}, checkpoint: {continuations: 1}"
    run = bench.prepare(spec(f"steps: 12, step_s: 0.1, {limits}"))
    stop_once(bench, run, steps, 2)
    bench.work_off(run)
    assert outcomes(run) == ["interrupted", "interrupted", "ok"]


def test_a_lost_lease_makes_a_failure_nobodys(bench: Any, steps: Path) -> None:
    run = bench.prepare(spec("steps: 8"))

    def lose(session: Any) -> None:
        run.store.fireworks.update_many({}, {"$set": {"spec._fworker": "nobody"}})
        run.store.leases.update_many({}, {"$inc": {"token": 1}, "$set": {"expires_at": 0.0}})
        program().kill()

    work_until(bench, run, steps, 3, lose)
    run.store.fireworks.update_many({}, {"$unset": {"spec._fworker": ""}})
    assert outcomes(run) == ["interrupted"]
    bench.work_off(run)
    assert outcomes(run) == ["interrupted", "ok"]
    assert done(steps) == list(range(1, 9))


def deviating(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every run recover with other physics."""
    made = Correction(failure="x", action="y", parameter="params", before=1, after=2)
    monkeypatch.setattr(SteppingEngine, "corrections", lambda *_: (made,))


def test_an_attempt_with_other_physics_is_not_taken_in_by_another_campaign(bench: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        deviating(patch)
        bench.run(spec("steps: 2", campaign="other"))
    bench.run(spec("steps: 2"))
    assert bench.computed == [("MgS", "first")]
    run = bench.prepare(spec("steps: 2"))
    mine = next(
        iter(ledger.find_results(run.store, run.store.results.distinct("key"), "steps").values())
    )
    assert (mine.campaign, mine.deviation) == ("steps", "")


def test_an_attempt_that_began_with_other_physics_is_not_gone_on_from_elsewhere(
    bench: Any, steps: Path
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        deviating(patch)
        run = bench.prepare(spec("steps: 1", second=True))
        patch.undo()
        calculate = calculation.run

        def once(engine: Any, calculation: Any, *arguments: Any, **more: Any) -> Any:
            if "first" not in seen:
                seen.append("first")
                deviating(patch)
                try:
                    return calculate(engine, calculation, *arguments, **more)
                finally:
                    patch.undo()
            return calculate(engine, calculation, *arguments, **more)

        seen: list[str] = []
        monkey = pytest.MonkeyPatch()
        monkey.setattr(calculation, "run", once)
        stop_once(bench, run, steps, 6)
        monkey.undo()
    assert outcomes(run) == ["ok"]
    assert outcomes(run, "second") == ["interrupted"]
    clean = spec("steps: 1", second=True, campaign="clean")
    bench.run(clean)
    ours = [one for one in attempts(run) if one["campaign"] == "clean" and one["stage"] == "second"]
    assert [(one["outcome"], one["continued"]) for one in ours] == [("ok", None)]


def test_a_program_that_makes_lost_files_anew_and_outlives_its_worker_is_taken_in(
    bench: Any, steps: Path
) -> None:
    slow = "steps: 30, step_s: 0.03, retention: {charge_density: delete}"
    bench.run(spec(slow))
    steps.unlink()
    text = spec(slow, second=True)
    run = bench.prepare(text)
    worker = Child(lambda: bench.work_off(bench.prepare(text)))
    while not steps.exists() or len(done(steps)) < 5:
        time.sleep(0.01)
    worker.kill()
    assert not worker.finished()
    run.store.leases.update_many({}, {"$set": {"expires_at": 0.0}})
    run = bench.prepare(text)
    bench.work_off(run)
    assert outcomes(run) == ["ok", "ok"]
    assert outcomes(run, "second") == ["ok"]
    assert done(steps)[:30] == list(range(1, 31))
    assert_consistent(run.store)


def test_files_made_anew_with_other_physics_do_not_stand_in_for_the_lost(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.run(spec(DELETED))
    deviating(monkeypatch)
    status = bench.run(spec(DELETED, second=True))
    assert status.failures == {"upstream_lost": 1}


def test_an_attempt_that_never_began_does_not_hide_the_state_of_an_older_one(
    tmp_path: Path,
) -> None:
    folders = [tmp_path / name for name in ("1", "2", "3")]
    for number, folder in enumerate(folders[:2]):
        folder.mkdir()
        (folder / "in.json").write_text("{}")
        (folder / "state.json").write_text(json.dumps({"done": 9 - number}))
    folders[2].mkdir()
    (folders[2] / "in.json").write_text("{}")
    jobs.write_command(folders[0], ["program"])
    place = LocalPlace(tmp_path / "none")
    earlier = [folders[1], folders[0]]
    assert continuing.go_on(SteppingContinuation(), folders[2], earlier, place) == "step 9"


def test_corrections_are_counted_in_the_attempt_that_made_them(
    bench: Any, steps: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [
        Correction(failure="x", action=action, parameter=None, before=None, after=None)
        for action in ("first", "second")
    ]
    run = bench.prepare(spec("steps: 8"))
    monkeypatch.setattr(SteppingEngine, "corrections", lambda *_: tuple(made[:1]))
    stop_once(bench, run, steps, 3)
    monkeypatch.setattr(SteppingEngine, "corrections", lambda *_: tuple(made))
    bench.work_off(run)
    assert [[one["action"] for one in attempt["corrections"]] for attempt in attempts(run)] == [
        ["first"],
        ["second"],
    ]
    (result,) = run.store.results.find({})
    assert [one["action"] for one in result["recovery"]] == ["first", "second"]
