"""One worker process and its campaigns: turns, campaigns that come later, outages, lots."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fireworks import Firework, ScriptTask, Workflow
from pymongo.errors import AutoReconnect

from fireworks_ext import leases
from fireworks_ext.worker import loop as workers
from fireworks_ext.worker import pace
from fireworks_ext.worker.briefing import brief
from fireworks_ext.worker.checkout import Checkout
from fireworks_ext.worker.delivery import deliver
from fireworks_ext.worker.execution import carry_out
from fireworks_ext.worker.loop import Rota, folder_name, worker_of
from fireworks_ext.worker.pace import LOT_S, MOST_IN_LOT, Pace
from fireworks_ext.worker.sessions import open_session
from schemas.work import StageOrder

SPEC = """
version: 1
campaign: NAME
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg, Ca, Sr], X: [ANION]}
stages:
  only: {engine: no-op, task: relax}
"""


class Idle:
    """What a launcher gives to a worker, for one that is asked turn by turn."""

    inherit_fds: tuple[int, ...] = ()

    def draining(self) -> bool:
        return False

    def stopping(self) -> bool:
        return False

    def wait_for_work(self, timeout_s: float) -> bool:
        return False

    def announce(self) -> None:
        pass

    def on_stop(self, callback: Callable[[], None] | None) -> None:
        pass


def prepared(bench: Any, name: str, anion: str) -> Any:
    return bench.prepare(SPEC.replace("NAME", name).replace("ANION", anion))


def rota(bench: Any, store: Any, *names: str) -> Rota:
    return Rota(store, names, bench.folder / "launches", 1.0, Idle())


def done(store: Any) -> list[str]:
    """Return the campaigns of the attempts, in their order."""
    return [one["campaign"] for one in store.attempts.find({}).sort([("recorded_at", 1)])]


@pytest.fixture
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "MOST_IN_LOT", 1)


@pytest.mark.usefixtures("one_at_a_time")
def test_campaigns_of_a_worker_get_their_turns(bench: Any) -> None:
    store = prepared(bench, "left", "S").store
    prepared(bench, "right", "Se")
    both = rota(bench, store, "left", "right")
    while both.turn():
        pass
    assert done(store) == ["left", "right"] * 3


@pytest.mark.usefixtures("one_at_a_time")
def test_a_campaign_with_nothing_to_do_holds_up_nobody(bench: Any) -> None:
    run = prepared(bench, "left", "S")
    bench.work_off(run)
    prepared(bench, "right", "Se")
    both = rota(bench, run.store, "left", "right")
    assert [both.turn() for _ in range(4)] == [True, True, True, False]


def test_a_worker_of_all_campaigns_finds_those_that_come_later(bench: Any) -> None:
    store = prepared(bench, "first", "S").store
    every = rota(bench, store)
    while every.turn():
        pass
    assert done(store) == ["first"] * 3
    store.campaigns.update_one({"_id": "first"}, {"$set": {"state": "settled"}})
    assert every._present() == []
    prepared(bench, "second", "Se")
    assert every.turn()
    assert done(store)[3:] == ["second"]


def test_a_worker_whose_database_is_away_at_its_first_look_goes_on(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = prepared(bench, "left", "S").store
    turns = rota(bench, store, "left")
    with monkeypatch.context() as outage:

        def away(*_: object) -> None:
            raise AutoReconnect("gone")

        outage.setattr(workers, "open_session", away)
        assert not turns.turn()
    assert turns.turn()


def test_what_an_outage_left_in_a_workers_hands_is_of_its_campaign_only(bench: Any) -> None:
    store = prepared(bench, "left", "S").store
    prepared(bench, "right", "Se")
    checkouts = {
        name: Checkout(store, {"spec.campaign": name}, "me", "here", "/nowhere")
        for name in ("left", "right")
    }
    taken = {name: one.take(2) for name, one in checkouts.items()}
    for name, one in checkouts.items():
        assert {left.fw_id for left in one.unfinished()} == {left.fw_id for left in taken[name]}


def test_a_lot_takes_the_most_urgent_first_and_each_firework_once(bench: Any) -> None:
    store = prepared(bench, "left", "S").store
    for number, one in enumerate(store.fireworks.find({})):
        store.fireworks.update_one({"_id": one["_id"]}, {"$set": {"spec._priority": number}})
    checkout = Checkout(store, {"spec.campaign": "left"}, "me", "here", "/nowhere")
    first, second = checkout.take(2), checkout.take(2)
    urgency = {one["fw_id"]: one["spec"]["_priority"] for one in store.fireworks.find({})}
    assert [urgency[one.fw_id] for one in [*first, *second]] == [2, 1, 0]
    assert checkout.take(2) == []
    assert all(isinstance(one.order, StageOrder) for one in first)
    assert store.workflows.count_documents({"state": "RUNNING"}) == 3


def test_an_order_that_cannot_be_read_fails_alone(bench: Any) -> None:
    store = prepared(bench, "left", "S").store
    broken = store.fireworks.find_one({})["fw_id"]
    store.fireworks.update_one({"fw_id": broken}, {"$set": {"spec.order": {"nonsense": 1}}})
    taken = Checkout(store, {"spec.campaign": "left"}, "me", "here", "/nowhere").take(10)
    assert broken not in {one.fw_id for one in taken}
    assert len(taken) == 2
    assert store.fireworks.find_one({"fw_id": broken})["state"] == "FIZZLED"


def test_long_stages_are_taken_one_at_a_time_and_quick_ones_in_lots() -> None:
    known = Pace()
    assert known.lot() == 1
    for _ in range(40):
        known.took("quick", LOT_S / 1000)
    assert known.lot() == MOST_IN_LOT
    known.took("long", 60 * LOT_S)
    assert known.lot() == 1


def test_a_worker_holds_one_long_stage_though_it_was_quick_before(bench: Any) -> None:
    store = prepared(bench, "left", "S").store
    one = rota(bench, store, "left")
    assert one.turn()  # opens the campaign
    known = one._workers["left"]._pace
    known.took("only", 60 * LOT_S)
    known._mean_s = LOT_S / 1000  # of other stages, since
    held: list[int] = []

    def look(session: Any, briefing: Any) -> Any:
        held.append(store.fireworks.count_documents({"state": "RUNNING"}))
        return carry_out(session, briefing)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "carry_out", look)
        while one.turn():
            pass
    assert set(held) == {1}
    assert set(store.fireworks.distinct("state")) == {"COMPLETED"}


def test_what_ended_is_written_down_before_a_stage_that_may_be_long(bench: Any) -> None:
    store = prepared(bench, "left", "S").store
    one = rota(bench, store, "left")
    seen: list[int] = []

    def look(session: Any, briefing: Any) -> Any:
        seen.append(store.fireworks.count_documents({"state": "COMPLETED"}))
        return carry_out(session, briefing)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "carry_out", look)
        patch.setattr(Pace, "split", lambda _self, lot: (lot, []))
        patch.setattr(Pace, "lot", lambda _self: 3)
        patch.setattr(Pace, "is_quick", lambda _self, _stage: False)
        assert one.turn()
    assert seen == [0, 1, 2]


def test_a_workers_folder_says_whose_it_is(tmp_path: Path) -> None:
    from fireworks_ext.processes import Process

    process = Process(host="node-7.cluster", pid=12, started=34)
    assert worker_of(tmp_path / folder_name(process)) == process
    assert worker_of(tmp_path / "worker-12") is None


def test_a_stage_that_waits_for_a_key_leaves_its_lease_to_who_computes_it(bench: Any) -> None:
    """Two stages of a candidate may be the same calculation, and lie in one lot."""
    twins = SPEC.replace("  only:", "  twin: {engine: no-op, task: relax}\n  only:")
    run = bench.prepare(twins.replace("NAME", "twins").replace("ANION", "S"))
    session = open_session(run.store, "twins")
    checkout = Checkout(run.store, {"spec.campaign": "twins"}, session.process.name, "here", "/")
    briefings, ended = brief(session, checkout.take(6))
    assert (len(briefings), len(ended)) == (3, 3)
    deliver(session, ended)
    assert not any(leases.is_free(run.store, one.order.key) for one in briefings)
    assert run.store.fireworks.count_documents({"state": "WAITING"}) == 3
    deliver(session, [carry_out(session, one) for one in briefings])
    assert run.store.fireworks.count_documents({"state": "READY"}) == 3


def test_a_candidate_that_cannot_be_read_breaks_down_alone(bench: Any) -> None:
    store = prepared(bench, "left", "S").store
    bad = store.candidates.find_one({})
    store.candidates.update_one({"_id": bad["_id"]}, {"$set": {"structure": "nonsense"}})
    one = rota(bench, store, "left")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pace, "split", lambda _self, lot: (lot, []))
        patch.setattr(Pace, "lot", lambda _self: 3)
        assert one.turn()
    fizzled = store.fireworks.find_one({"state": "FIZZLED"})
    assert fizzled["spec"]["order"]["candidate"] == bad["id"]
    assert store.fireworks.count_documents({"state": "COMPLETED"}) == 2
    assert leases.is_free(store, fizzled["spec"]["key"])


def test_fireworks_that_somebody_appended_run_after_ours(bench: Any) -> None:
    store = prepared(bench, "left", "S").store
    mine = store.fireworks.find_one({})["fw_id"]
    theirs = Firework(ScriptTask.from_str("true"), name="theirs")
    store.launchpad.append_wf(Workflow([theirs]), [mine])
    one = rota(bench, store, "left")
    while one.turn():
        pass
    assert store.fireworks.count_documents({"spec.campaign": "left", "state": "COMPLETED"}) == 3
    assert store.fireworks.find_one({"name": "theirs"})["state"] == "READY"


def test_a_worker_goes_on_with_the_settings_of_the_last_run(
    bench: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spec = SPEC.replace("no-op", "toy").replace("NAME", "left").replace("ANION", "S")
    store = bench.prepare(spec).store
    one = rota(bench, store, "left")
    assert one.turn()
    store.campaigns.update_one({"_id": "left"}, {"$set": {"artefacts": str(tmp_path / "new")}})
    assert one.turn()
    monkeypatch.setattr(workers, "SETTINGS_S", 0.0)
    assert one.turn()
    places = [Path(one["directory"]) for one in store.attempts.find({})]
    assert sum(one.is_relative_to(tmp_path / "new") for one in places) == 1


def worker_of_one(bench: Any, run: Any, name: str) -> Any:
    return workers.Worker(open_session(run.store, name), name, bench.folder / "launches")


def test_a_workflow_that_stays_locked_holds_up_no_other(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fireworks_ext.worker.delivery.LOCK_WAIT_S", 0.1)
    run = prepared(bench, "one", "S")
    worker = worker_of_one(bench, run, "one")
    fireworks = run.store.fireworks.find({})
    for held in [one["fw_id"] for one in fireworks][:1]:
        lock = {"by": "elsewhere:1:1", "at": 0.0}
        run.store.workflows.update_one({"nodes": held}, {"$set": {"locked": lock}})
    while worker.turn():
        pass
    assert run.store.fireworks.count_documents({"state": "COMPLETED"}) == 2
    assert run.store.results.count_documents({}) == 3
    assert len(worker._outbox) == 1
    run.store.workflows.update_many({}, {"$unset": {"locked": ""}})
    worker._outbox._again_at = 0.0
    assert worker._outbox.flush()
    assert run.store.fireworks.count_documents({"state": "COMPLETED"}) == 3
    assert not list((bench.folder / "launches").glob("*.json"))


def test_a_delivery_that_cannot_be_written_down_is_put_aside_and_kills_no_worker(
    bench: Any,
) -> None:
    run = prepared(bench, "one", "S")
    worker = worker_of_one(bench, run, "one")
    run.store.workflows.update_one({"nodes": 1}, {"$unset": {"metadata.candidate": ""}})
    while worker.turn():
        pass
    assert run.store.fireworks.count_documents({"state": "COMPLETED"}) == 2
    (aside,) = (bench.folder / "launches" / "failed").glob("*.json")
    assert aside.name.startswith("1-")
