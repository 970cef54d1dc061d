"""What the janitor puts right, and what it leaves alone."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from consistency import assert_consistent
from fireworks.core import launchpad as fireworks_launchpad
from sudden_death import in_child

from fireworks_ext import leases, ledger, states
from fireworks_ext.janitor import breakdowns, locks, repairs, sightings
from fireworks_ext.processes import Process, this_process
from schemas.clock import utc_now
from schemas.ledger import AttemptRecord, StageState

SPEC = """
version: 1
campaign: janitors
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg], X: [S]}
stages:
  relax: {engine: toy, task: relax}
  gap: {engine: toy, task: scf, structure: relax}
"""
ELSEWHERE = Process(host="elsewhere", pid=1, started=1)


class Clock:
    """The janitor's own clock."""

    seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def clock(monkeypatch: Any) -> Clock:
    made = Clock()
    monkeypatch.setattr(sightings, "time", made)
    return made


@pytest.fixture
def run(bench: Any) -> Any:
    return bench.prepare(SPEC)


def the(store: Any, stage: str) -> Any:
    return store.fireworks.find_one({"spec.stage": stage})


def entry(store: Any, stage: str) -> Any:
    return store.candidates.find_one({})["stages"][stage]


def at_work(store: Any) -> None:
    """Register a worker that lives, elsewhere."""
    store.workers.insert_one({"_id": ELSEWHERE.name})


def gone() -> Process:
    return this_process().model_copy(update={"started": 1})


def checked_out(store: Any, worker: Process) -> int:
    from fireworks import FWorker

    fworker = FWorker(name=worker.name)
    _, launch_id = store.launchpad.checkout_fw(fworker, "", fw_id=the(store, "relax")["fw_id"])
    return int(launch_id)


def test_a_second_round_finds_nothing_to_do(bench: Any, run: Any) -> None:
    bench.work_off(run)
    assert run._janitor.clean().repairs == []


def test_a_lock_stays_while_its_holder_may_live(run: Any, monkeypatch: Any) -> None:
    at_work(run.store)
    run.store.workflows.update_one({}, {"$set": {"locked": True}})
    run._repair()
    assert run.store.workflows.find_one({})["locked"] is True
    monkeypatch.setattr(sightings, "STALE_S", 0.0)
    run._repair()
    assert_consistent(run.store)


def test_our_own_lock_goes_with_its_holder_though_others_work(run: Any) -> None:
    at_work(run.store)
    run.store.workflows.update_one({}, {"$set": {"locked": {"by": gone().name, "at": 1.0}}})
    run._repair()
    assert_consistent(run.store)


def test_a_reservation_without_a_launch_is_given_back_when_it_is_old(run: Any) -> None:
    at_work(run.store)
    change = {"$set": {"state": "RESERVED", "updated_on": utc_now().isoformat()}}
    run.store.fireworks.update_one({"spec.stage": "relax"}, change)
    run._repair()
    assert the(run.store, "relax")["state"] == "RESERVED"
    old = {"$set": {"updated_on": "2020-01-01T00:00:00"}}
    run.store.fireworks.update_one({"spec.stage": "relax"}, old)
    run._repair()
    assert the(run.store, "relax")["state"] == "READY"


def test_a_launch_of_a_living_worker_is_left_alone(run: Any) -> None:
    checked_out(run.store, this_process())
    run._repair()
    assert the(run.store, "relax")["state"] == "RUNNING"


