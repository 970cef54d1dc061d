"""How stages end: failures by `on_unrepaired`, gates, waiting for a key, a spent budget, a stop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fireworks_ext import leases, ledger, states
from fireworks_ext.processes import Process, this_process
from runner.ledger_rows import result_rows
from schemas.errors import ExitCode

SPEC = """
version: 1
campaign: endings
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg, Ca], X: [S]}
stages:
  relax: {engine: toy, task: relax, fails_for: [Mg], on_unrepaired: POLICY}
  gap: {engine: toy, task: scf, structure: relax}
  more: {engine: toy, task: scf, structure: relax, x: 2.0, when: gap.value > 0}
"""
ELSEWHERE = Process(host="elsewhere", pid=1, started=1)


def counts(status: Any, stage: str) -> dict[str, int]:
    found = next(one for one in status.stages if one.stage == stage).model_dump()
    return {name: number for name, number in found.items() if name != "stage" and number}


def firework_states(store: Any) -> dict[str, str]:
    return {one["name"]: one["state"] for one in store.fireworks.find({})}


def test_a_failure_blocks_what_needs_it_and_is_not_repeated(bench: Any) -> None:
    spec = SPEC.replace("POLICY", "fail")
    status = bench.run(spec)
    assert counts(status, "relax") == {"ok": 1, "failed": 1}
    assert counts(status, "gap") == {"ok": 1, "blocked": 1}
    assert counts(status, "more") == {"ok": 1, "blocked": 1}
    assert status.failures == {"scf_not_converged": 1}
    assert bench.code == ExitCode.SETTLED_WITH_FAILURES
    bench.run(spec)
    assert bench.computed == []
    bench.run(spec + "# another revision\n")
    assert bench.computed == []


def test_a_failed_firework_is_fizzled_with_the_failure_in_its_launch(bench: Any) -> None:
    run = bench.prepare(SPEC.replace("POLICY", "fail"))
    bench.work_off(run)
    assert firework_states(run.store)["MgS relax"] == "FIZZLED"
    launch = run.store.launches.find_one({"state": "FIZZLED"})
    details = launch["action"]["stored_data"]["_exception"]["_details"]
    assert details["name"] == "scf_not_converged"


def test_a_dropped_failure_completes_and_skips_what_needs_it(bench: Any) -> None:
    run = bench.prepare(SPEC.replace("POLICY", "drop"))
    bench.work_off(run)
    assert set(firework_states(run.store).values()) == {"COMPLETED"}
    assert {one["state"] for one in run.store.workflows.find({})} == {"COMPLETED"}
    status, code = run.finish("settled")
    assert counts(status, "relax") == {"ok": 1, "failed": 1}
    assert counts(status, "gap") == {"ok": 1, "skipped": 1}
    assert counts(status, "more") == {"ok": 1, "skipped": 1}
    assert code == ExitCode.SETTLED_WITH_FAILURES


def test_a_held_failure_pauses_and_runs_again_when_resumed(bench: Any) -> None:
    run = bench.prepare(SPEC.replace("POLICY", "hold"))
    bench.work_off(run)
    assert firework_states(run.store)["MgS relax"] == "PAUSED"
    held = run.store.fireworks.find_one({"name": "MgS relax"})
    assert held["launches"] == []
    assert len(held["archived_launches"]) == 1
    run.store.launchpad.resume_fw(held["fw_id"])
    assert firework_states(run.store)["MgS relax"] == "READY"
    bench.work_off(run)
    assert run.store.attempts.count_documents({"formula": "MgS"}) == 2


def test_a_retried_failure_that_is_repaired_unblocks_what_needs_it(bench: Any) -> None:
    run = bench.prepare(SPEC.replace("POLICY", "fail"))
    bench.work_off(run)
    failed = run.store.fireworks.find_one({"name": "MgS relax"})
    run.store.fireworks.update_one(
        {"fw_id": failed["fw_id"]}, {"$set": {"spec.order.params.fails_for": []}}
    )
    run.store.launchpad.rerun_fw(failed["fw_id"])
    bench.work_off(run)
    status, code = run.finish("settled")
    assert [counts(status, stage) for stage in ("relax", "gap", "more")] == [{"ok": 2}] * 3
    assert code == ExitCode.SETTLED


def test_closed_gates_complete_without_being_run(bench: Any) -> None:
    spec = SPEC.replace("fails_for: [Mg], on_unrepaired: POLICY", "x: 1.0")
    run = bench.prepare(
        spec.replace("structure: relax}", "structure: relax, when: relax.value < 0}")
    )
    bench.work_off(run)
    assert set(firework_states(run.store).values()) == {"COMPLETED"}
    status, _ = run.finish("settled")
    assert counts(status, "gap") == {"skipped": 2}
    assert counts(status, "more") == {"skipped": 2}
    skipped = run.store.candidates.find_one({})["stages"]
    assert "relax.value = " in skipped["gap"]["reason"]
    assert skipped["more"]["reason"] == "gap was skipped"


def test_a_skipped_stage_that_is_rerun_by_hand_is_skipped_again(bench: Any) -> None:
    spec = SPEC.replace("fails_for: [Mg], on_unrepaired: POLICY", "x: 1.0")
    run = bench.prepare(
        spec.replace("structure: relax}", "structure: relax, when: relax.value < 0}")
    )
    bench.work_off(run)
    gap = run.store.fireworks.find_one({"name": "MgS gap"})
    run.store.launchpad.rerun_fw(gap["fw_id"])
    assert firework_states(run.store)["MgS gap"] == "READY"
    bench.work_off(run)
    assert set(firework_states(run.store).values()) == {"COMPLETED"}
    assert run.store.attempts.count_documents({"stage": "gap"}) == 0


@pytest.fixture
def waiting(bench: Any) -> Any:
    """Return a run in which another machine's worker holds the key of CaS relax."""
    run = bench.prepare(SPEC.replace("POLICY", "fail"))
    firework = run.store.fireworks.find_one({"name": "CaS relax"})
    run.lease = leases.acquire(run.store, firework["spec"]["key"], ELSEWHERE)
    bench.work_off(run)
    assert firework_states(run.store)["CaS relax"] == "WAITING"
    return run


