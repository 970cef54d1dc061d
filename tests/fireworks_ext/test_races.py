"""Several worker processes at once, workers that are stopped, and programs that outlive them."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from consistency import assert_consistent
from sudden_death import Child, in_child

from fireworks_ext import leases, ledger
from fireworks_ext.processes import running_in

pytestmark = pytest.mark.slow

TWENTY = """
version: 1
campaign: CAMPAIGN
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg, Ca], X: [S, Se, O, Te, Po]}
stages:
  relax: {engine: toy, task: relax, seconds: 0.02}
  gap: {engine: toy, task: scf, structure: relax}
"""
ONE = """
version: 1
campaign: one
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg], X: [S]}
stages:
  relax: {engine: toy, task: relax, seconds: SECONDS}
  gap: {engine: toy, task: scf, structure: relax}
"""
JOIN = """
version: 1
campaign: join
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg], X: [S]}
stages:
  left: {engine: toy, task: relax, x: 1.0}
  right: {engine: toy, task: scf, structure: candidate, x: 1.0}
  join: {engine: toy, task: scf, structure: left, x: 3.0, when: right.value SIGN -1.0e9}
"""
LONGEST_S = 120.0


@pytest.fixture(autouse=True)
def _imported(bench: Any) -> None:
    """Import once, in the process of all tests, what every child would import again."""
    folder = bench.folder / "imports"
    folder.mkdir()
    run = type(bench)(folder).prepare(ONE.replace("SECONDS", "0"))
    run.store.launchpad.db.client.close()


def store_of(bench: Any) -> Any:
    from fireworks_ext.store import open_store

    return open_store(str(bench.folder / "data" / "store.db"))


def serve(bench: Any, campaigns: list[str], name: str, *, obey: bool = False) -> None:
    """Be a worker of some campaigns until they are settled, or until told to stop."""
    from fireworks import FWorker
    from fireworks.core import rocket

    from fireworks_ext.worker.sessions import forget, open_session

    rocket.PRINT_FW_JSON = False
    rocket.ROCKET_STREAM_LOGLEVEL = "CRITICAL"
    forget()
    store = store_of(bench)
    folder = bench.folder / name
    folder.mkdir()
    os.chdir(folder)
    sessions = {one: open_session(store, one) for one in campaigns}
    if obey:
        signal.signal(signal.SIGTERM, lambda *_: [one.stop() for one in sessions.values()])
    deadline = time.monotonic() + LONGEST_S
    while unsettled(store) and time.monotonic() < deadline:
        for campaign, session in sessions.items():
            worker = FWorker(name=session.process.name, query={"spec.campaign": campaign})
            with Path(os.devnull).open("w") as nowhere:
                rocket.Rocket(store.launchpad, worker, None).run(err_file=nowhere)
            if session.stopping:
                return
        time.sleep(0.01)


def unsettled(store: Any) -> bool:
    """Tell whether a firework is still to be completed."""
    return store.fireworks.find_one({"state": {"$ne": "COMPLETED"}}) is not None


def wait_until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + LONGEST_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_four_workers_of_two_campaigns_compute_every_key_once(bench: Any) -> None:
    texts = [TWENTY.replace("CAMPAIGN", name) for name in ("left", "right")]
    for text in texts:
        in_child(lambda text=text: bench.prepare(text))
    orders = (["left", "right"], ["right", "left"])
    workers = [Child(lambda n=n: serve(bench, orders[n % 2], f"worker-{n}")) for n in range(4)]
    assert all(worker.finished() for worker in workers)
    in_child(lambda: _check_twenty(bench, texts))


def _check_twenty(bench: Any, texts: list[str]) -> None:
    store = store_of(bench)
    by_key = Counter(one["key"] for one in store.attempts.find({}))
    assert len(by_key) == 20
    assert set(by_key.values()) == {1}
    for text in texts:
        run = bench.prepare(text)
        status, _ = run.finish("settled")
        assert [stage.ok for stage in status.stages] == [10, 10]
    assert_consistent(store)


@pytest.mark.parametrize(("sign", "end"), [(">", "ok"), ("<", "skipped")])
def test_two_workers_that_finish_both_inputs_of_a_join_together(
    bench: Any, sign: str, end: str
) -> None:
    in_child(lambda: bench.prepare(JOIN.replace("SIGN", sign)))
    workers = [Child(lambda n=n: serve(bench, ["join"], f"worker-{n}")) for n in range(2)]
    assert all(worker.finished() for worker in workers)

    def check() -> None:
        store = store_of(bench)
        member = store.candidates.find_one({})
        assert {name: one["state"] for name, one in member["stages"].items()} == {
            "left": "ok",
            "right": "ok",
            "join": end,
        }
        assert_consistent(store)

    in_child(check)


def _started(bench: Any, seconds: float, *, obey: bool) -> tuple[Child, str]:
    """Return a worker whose program has begun, and the key."""
    text = ONE.replace("SECONDS", str(seconds))
    in_child(lambda: bench.prepare(text))
    worker = Child(lambda: serve(bench, ["one"], "worker", obey=obey))
    folders = bench.folder / "data" / "artefacts"
    wait_until(lambda: any(running_in(one) for one in folders.glob("*/*/*")))
    (folder,) = folders.glob("*/*/*")
    return worker, folder.parent.name


def test_a_worker_that_is_stopped_gives_its_stage_back(bench: Any) -> None:
    worker, key = _started(bench, 1.5, obey=True)
    time.sleep(0.2)
    worker.kill(signal.SIGTERM)
    assert worker.finished()

    def look() -> None:
        store = store_of(bench)
        firework = store.fireworks.find_one({"spec.stage": "relax"})
        assert firework["state"] == "READY"
        assert firework["launches"] == []
        (attempt,) = store.attempts.find({})
        assert attempt["outcome"] == "interrupted"
        assert attempt["core_hours"] > 0
        assert leases.is_free(store, key)
        assert_consistent(store)

    def go_on() -> None:
        run = bench.prepare(ONE.replace("SECONDS", "1.5"))
        bench.work_off(run)
        outcomes = [one["outcome"] for one in run.store.attempts.find({"stage": "relax"})]
        assert outcomes == ["interrupted", "ok"]
        assert_consistent(run.store)

    in_child(look)
    in_child(go_on)


@pytest.mark.parametrize("looks_early", [True, False])
def test_a_program_that_outlives_its_worker_is_waited_for_and_taken_in(
    bench: Any, *, looks_early: bool
) -> None:
    worker, key = _started(bench, 2.5, obey=False)
    worker.kill()
    assert not worker.finished()
    text = ONE.replace("SECONDS", "2.5")
    folder = next((bench.folder / "data" / "artefacts").glob("*/*/*"))

    def look() -> None:
        run = bench.prepare(text)
        assert run._janitor.clean().orphans == 1
        assert not leases.is_free(run.store, key)
        assert run.store.fireworks.find_one({"spec.stage": "relax"})["state"] == "RUNNING"

    def go_on() -> None:
        run = bench.prepare(text)
        bench.work_off(run)
        (attempt,) = run.store.attempts.find({"stage": "relax"})
        assert attempt["outcome"] == "ok"
        assert attempt["taken_in"]
        assert attempt["walltime_s"] > 2.4
        assert set(ledger.find_results(run.store, [key], "one")) == {key}
        assert_consistent(run.store)

    if looks_early:
        in_child(look)
    wait_until(lambda: not running_in(folder))
    in_child(go_on)