def silent(store: Any, launch: int, seconds: float) -> None:
    """Let the last sign of life of a launch be so long ago."""
    beat = (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()
    store.launches.update_one({"launch_id": launch}, {"$set": {"state_history.0.updated_on": beat}})


def test_a_launch_elsewhere_is_lost_after_a_long_silence(run: Any) -> None:
    launch = checked_out(run.store, ELSEWHERE)
    run._repair()
    assert the(run.store, "relax")["state"] == "RUNNING"
    silent(run.store, launch, 400.0)
    run._repair()
    assert_consistent(run.store)
    assert the(run.store, "relax")["state"] == "READY"


def test_while_workers_live_a_silent_launch_is_lost_only_if_it_stays_silent(
    run: Any, clock: Clock
) -> None:
    """Clocks differ, and after an outage everybody was silent."""
    at_work(run.store)
    launch = checked_out(run.store, ELSEWHERE)
    silent(run.store, launch, 400.0)
    assert run._janitor.clean().suspects == 1
    clock.advance(50.0)
    silent(run.store, launch, 390.0)
    clock.advance(50.0)
    assert run._janitor.clean().repairs == []
    clock.advance(61.0)
    assert run._janitor.clean().records[0].reason == f"its worker {ELSEWHERE.name} is gone"
    assert the(run.store, "relax")["state"] == "READY"
    assert_consistent(run.store)


def test_a_janitor_that_has_not_looked_for_long_begins_to_look(run: Any, clock: Clock) -> None:
    at_work(run.store)
    launch = checked_out(run.store, ELSEWHERE)
    silent(run.store, launch, 400.0)
    run._janitor.clean()
    clock.advance(1000.0)  # the database was away
    assert run._janitor.clean().repairs == []


def test_a_launch_whose_lease_is_gone_is_lost_sooner(run: Any, clock: Clock) -> None:
    at_work(run.store)
    launch = checked_out(run.store, ELSEWHERE)
    key = the(run.store, "relax")["spec"]["key"]
    lease = leases.acquire(run.store, key, ELSEWHERE)
    silent(run.store, launch, 150.0)
    for _ in range(3):
        assert run._janitor.clean().repairs == []
        clock.advance(40.0)
    assert lease is not None
    leases.release(run.store, lease)
    assert len(run._janitor.clean().repairs) == 1
    assert the(run.store, "relax")["state"] == "READY"


def test_a_lock_that_somebody_took_meanwhile_is_left_to_him(run: Any, monkeypatch: Any) -> None:
    left = {"by": gone().name, "at": 1.0}
    run.store.workflows.update_one({}, {"$set": {"locked": left}})
    taken = {"by": ELSEWHERE.name, "at": 2.0}
    before = locks._holder_is_gone

    def while_he_looks(lock: Any) -> bool:
        run.store.workflows.update_one({}, {"$set": {"locked": taken}})
        return before(lock)

    at_work(run.store)
    monkeypatch.setattr(locks, "_holder_is_gone", while_he_looks)
    assert run._janitor.clean().repairs == []
    assert run.store.workflows.find_one({})["locked"] == taken


def test_a_firework_without_a_workflow_goes_and_the_next_run_makes_another(
    bench: Any, run: Any
) -> None:
    lost = {one["fw_id"] for one in run.store.fireworks.find({})}
    run.store.workflows.delete_many({})
    (reason,) = {one.reason for one in run._janitor.clean().records}
    assert reason == "belongs to no workflow"
    again = bench.prepare(SPEC)
    assert lost.isdisjoint(one["fw_id"] for one in again.store.fireworks.find({}))
    bench.work_off(again)
    assert entry(again.store, "gap")["state"] == StageState.OK
    assert_consistent(again.store)


def test_while_workers_live_what_is_behind_is_repaired_at_the_second_look(
    run: Any, clock: Clock
) -> None:
    at_work(run.store)
    run.store.workflows.update_one({}, {"$set": {"state": "RUNNING"}})
    assert run._janitor.clean(thorough=True).suspects == 1
    clock.advance(61.0)
    assert len(run._janitor.clean(thorough=True).repairs) == 1
    assert_consistent(run.store)


def test_a_pending_candidate_has_no_fireworks_and_that_is_right(run: Any) -> None:
    run.store.workflows.delete_many({})
    run.store.fireworks.delete_many({})
    waiting = {"pending": True, "stages.relax.fw_id": None, "stages.gap.fw_id": None}
    run.store.candidates.update_one({}, {"$set": waiting})
    assert run._janitor.clean(thorough=True).repairs == []


def test_repairs_are_kept_with_their_reasons_for_a_month(run: Any) -> None:
    old = {"campaign": "janitors", "at": utc_now() - timedelta(days=31), "by": "x", "what": "y"}
    run.store.repairs.insert_one({**old, "reason": "z"})
    run.store.workflows.update_one({}, {"$set": {"locked": {"by": gone().name, "at": 1.0}}})
    run._repair()
    (kept,) = repairs.logged(run.store, "janitors")
    nodes = run.store.workflows.find_one({})["nodes"]
    assert kept.what == f"workflow {nodes}"
    assert kept.reason == f"its lock was left behind by {gone().name}"
    assert kept.by.startswith("janitor@")


def test_a_root_that_was_being_woken_is_woken(bench: Any, run: Any) -> None:
    """It has no parents, and a kill took away what it waited for."""
    run.store.fireworks.update_one({"spec.stage": "relax"}, {"$set": {"state": "WAITING"}})
    at_work(run.store)
    run._repair()
    bench.work_off(run)
    assert entry(run.store, "gap")["state"] == StageState.OK
    assert_consistent(run.store)


def test_a_waiter_is_left_alone_while_its_key_is_computed(bench: Any, run: Any) -> None:
    assert leases.acquire(run.store, the(run.store, "relax")["spec"]["key"], ELSEWHERE)
    bench.work_off(run)
    assert run._janitor.clean().repairs == []
    assert the(run.store, "relax")["state"] == "WAITING"


def test_what_breaks_down_again_and_again_becomes_a_failure(bench: Any, run: Any) -> None:
    """An engine that is not there any more, say: no record is ever written."""
    params = {"$set": {"spec.order.params": {"nonsense": 1}}}
    run.store.fireworks.update_one({"spec.stage": "relax"}, params)
    for _ in range(breakdowns.MOST_BREAKDOWNS):
        bench.work_off(run)
        assert the(run.store, "relax")["state"] == "FIZZLED"
        run._repair()
    assert the(run.store, "relax")["state"] == "FIZZLED"
    assert entry(run.store, "relax")["failure"] == "unrecognised"
    assert entry(run.store, "gap")["state"] == StageState.BLOCKED
    assert_consistent(run.store)


def test_failures_that_were_recorded_are_no_breakdowns(bench: Any) -> None:
    failing = SPEC.replace("task: relax", "task: relax, fails_for: [Mg]")
    run = bench.prepare(failing)
    for _ in range(breakdowns.MOST_BREAKDOWNS):
        bench.work_off(run)
        run.store.launchpad.rerun_fw(the(run.store, "relax")["fw_id"])
    nonsense = {"$set": {"spec.order.params": {"nonsense": 1}}}
    run.store.fireworks.update_one({"spec.stage": "relax"}, nonsense)
    run.store.candidates.update_one({}, {"$set": {"stages.relax.state": "ready"}})
    bench.work_off(run)
    run._repair()
    assert the(run.store, "relax")["state"] == "READY"


def test_a_stage_that_completed_unseen_runs_again(bench: Any, run: Any) -> None:
    bench.work_off(run)
    for stage in ("relax", "gap"):
        run.store.candidates.update_one({}, {"$set": {f"stages.{stage}.state": "waiting"}})
    run._repair()
    bench.work_off(run)
    assert [entry(run.store, one)["state"] for one in ("relax", "gap")] == ["ok", "ok"]
    assert run.store.attempts.count_documents({}) == 2
    assert_consistent(run.store)


@pytest.mark.parametrize("worker", [gone(), ELSEWHERE])
def test_an_attempt_that_nobody_will_look_at_again_is_closed(
    bench: Any, run: Any, worker: Process
) -> None:
    bench.work_off(run)
    attempt = ledger_attempt(run.store).model_copy(
        update={"attempt": 77, "worker": worker.name, "outcome": "running", "recorded_at": None}
    )
    ledger.start_attempt(run.store, attempt)
    run._repair()
    closed = run.store.attempts.find_one({"attempt": 77})
    assert closed["outcome"] == "lost"
    assert closed["core_hours"] >= 0
    assert_consistent(run.store)


def ledger_attempt(store: Any) -> AttemptRecord:
    document = store.attempts.find_one({"stage": "relax"})
    known = AttemptRecord.model_fields
    return AttemptRecord.model_validate({k: v for k, v in document.items() if k in known})


def test_an_attempt_that_will_be_looked_at_again_stays_open(bench: Any, run: Any) -> None:
    bench.work_off(run)
    attempt = ledger_attempt(run.store)
    opened = {"attempt": 77, "worker": gone().name, "outcome": "running", "recorded_at": None}
    again = attempt.model_copy(update=opened)
    ledger.start_attempt(run.store, again)
    run.store.results.delete_many({})
    run.store.candidates.update_one({}, {"$set": {"stages.relax.state": "ready"}})
    run._repair()
    assert run.store.attempts.find_one({"attempt": 77})["outcome"] == "running"


def test_a_submission_that_another_process_is_about_to_finish_is_left_alone(run: Any) -> None:
    """Nobody works yet, as in the minutes in which a large campaign is submitted."""
    run.store.fireworks.delete_many({})  # workflows are inserted first
    beside = run._janitor.clean(thorough=True, beside=True)
    assert beside.repairs == []
    assert run.store.workflows.count_documents({}) == 1
    run._janitor.clean(thorough=True)
    assert run.store.workflows.count_documents({}) == 0


def test_who_holds_a_lease_works_also_when_no_worker_is_registered(run: Any) -> None:
    """FireWorks' own `rlaunch`, and stages that were handed over as files."""
    run.store.workflows.update_one({}, {"$set": {"locked": True}})
    held = leases.acquire_many(run.store, {"key": {}}, "handed-over")
    assert run._janitor.clean().repairs == []
    leases.release(run.store, held["key"])
    assert len(run._janitor.clean().repairs) == 1


def test_a_lock_that_fireworks_took_in_a_process_that_was_killed_goes_at_once(
    bench: Any, run: Any
) -> None:
    """Also on the embedded store, whose locks would else be nobody's, and stand for a minute."""

    def act() -> None:
        launchpad = bench.prepare(SPEC).store.launchpad
        with fireworks_launchpad.WFLock(launchpad, the(run.store, "relax")["fw_id"]):
            os.kill(os.getpid(), signal.SIGKILL)

    assert not in_child(act)
    assert "locked" in run.store.workflows.find_one({})
    at_work(run.store)
    report = run._janitor.clean()
    assert len(report.repairs) == 1
    assert_consistent(run.store)


def test_a_lock_that_stands_keeps_the_janitor_from_nothing_else(
    bench: Any, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ended without a record runs again as soon as its workflow is free."""
    monkeypatch.setattr(states, "REFRESH_WAIT_S", 0.1)
    launch = checked_out(run.store, this_process())
    run.store.launchpad.complete_launch(launch, state="FIZZLED")
    monkeypatch.setattr(breakdowns, "is_locked", lambda *_: False)  # it is taken just after

    def busy(*_: object, **__: object) -> None:
        raise states.WorkflowBusy("held")

    with monkeypatch.context() as held:
        held.setattr(states, "rerun", busy)
        report = run._janitor.clean(thorough=True)
    assert report.suspects
    assert the(run.store, "relax")["state"] == "FIZZLED"
    run._janitor.clean(thorough=True)
    assert the(run.store, "relax")["state"] == "READY"
