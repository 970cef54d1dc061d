"""Janitors that never rest beside workers that are killed: everything ends, each computed once."""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from consistency import assert_consistent
from sudden_death import Child, in_child

from fireworks_ext import leases
from fireworks_ext.artefacts import Artefacts
from fireworks_ext.janitor import lost_runs, sightings
from fireworks_ext.janitor.round import Janitor

pytestmark = pytest.mark.slow  # 30 s

SPEC = """
version: 1
campaign: races
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg, Ca, Sr, Ba], X: [S, Se, O, Te, Po]}
stages:
  relax: {engine: toy, task: relax, seconds: 0.2}
  gap: {engine: toy, task: scf, structure: relax}
"""
KILLS = 12
LONGEST_S = 120.0


def hurried() -> None:
    """Make a minute of the janitor's patience a second or so."""
    leases.LEASE_S, leases.RENEW_S = 3.0, 0.5
    lost_runs.LOST_S = 5.0
    sightings.STALE_S = lost_runs.STALE_S = 2.0


def store_of(bench: Any) -> Any:
    from fireworks_ext.store import open_store

    return open_store(str(bench.folder / "data" / "store.db"))


def is_left(store: Any) -> bool:
    return store.fireworks.find_one({"state": {"$ne": "COMPLETED"}}, {"_id": 1}) is not None


def work(bench: Any, number: int) -> None:
    """Be a worker, every other one on a machine of its own."""
    from fireworks_ext.worker.loop import Worker
    from fireworks_ext.worker.sessions import forget, open_session

    hurried()
    forget()
    store = store_of(bench)
    session = open_session(store, "races")
    if number % 2:
        elsewhere = session.process.model_copy(update={"host": f"machine-{number}"})
        session.process = elsewhere
    name = session.process.name
    store.workers.replace_one({"_id": name}, {"_id": name, "campaign": "races"}, upsert=True)
    worker = Worker(session, "races", bench.folder / f"worker-{number}")
    deadline = time.monotonic() + LONGEST_S
    while is_left(store) and time.monotonic() < deadline:
        if not worker.turn():
            time.sleep(0.02)


def clean(bench: Any) -> None:
    """Be a janitor that looks at everything, all the time."""
    hurried()
    store = store_of(bench)
    janitor = Janitor(store, "races", Artefacts(bench.folder / "data" / "artefacts"))
    deadline = time.monotonic() + LONGEST_S
    while is_left(store) and time.monotonic() < deadline:
        janitor.clean(thorough=True)
        time.sleep(0.1)


def test_two_janitors_beside_workers_that_are_killed(bench: Any) -> None:
    in_child(lambda: bench.prepare(SPEC))
    chance = random.Random(6)
    janitors = [Child(lambda: clean(bench)) for _ in range(2)]
    workers = {number: Child(lambda n=number: work(bench, n)) for number in range(3)}
    for number in range(3, 3 + KILLS):
        time.sleep(chance.uniform(0.1, 0.7))
        victim = chance.choice(sorted(workers))
        workers[victim].kill()
        workers.pop(victim).finished()
        workers[number] = Child(lambda n=number: work(bench, n))
    assert all(one.finished() for one in [*workers.values(), *janitors])

    def check() -> None:
        store = store_of(bench)
        assert not is_left(store)
        janitor = Janitor(store, "races", Artefacts(Path(bench.folder) / "data" / "artefacts"))
        store.workers.delete_many({})
        janitor.clean()
        assert_consistent(store)
        attempts = list(store.attempts.find({}))
        good = Counter(one["key"] for one in attempts if one["outcome"] == "ok")
        keys = {entry["key"] for one in store.candidates.find({}) for entry in
                one["stages"].values()}  # fmt: skip
        assert set(good) == keys
        assert set(good.values()) == {1}
        assert len(attempts) <= len(keys) + 2 * KILLS

    in_child(check)
