"""States of stages and fireworks where several inputs, workflows or users meet."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
from consistency import assert_consistent
from pymongo.errors import AutoReconnect

from fireworks_ext import leases, ledger, removal, states
from fireworks_ext.processes import Process, this_process
from schemas.ledger import StageState
from schemas.work import StageOrder

JOIN = """
version: 1
campaign: joins
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg], X: [S]}
stages:
  left: {engine: toy, task: relax, x: 1.0, LEFT}
  right: {engine: toy, task: scf, structure: candidate, x: 1.0, RIGHT}
  join: {engine: toy, task: scf, structure: left, charge_density: right, x: 3.0, JOIN}
  below: {engine: toy, task: scf, structure: left, charge_density: join, x: 4.0}
"""
ELSEWHERE = Process(host="elsewhere", pid=1, started=1)


def join_spec(left: str = "seconds: 0", right: str = "seconds: 0", join: str = "seconds: 0") -> str:
    text = JOIN.replace("LEFT", left).replace("RIGHT", right).replace("JOIN", join)
    return text.replace(", charge_density: right", ", when: right.value > -1.0e9").replace(
        ", charge_density: join", ", when: join.value > -1.0e9"
    )


def stage_states(store: Any) -> dict[str, str]:
    (member,) = store.candidates.find({"member": True})
    return {name: entry["state"] for name, entry in member["stages"].items()}


def fireworks(store: Any) -> dict[str, str]:
    return {one["spec"]["stage"]: one["state"] for one in store.fireworks.find({})}


def the(store: Any, stage: str) -> Any:
    return store.fireworks.find_one({"spec.stage": stage})


def test_workflow_states_are_those_that_fireworks_derives(bench: Any) -> None:
    run = bench.prepare(join_spec())
    for _ in range(3):
        (workflow,) = run.store.workflows.find({})
        loaded = run.store.launchpad.get_wf_by_fw_id(workflow["nodes"][0])
        assert states.workflow_state(workflow["links"], workflow["fw_states"]) == loaded.state
        bench.work_off(run)
        run.store.launchpad.defuse_fw(workflow["nodes"][0])


@pytest.mark.parametrize("failing", ["left", "right"])
def test_a_join_stays_blocked_when_its_other_input_ends_well(bench: Any, failing: str) -> None:
    run = bench.prepare(join_spec(**{failing: "fails_for: [Mg]"}))
    bench.work_off(run)
    other = {"left": "right", "right": "left"}[failing]
    expected = {failing: "failed", other: "ok", "join": "blocked", "below": "blocked"}
    assert stage_states(run.store) == expected
    assert_consistent(run.store)


def test_a_join_is_on_its_way_again_once_its_failed_input_is_repaired(bench: Any) -> None:
    run = bench.prepare(join_spec(right="fails_for: [Mg]"))
    bench.work_off(run)
    failed = the(run.store, "right")
    order = {"$set": {"spec.order.params.fails_for": []}}
    run.store.fireworks.update_one({"fw_id": failed["fw_id"]}, order)
    run.store.launchpad.rerun_fw(failed["fw_id"])
    bench.work_off(run)
    assert set(stage_states(run.store).values()) == {"ok"}
    assert_consistent(run.store)


def test_a_new_stage_that_reads_an_older_workflow_follows_its_repair(bench: Any) -> None:
    """Its firework stands in another workflow, so only the key connects the two."""
    old = join_spec(right="fails_for: [Mg]")
    bench.work_off(bench.prepare(old))
    text = (
        old + "  late: {engine: toy, task: scf, x: 9.0, structure: left, when: right.value > 0}\n"
    )
    run = bench.prepare(text)
    bench.work_off(run)
    assert stage_states(run.store)["late"] == "blocked"
    failed = the(run.store, "right")
    order = {"$set": {"spec.order.params.fails_for": []}}
    run.store.fireworks.update_one({"fw_id": failed["fw_id"]}, order)
    run.store.launchpad.rerun_fw(failed["fw_id"])
    bench.work_off(run)
    assert set(stage_states(run.store).values()) == {"ok"}


def test_a_stage_that_waits_for_one_in_another_workflow_hears_that_it_is_skipped(
    bench: Any,
) -> None:
    first = join_spec(join="seconds: 0").replace("right.value > -1.0e9", "right.value < -1.0e9")
    run = bench.prepare(first)
    text = (
        first + "  late: {engine: toy, task: scf, x: 9.0, structure: left, when: join.value > 0}\n"
    )
    run = bench.prepare(text)
    late = the(run.store, "late")
    run.store.fireworks.update_one({"fw_id": late["fw_id"]}, {"$set": {"spec._priority": 100}})
    bench.work_off(run)
    assert stage_states(run.store)["join"] == "skipped"
    assert stage_states(run.store)["late"] == "skipped"
    assert_consistent(run.store)


@pytest.mark.parametrize("policy", ["drop", "fail", "hold"])
def test_running_again_after_a_failure_changes_nothing(bench: Any, policy: str) -> None:
    text = join_spec(left=f"fails_for: [Mg], on_unrepaired: {policy}")
    run = bench.prepare(text)
    bench.work_off(run)
    before = stage_states(run.store), fireworks(run.store)
    again = bench.prepare(text)
    bench.work_off(again)
    assert (stage_states(again.store), fireworks(again.store)) == before
    assert_consistent(again.store)


@pytest.mark.parametrize("policy", ["fail", "hold"])
def test_what_a_user_sent_on_its_way_again_is_run_by_the_next_run(bench: Any, policy: str) -> None:
    text = join_spec(left=f"fails_for: [Mg], on_unrepaired: {policy}")
    run = bench.prepare(text)
    bench.work_off(run)
    failed = the(run.store, "left")
    if policy == "fail":
        run.store.launchpad.rerun_fw(failed["fw_id"])
    else:
        run.store.launchpad.resume_fw(failed["fw_id"])
    again = bench.prepare(text)
    assert stage_states(again.store)["left"] == "ready"


def test_what_a_user_paused_or_defused_stays_so(bench: Any) -> None:
    run = bench.prepare(join_spec())
    run.store.launchpad.pause_fw(the(run.store, "left")["fw_id"])
    run.store.launchpad.defuse_fw(the(run.store, "right")["fw_id"])
    again = bench.prepare(join_spec())
    bench.work_off(again)
    again._repair()
    assert fireworks(again.store)["left"] == "PAUSED"
    assert fireworks(again.store)["right"] == "DEFUSED"
    assert not list(again.store.attempts.find({}))
    run.store.launchpad.resume_fw(the(run.store, "left")["fw_id"])
    run.store.launchpad.reignite_fw(the(run.store, "right")["fw_id"])
    bench.work_off(again)
    assert set(stage_states(again.store).values()) == {"ok"}


def test_only_what_still_runs_in_that_launch_is_given_back(bench: Any) -> None:
    run = bench.prepare(join_spec())
    before = the(run.store, "left")
    order, me = StageOrder.model_validate(before["spec"]["order"]), this_process().name
    assert not states.give_back(run.store, states.Running(before["fw_id"], 99), order, by=me)
    bench.work_off(run)
    ended = the(run.store, "left")
    last = states.Running(ended["fw_id"], ended["launches"][-1])
    assert not states.give_back(run.store, last, order, by=me)
    assert the(run.store, "left") == ended
    assert stage_states(run.store)["left"] == "ok"
    assert_consistent(run.store)


def test_a_refresh_beside_an_outage_or_a_lock_calls_nothing_fizzled(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FireWorks' own calls the firework FIZZLED, and raises RuntimeError."""
    run = bench.prepare(join_spec())
    fw_id = the(run.store, "left")["fw_id"]
    with monkeypatch.context() as outage:

        def away(*_: object) -> None:
            raise AutoReconnect("gone")

        outage.setattr(run.store.launchpad, "get_wf_by_fw_id_lzyfw", away)
        with pytest.raises(AutoReconnect):
            states.refresh(run.store, fw_id)
    monkeypatch.setattr(states, "REFRESH_WAIT_S", 0.05)
    with states.locked(run.store, fw_id, "me"):
        assert not states.refresh(run.store, fw_id)
    assert not states.refresh(run.store, 12345)
    assert fireworks(run.store)["left"] == "READY"
    assert_consistent(run.store)