def test_a_key_that_another_worker_holds_is_waited_for_without_a_worker(
    bench: Any, waiting: Any
) -> None:
    leases.release(waiting.store, waiting.lease)
    assert states.wake(waiting.store, waiting.lease.name) == 1
    bench.work_off(waiting)
    assert firework_states(waiting.store)["CaS more"] == "COMPLETED"


def test_the_janitor_wakes_those_whose_key_was_freed_unheard(bench: Any, waiting: Any) -> None:
    leases.release(waiting.store, waiting.lease)
    waiting._repair()
    bench.work_off(waiting)
    assert firework_states(waiting.store)["CaS more"] == "COMPLETED"


def test_a_lease_of_a_process_that_ended_here_is_freed_at_once(bench: Any) -> None:
    run = bench.prepare(SPEC.replace("POLICY", "fail"))
    gone = this_process().model_copy(update={"started": 1})
    key = run.store.fireworks.find_one({"name": "CaS relax"})["spec"]["key"]
    assert leases.acquire(run.store, key, gone)
    run._repair()
    assert leases.is_free(run.store, key)


def test_a_spent_budget_starts_nothing_new_and_a_higher_one_continues(bench: Any) -> None:
    spec = SPEC.replace("fails_for: [Mg], on_unrepaired: POLICY", "seconds: 0.05")
    tight = spec + "budget: {core_hours: 1.0e-6}\n"
    status = bench.run(tight)
    assert bench.computed == [("MgS", "relax")]
    assert bench.code == ExitCode.STOPPED_BY_BUDGET
    assert status.state == "over budget"
    status = bench.run(spec + "budget: {core_hours: 1}\n")
    assert len(bench.computed) == 5
    assert bench.code == ExitCode.SETTLED


def test_a_firework_that_ended_without_a_record_runs_again(bench: Any) -> None:
    """A database that went away makes FireWorks give a firework up, though nothing failed."""
    run = bench.prepare(SPEC.replace("POLICY", "fail"))
    firework = run.store.fireworks.find_one({"name": "CaS relax"})
    _, launch_id = run.store.launchpad.checkout_fw(_fworker(), "", fw_id=firework["fw_id"])
    run.store.launchpad.complete_launch(launch_id, state="FIZZLED")
    assert firework_states(run.store)["CaS relax"] == "FIZZLED"
    run._repair()
    bench.work_off(run)
    assert firework_states(run.store)["CaS more"] == "COMPLETED"


def test_results_of_a_deviation_serve_only_their_campaign(bench: Any) -> None:
    run = bench.prepare(SPEC.replace("POLICY", "fail"))
    bench.work_off(run)
    record = next(
        one
        for one in ledger.find_results(
            run.store, run.store.results.distinct("key"), "endings"
        ).values()
    )
    run.store.results.delete_many({})
    ledger.store_results(run.store, [record.model_copy(update={"deviation": "d" * 64})])
    assert ledger.find_results(run.store, [record.key], "endings")
    assert not ledger.find_results(run.store, [record.key], "other")


def _fworker() -> Any:
    from fireworks import FWorker

    return FWorker(name="gone")


def test_a_campaign_whose_rest_was_paused_by_its_user_stands_still(bench: Any) -> None:
    run = bench.prepare(SPEC.replace("POLICY", "fail"))
    assert not run._janitor.stands_still()
    for firework in run.store.fireworks.find({"state": "READY"}):
        run.store.launchpad.pause_fw(firework["fw_id"])
    assert run._janitor.stands_still()


def test_a_campaign_that_waits_for_another_worker_does_not_stand_still(
    bench: Any, waiting: Any
) -> None:
    assert not waiting._janitor.stands_still()
    leases.release(waiting.store, waiting.lease)
    assert waiting._janitor.stands_still()


def test_the_row_of_a_failure_says_where_its_files_are(bench: Any) -> None:
    run = bench.prepare(SPEC.replace("POLICY", "fail"))
    bench.work_off(run)
    rows = {(row["formula"], row["stage"]): row for row in result_rows(run.store, "endings")}
    failed = rows["MgS", "relax"]
    assert (failed["outcome"], failed["engine"], failed["task"]) == ("failed", "toy", "relax")
    assert (Path(str(failed["artefacts"])) / "toy.out").exists()
    assert rows["MgS", "gap"]["outcome"] == "blocked"
