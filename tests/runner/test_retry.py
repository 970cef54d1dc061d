"""Retrying: what failed is on its way again with what was set, and everything below follows."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from consistency import assert_consistent
from sudden_death import die_at_every_write, in_child

from runner.cases import Request
from runner.retry import retry
from schemas.errors import UserError
from schemas.failure_reports import Retry

SPEC = """
version: 1
campaign: again
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg, Ca], X: [S]}
stages:
  relax: {engine: toy, task: relax, RELAX}
  gap: {engine: toy, task: scf, structure: relax}
  more: {engine: toy, task: scf, structure: relax, x: 2.0, when: gap.value > 0}
"""
NEEDY = "needs_gb: 8"
BIG = ("resources.memory_gb=8",)


def spec(relax: str = NEEDY, policy: str = "fail") -> str:
    return SPEC.replace("RELAX", f"{relax}, on_unrepaired: {policy}")


def states(store: Any) -> dict[str, dict[str, str]]:
    return {
        one["formula"]: {name: entry["state"] for name, entry in one["stages"].items()}
        for one in store.candidates.find({"member": True})
    }


def is_all_ok(store: Any) -> bool:
    return {state for one in states(store).values() for state in one.values()} == {"ok"}


def failed(bench: Any, text: str) -> Any:
    run = bench.prepare(text)
    bench.work_off(run)
    return run


def again(run: Any, *settings: str, **request: Any) -> Retry:
    return retry(run.store, "again", Request(settings=settings, **request))


def memory(store: Any) -> set[float | None]:
    orders = [one["spec"]["order"] for one in store.fireworks.find({"spec.stage": "relax"})]
    return {one["resources"]["memory_gb"] for one in orders}


def everything(store: Any) -> list[Any]:
    names = ("candidates", "fireworks", "workflows", "launches")
    return [sorted(store.__getattr__(name).find({}), key=str) for name in names]


@pytest.mark.parametrize("policy", ["fail", "hold", "drop"])
def test_a_failure_of_any_policy_runs_again_with_what_was_set(bench: Any, policy: str) -> None:
    run = failed(bench, spec(policy=policy))
    done = again(run, *BIG)
    assert (done.count, done.follows, done.busy) == (2, 4, 0)
    assert done.next == f"campaign run {bench.folder / 'spec.yaml'}"
    assert states(run.store)["MgS"] == {"relax": "ready", "gap": "waiting", "more": "waiting"}
    assert_consistent(run.store)
    bench.work_off(run)
    assert is_all_ok(run.store)
    assert memory(run.store) == {8}
    assert_consistent(run.store)
    assert run.store.attempts.count_documents({"stage": "relax"}) == 4


@pytest.mark.parametrize("policy", ["fail", "hold", "drop"])
def test_the_next_run_finds_what_was_set_and_finishes(bench: Any, policy: str) -> None:
    run = failed(bench, spec(policy=policy))
    again(run, *BIG)
    bench.run(spec(policy=policy))
    assert is_all_ok(run.store)
    assert memory(run.store) == {8}
    assert_consistent(run.store)


def test_without_a_remedy_it_fails_again_and_can_be_retried_again(bench: Any) -> None:
    run = failed(bench, spec())
    for settings in ((), ("resources.memory_gb=4",), ("resources.walltime_min=5",)):
        again(run, *settings)
        bench.work_off(run)
        assert states(run.store)["MgS"] == {"relax": "failed", "gap": "blocked", "more": "blocked"}
        assert_consistent(run.store)
    (entry, _) = [one["stages"]["relax"] for one in run.store.candidates.find({})]
    assert entry["overrides"] == {"resources": {"memory_gb": 4, "walltime_min": 5}}
    again(run, *BIG)
    bench.work_off(run)
    assert is_all_ok(run.store)


def test_a_param_that_is_no_physics_can_be_set(bench: Any) -> None:
    run = failed(bench, spec("fails_for: [Mg]"))
    done = again(run, "fails_for=[]")
    assert [one.overrides for one in done.sent] == [{"params": {"fails_for": []}}]
    bench.run(spec("fails_for: [Mg]"))
    assert is_all_ok(run.store)


def test_what_was_set_ends_with_the_calculation_that_it_was_set_for(bench: Any) -> None:
    run = failed(bench, spec())
    again(run, *BIG)
    bench.work_off(run)
    bench.run(spec(f"{NEEDY}, x: 3.0"))
    assert states(run.store)["MgS"]["relax"] == "failed"
    entries = [one["stages"]["relax"] for one in run.store.candidates.find({})]
    assert [one["overrides"] for one in entries] == [{}, {}]


def test_only_what_is_chosen_is_retried(bench: Any) -> None:
    run = failed(bench, spec("fails_for: [Mg], needs_gb: 8"))
    calcium = next(one["id"] for one in run.store.candidates.find({"formula": "CaS"}))
    wanted: dict[str, dict[str, str]] = {
        "CaS": {"cause": "out_of_memory"},
        "MgS": {"candidate": "MgS"},
    }
    for formula, request in wanted.items():
        assert [one.formula for one in again(run, dry_run=True, **request).sent] == [formula]
    assert again(run, dry_run=True, candidate=calcium[:10], stage="relax").count == 1
    assert again(run, dry_run=True, stage="gap").count == 0
    nothing = again(run, cause="hung")
    assert (nothing.count, nothing.next) == (0, None)
    assert nothing.others == {"out_of_memory": 1, "scf_not_converged": 1}
    assert again(run, *BIG, cause="out_of_memory").count == 1
    bench.work_off(run)
    assert states(run.store)["CaS"]["more"] == "ok"
    assert states(run.store)["MgS"]["relax"] == "failed"


def test_a_dry_run_says_what_it_would_do_and_changes_nothing(bench: Any) -> None:
    run = failed(bench, spec())
    before = everything(run.store)
    done = again(run, *BIG, dry_run=True)
    assert (done.count, done.follows) == (2, 4)
    assert done.sent[0].overrides == {"resources": {"memory_gb": 8}}
    assert everything(run.store) == before


def test_all_mistakes_are_said_at_once_and_nothing_is_changed(bench: Any) -> None:
    run = failed(bench, spec())
    before = everything(run.store)
    settings = ("resources.memory_gb=much", "resources.memry_gb=1", "x=2", "secnds=1", "seconds")
    with pytest.raises(UserError) as caught:
        again(run, *settings)
    assert str(caught.value).splitlines() == [
        "--set seconds: expected PATH=VALUE, such as resources.memory_gb=64",
        (
            "--set resources.memry_gb: stage 'relax' (toy) has nothing of that name; "
            "did you mean 'resources.memory_gb'?"
        ),
        "--set x: edit the campaign file (stages.relax): that is another calculation",
        "--set secnds: stage 'relax' (toy) has nothing of that name; did you mean 'seconds'?",
        "--set resources.memory_gb: found 'much', expected a number greater than 0, in GB",
    ]
    with pytest.raises(UserError) as caught:
        again(run, cause="out_of_memry", stage="relx", candidate="MgO")
    assert str(caught.value).splitlines() == [
        "--cause: no failure 'out_of_memry'; did you mean 'out_of_memory'?",
        "--stage: campaign 'again' has no stage 'relx'; did you mean 'relax'?",
        (
            "--candidate: no candidate 'MgO'; a candidate is named by its formula or by the "
            "beginning of its id; did you mean 'MgS'?"
        ),
    ]
    assert everything(run.store) == before


def test_a_stage_that_another_failure_blocks_stays_blocked(bench: Any) -> None:
    text = spec("seconds: 0").replace("task: scf, structure: relax}", "task: scf, needs_gb: 8}")
    text = text.replace("structure: relax, x: 2.0", "structure: other, x: 2.0")
    text += "  other: {engine: toy, task: relax, x: 5.0, needs_gb: 8}\n"
    run = failed(bench, text)
    assert states(run.store)["MgS"] == {
        "relax": "ok", "gap": "failed", "other": "failed", "more": "blocked",
    }  # fmt: skip
    assert again(run, *BIG, stage="gap").follows == 0
    bench.work_off(run)
    assert states(run.store)["MgS"]["more"] == "blocked"
    assert again(run, *BIG).follows == 2
    bench.work_off(run)
    assert is_all_ok(run.store)
    assert_consistent(run.store)


@pytest.mark.parametrize("policy", ["fail", "drop"])
def test_a_stage_of_a_later_workflow_follows(bench: Any, policy: str) -> None:
    text = spec(policy=policy)
    failed(bench, text)
    late = text + "  late: {engine: toy, task: scf, x: 9.0, structure: relax}\n"
    run = failed(bench, late)
    again(run, *BIG)
    bench.work_off(run)
    bench.run(late)  # a dropped stage's successors may have had no firework
    assert is_all_ok(run.store)
    assert_consistent(run.store)


def test_a_firework_that_a_user_sent_on_already_is_run_once(bench: Any) -> None:
    run = failed(bench, spec())
    for one in run.store.fireworks.find({"spec.stage": "relax"}):
        run.store.launchpad.rerun_fw(one["fw_id"])
    again(run, *BIG)
    bench.work_off(run)
    assert is_all_ok(run.store)
    assert run.store.attempts.count_documents({"stage": "relax"}) == 4


@pytest.mark.slow
def test_a_run_that_is_going_on_takes_up_what_is_retried(bench: Any) -> None:
    slow = f"relax: {{engine: toy, task: relax, {NEEDY}}}"
    text = SPEC.replace("relax: {engine: toy, task: relax, RELAX}", slow)
    text += "  long: {engine: toy, task: scf, x: 7.0, seconds: 6}\n"
    text += "run: {launcher: {kind: local, slots: 2}}\n"
    path = bench.write(text)
    command = [sys.executable, "-c", "from runner.cli import main; main()", "run", str(path)]
    process = subprocess.Popen(command, env={**os.environ, **bench.environ})
    store = _wait_for_failures(bench.folder / "data" / "store.db")
    done = retry(store, "again", Request(settings=BIG))
    assert done.running
    assert done.next is None
    assert done.count == 2
    assert process.wait(timeout=60) == 0
    assert is_all_ok(store)
    assert_consistent(store)


def _wait_for_failures(path: Path) -> Any:
    from fireworks_ext.store import open_store

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if path.exists():
            store = open_store(str(path))
            if store.fireworks.count_documents({"state": "FIZZLED"}) == 2:
                return store
        time.sleep(0.1)
    raise AssertionError("nothing failed")


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["fail", "hold", "drop"])
def test_a_retry_that_is_killed_anywhere_is_completed_by_another(bench: Any, policy: str) -> None:
    text = spec(policy=policy).replace("[Mg, Ca]", "[Mg]")
    run = failed(bench, text)

    def finish() -> None:
        now = bench.prepare(text)
        again(now, *BIG)
        bench.work_off(now)
        bench.run(text)
        assert is_all_ok(now.store)
        assert_consistent(now.store)
        assert now.store.attempts.count_documents({"outcome": "ok"}) == 3
        assert now.store.attempts.count_documents({"outcome": {"$ne": "ok"}}) == 1

    _close(run)
    die_at_every_write(
        bench.folder / "data", act=lambda: again(_opened(bench, text), *BIG), then=finish
    )


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["fail", "hold", "drop"])
def test_after_a_killed_retry_a_run_loses_nothing(bench: Any, policy: str) -> None:
    """Each stage is as before the retry, or has run again with what was set."""
    text = spec(policy=policy).replace("[Mg, Ca]", "[Mg]")
    run = failed(bench, text)
    before = states(run.store)["MgS"]

    def finish() -> None:
        bench.run(text)
        store = _opened(bench, text).store
        assert_consistent(store)
        now = states(store)["MgS"]
        assert is_all_ok(store) or now == before, now
        if now == before:
            assert store.attempts.count_documents({}) == 1

    _close(run)
    die_at_every_write(
        bench.folder / "data", act=lambda: again(_opened(bench, text), *BIG), then=finish
    )
    assert in_child(lambda: is_all_ok(_opened(bench, text).store))


def _opened(bench: Any, text: str) -> Any:
    from runner.controller import Run
    from runner.load import load
    from runner.place import place_of

    loaded = load(bench.write(text))
    return Run(loaded, place_of(loaded, environ=bench.environ))


def _close(run: Any) -> None:
    run.store.launchpad.db.client.close()


def test_a_workflow_that_stays_locked_is_named_with_what_to_do_and_nothing_is_lost(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fireworks_ext import states as firework_states

    run = failed(bench, spec())
    run.store.workflows.update_many({}, {"$set": {"locked": True}})
    rerun = firework_states.rerun
    monkeypatch.setattr(firework_states, "rerun", lambda *one: rerun(*one, wait_s=0.1))
    with pytest.raises(UserError, match="campaign repair NAME --wait"):
        again(run, *BIG)
    monkeypatch.undo()
    run.store.workflows.update_many({}, {"$unset": {"locked": ""}})
    run._janitor.clean(thorough=True)
    again(run, *BIG)
    bench.work_off(run)
    assert is_all_ok(run.store)
    assert_consistent(run.store)
