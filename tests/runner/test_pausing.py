"""Pausing: what waits stands still, what is held stays held, and stock lpad sees the same."""

from __future__ import annotations

from typing import Any

from consistency import assert_consistent

from runner.pausing import pause, paused_fireworks, resume

SPEC = """
version: 1
campaign: pausing
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg, Ca, Sr], X: [S]}
stages:
  relax: {engine: toy, task: relax, fails_for: [Ca], on_unrepaired: hold}
  gap: {engine: toy, task: scf, structure: relax}
"""


def firework_states(store: Any) -> list[str]:
    return sorted(one["state"] for one in store.fireworks.find({}, {"state": 1}))


def stage_states(store: Any) -> dict[str, list[str]]:
    return {
        one["formula"]: [entry["state"] for entry in one["stages"].values()]
        for one in store.candidates.find({"member": True})
    }


def test_nothing_starts_while_paused_and_all_goes_on_afterwards(bench: Any) -> None:
    run = bench.prepare(SPEC)
    assert pause(run.store, "pausing") == 3
    assert firework_states(run.store) == ["PAUSED"] * 3 + ["WAITING"] * 3
    assert {one["state"] for one in run.store.workflows.find({})} == {"PAUSED"}
    bench.work_off(run)
    assert run.store.attempts.count_documents({}) == 0
    assert pause(run.store, "pausing") == 0
    assert resume(run.store, "pausing") == 3
    bench.work_off(run)
    assert stage_states(run.store) == {
        "MgS": ["ok", "ok"],
        "CaS": ["held", "blocked"],
        "SrS": ["ok", "ok"],
    }
    assert_consistent(run.store)


def test_a_calculation_that_is_held_stays_held_when_the_rest_resumes(bench: Any) -> None:
    run = bench.prepare(SPEC)
    bench.work_off(run)
    assert paused_fireworks(run.store, "pausing") == 1  # the held one
    assert pause(run.store, "pausing") == 0
    assert resume(run.store, "pausing") == 0
    assert stage_states(run.store)["CaS"] == ["held", "blocked"]
    assert paused_fireworks(run.store, "pausing") == 1


def test_a_paused_campaign_gets_no_further_fireworks(bench: Any) -> None:
    run = bench.prepare("run: {window: 2}\n" + SPEC)
    pending = run.store.candidates.count_documents({"pending": True})
    assert pending
    assert pause(run.store, "pausing") == 1
    bench.work_off(run)
    while run.advance():
        bench.work_off(run)
    assert run.store.candidates.count_documents({"pending": True}) == pending
    resume(run.store, "pausing")
    bench.work_off(run)
    while run.advance():
        bench.work_off(run)
    assert run.store.candidates.count_documents({"pending": True}) == 0
    assert stage_states(run.store)["SrS"] == ["ok", "ok"]


def test_another_run_does_not_forget_that_a_campaign_is_paused(bench: Any) -> None:
    run = bench.prepare(SPEC)
    pause(run.store, "pausing")
    again = bench.prepare(SPEC)
    assert again.store.campaigns.find_one({"_id": "pausing"})["paused"] is not None
    assert firework_states(run.store) == ["PAUSED"] * 3 + ["WAITING"] * 3


def test_what_follows_something_that_runs_is_paused_too(bench: Any) -> None:
    run = bench.prepare(SPEC)
    first = run.store.candidates.find_one({"formula": "MgS"})["stages"]
    running = {"fw_id": first["relax"]["fw_id"]}
    run.store.fireworks.update_one(running, {"$set": {"state": "RUNNING"}})
    assert pause(run.store, "pausing") == 3
    below = run.store.fireworks.find_one({"fw_id": first["gap"]["fw_id"]})
    assert below["state"] == "PAUSED"
    assert run.store.fireworks.find_one(running)["state"] == "RUNNING"
