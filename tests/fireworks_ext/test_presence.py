"""Signs of life of workers: who gives none for a day is forgotten."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fireworks_ext import leases
from fireworks_ext.store import Store, open_store
from fireworks_ext.worker import presence
from fireworks_ext.worker.presence import Presence, forget_dead, paused
from fireworks_ext.worker.sessions import open_session
from schemas.clock import utc_now

SPEC = """
version: 1
campaign: signs
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg], X: [S]}
stages:
  only: {engine: no-op, task: relax}
"""
ELSEWHERE = "spot-7:1:1"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "store.db"))


def age(store: Store, name: str, hours: float) -> None:
    seen = utc_now() - timedelta(hours=hours)
    store.workers.update_one({"_id": name}, {"$set": {"seen": seen}})


def test_a_worker_says_that_it_is_there_and_writes_only_now_and_then(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = Presence(store, ELSEWHERE, ["signs"])
    mine.show({})
    entry = store.workers.find_one({})
    assert isinstance(entry["seen"], datetime)
    assert entry["campaigns"] == ["signs"]
    age(store, ELSEWHERE, 1.0)
    before = store.workers.find_one({})
    mine.show({})
    assert store.workers.find_one({}) == before
    monkeypatch.setattr(presence, "SEEN_S", 0.0)
    mine.show({})
    after = store.workers.find_one({})
    assert after["seen"] > before["seen"]
    assert after["since"] == before["since"]
    mine.sign_off()
    assert store.workers.count_documents({}) == 0


def test_why_a_worker_pauses_is_told_at_once_and_no_longer_than_it_lives(store: Store) -> None:
    mine = Presence(store, ELSEWHERE, ["signs"])
    mine.show({})
    mine.show({"signs": "no room", "others": "no room there"})
    assert paused(store, "signs") == {ELSEWHERE: "no room"}
    age(store, ELSEWHERE, 1.0)
    assert paused(store, "signs") == {}
    mine.show({})
    assert paused(store, "signs") == {}
    assert store.workers.find_one({})["paused"] == {}


def test_a_worker_that_computes_for_long_gives_signs_of_life_too(bench: Any) -> None:
    run = bench.prepare(SPEC)
    session = open_session(run.store, "signs")
    lease = leases.acquire(run.store, "key", session.process)
    assert lease is not None
    session._held = {"key": (lease, 1)}
    run.store.workers.insert_one({"_id": session.process.name})
    session.beat()
    assert "seen" in run.store.workers.find_one({})


def test_workers_without_a_sign_of_life_for_a_day_are_forgotten(store: Store) -> None:
    for name, hours in (("a:1:1", 25.0), ("b:1:1", 23.0)):
        Presence(store, name, []).show({})
        age(store, name, hours)
    earlier = {"_id": "c:1:1", "since": utc_now() - timedelta(hours=25)}  # it wrote no `seen`
    store.workers.insert_one(earlier)
    assert forget_dead(store) == 2
    assert [one["_id"] for one in store.workers.find({})] == ["b:1:1"]


def test_the_janitor_no_longer_waits_for_a_host_that_has_been_dead_for_a_day(bench: Any) -> None:
    run = bench.prepare(SPEC)
    Presence(run.store, ELSEWHERE, []).show({})
    run.store.workflows.update_one({}, {"$set": {"locked": True}})
    run._janitor.clean()
    assert "locked" in run.store.workflows.find_one({})  # somebody may hold it
    age(run.store, ELSEWHERE, 25.0)
    run._janitor.clean()
    assert "locked" not in run.store.workflows.find_one({})
    assert run.store.workers.count_documents({}) == 0


def test_servers_answer_the_same(mongodb: str) -> None:
    store = open_store(mongodb)
    for name in ("a:1:1", "b:1:1"):
        Presence(store, name, ["signs"]).show({"signs": "no room"})
    age(store, "a:1:1", 25.0)
    assert paused(store, "signs") == {"b:1:1": "no room"}
    assert forget_dead(store) == 1
    assert [one["_id"] for one in store.workers.find({})] == ["b:1:1"]