def test_a_lock_whose_answer_was_lost_is_taken_for_what_it_is(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(states, "LOCK_WAIT_S", 0.05)
    run = bench.prepare(join_spec())
    fw_id = the(run.store, "left")["fw_id"]
    clock = SimpleNamespace(time=lambda: 7.0, monotonic=time.monotonic, sleep=time.sleep)
    monkeypatch.setattr(states, "time", clock)
    run.store.workflows.update_one({}, {"$set": {"locked": {"by": "me", "at": 7.0}}})
    with states.locked(run.store, fw_id, "me"):
        pass
    run.store.workflows.update_one({}, {"$set": {"locked": {"by": "me", "at": 6.0}}})
    with pytest.raises(states.WorkflowBusy), states.locked(run.store, fw_id, "me"):
        pass


def test_a_lock_that_is_held_stays_until_its_holder_removes_it(bench: Any) -> None:
    run = bench.prepare(join_spec())
    fw_id = the(run.store, "left")["fw_id"]
    with states.locked(run.store, fw_id, "me"):
        assert run.store.workflows.find_one({})["locked"]["by"] == "me"
        run.store.workflows.update_one({}, {"$set": {"locked": {"by": "another", "at": 1.0}}})
    assert run.store.workflows.find_one({})["locked"]["by"] == "another"


def test_a_workflow_that_stays_locked_is_reported(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(states, "LOCK_WAIT_S", 0.05)
    run = bench.prepare(join_spec())
    run.store.workflows.update_one({}, {"$set": {"locked": True}})
    with pytest.raises(states.WorkflowBusy), states.locked(run.store, 1, "me"):
        pass


def test_retiring_a_workflow_twice_touches_nothing_the_second_time(bench: Any) -> None:
    run = bench.prepare(join_spec())
    ids = [one["fw_id"] for one in run.store.fireworks.find({})]
    assert removal.retire(run.store, ids, by="me") == ids
    stamp = run.store.workflows.find_one({})["updated_on"]
    assert removal.retire(run.store, ids, by="me") == []
    assert run.store.workflows.find_one({})["updated_on"] == stamp
    assert_consistent(run.store)


def test_a_started_firework_is_not_retired(bench: Any) -> None:
    run = bench.prepare(join_spec())
    left = the(run.store, "left")["fw_id"]
    run.store.launchpad.checkout_fw(_fworker(), "", fw_id=left)
    assert removal.retire(run.store, [left], by="me") == []
    assert fireworks(run.store)["left"] == "RUNNING"


def test_parents_come_first() -> None:
    links = {"1": [3], "2": [3], "3": [4], "4": []}
    assert states.parents_first(links) == [1, 2, 3, 4]
    assert states.descendants(links, 1) == [3, 4]


def test_waking_leaves_alone_what_waits_for_its_parents(bench: Any) -> None:
    run = bench.prepare(join_spec())
    mark = {"$set": {"spec._waits_for": "k"}}
    run.store.fireworks.update_one({"spec.stage": "join"}, mark)
    assert states.wake(run.store, "k") == 0
    assert fireworks(run.store)["join"] == "WAITING"
    assert stage_states(run.store)["join"] == "waiting"


def test_a_stage_with_a_known_result_and_a_held_key_is_not_computed(bench: Any) -> None:
    run = bench.prepare(join_spec())
    bench.work_off(run)
    other = bench.prepare(join_spec().replace("campaign: joins", "campaign: others"))
    key = the(run.store, "left")["spec"]["key"]
    assert leases.acquire(run.store, key, ELSEWHERE)
    bench.work_off(other)
    records = ledger.find_results(run.store, [key], "others")
    assert records[key].campaign == "joins"
    member = other.store.candidates.find_one({"campaign": "others"})
    assert {entry["state"] for entry in member["stages"].values()} == {StageState.OK}


def _fworker() -> Any:
    from fireworks import FWorker

    return FWorker(name="gone")


def test_running_again_takes_back_what_is_below(bench: Any) -> None:
    run = bench.prepare(join_spec())
    bench.work_off(run)
    states.rerun(run.store, the(run.store, "left")["fw_id"])
    found = fireworks(run.store)
    assert {found[name] for name in ("join", "below")} == {"WAITING"}
    assert (found["left"], found["right"]) == ("READY", "COMPLETED")
    bench.work_off(run)
    assert set(fireworks(run.store).values()) == {"COMPLETED"}
    assert_consistent(run.store)


def test_running_again_waits_for_a_lock_no_longer_than_it_is_told(bench: Any) -> None:
    """FireWorks would wait for five minutes, and end in an error that says nothing to do."""
    run = bench.prepare(join_spec())
    bench.work_off(run)
    before = the(run.store, "left")
    run.store.workflows.update_one({}, {"$set": {"locked": True}})
    began = time.monotonic()
    with pytest.raises(states.WorkflowBusy, match="campaign repair") as caught:
        states.rerun(run.store, before["fw_id"], wait_s=0.2)
    assert time.monotonic() - began < 5.0
    assert caught.value.fw_ids == {before["fw_id"]}
    assert the(run.store, "left") == before


def test_what_fireworks_does_not_run_again_stays_as_it_is(bench: Any) -> None:
    run = bench.prepare(join_spec())
    states.rerun(run.store, the(run.store, "join")["fw_id"])
    states.rerun(run.store, 10_000)
    run.store.launchpad.defuse_fw(the(run.store, "left")["fw_id"])
    states.rerun(run.store, the(run.store, "left")["fw_id"])
    assert fireworks(run.store)["left"] == "DEFUSED"
    assert fireworks(run.store)["join"] == "WAITING"
