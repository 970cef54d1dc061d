"""Folders of handed-over stages, of which several processes look after at the same time."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from consistency import assert_consistent

from fireworks_ext import leases
from fireworks_ext.folders import claims, handovers, offline
from fireworks_ext.folders.offline import RESULT, stages, work_through
from fireworks_ext.processes import this_process
from fireworks_ext.worker.loop import folder_name
from fireworks_ext.worker.outbox import keep
from runner import workers
from schemas.handover import Delivery

SPEC = """
version: 1
campaign: travels
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg, Ca], X: [S]}
stages:
  only: {engine: no-op, task: relax}
"""


@pytest.fixture
def run(bench: Any) -> Any:
    return bench.prepare(SPEC)


@pytest.fixture
def travel(run: Any, tmp_path: Path) -> Path:
    folder = tmp_path / "travel"
    workers.hand_over(run.store, "travels", folder, 10)
    assert len(stages(folder)) == 2
    return folder


def work(folder: Path) -> Iterator[Delivery]:
    return work_through(folder, begin=lambda _: None, leaving=lambda: False)


def test_a_result_is_taken_in_while_its_worker_still_holds_the_folder(
    run: Any, travel: Path
) -> None:
    for _ in work(travel):
        handovers.take_in(run.store, travel)
    assert not list(travel.iterdir())
    assert run.store.results.count_documents({}) == 2
    assert_consistent(run.store)


def test_a_stage_that_others_have_done_meanwhile_is_passed_over(run: Any, travel: Path) -> None:
    mine = work(travel)
    next(mine)
    list(work(travel))
    handovers.take_in(run.store, travel)
    assert list(mine) == []
    assert run.store.results.count_documents({}) == 2


def test_a_folder_that_goes_between_claim_and_look_is_passed_over(
    travel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(place: Path, owner: Any) -> Any:
        shutil.rmtree(place)
        return claims.claimed(place, owner)

    monkeypatch.setattr(offline, "claimed", late)
    assert list(work(travel)) == []


def test_two_that_take_results_in_do_not_disturb_each_other(
    run: Any, travel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(work(travel))
    deliver = handovers.deliver

    def slowly(session: Any, some: Any) -> None:
        deliver(session, some)
        monkeypatch.setattr(handovers, "deliver", deliver)
        handovers.take_in(run.store, travel)

    monkeypatch.setattr(handovers, "deliver", slowly)
    handovers.take_in(run.store, travel)
    assert not list(travel.iterdir())
    assert run.store.results.count_documents({}) == 2
    assert_consistent(run.store)


def test_who_waits_for_a_handed_over_key_is_woken_when_it_fails(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = SPEC.replace("no-op", "toy").replace("task: relax", "task: relax, fails_for: [Mg, Ca]")
    run = bench.prepare(spec)
    workers.hand_over(run.store, "travels", tmp_path / "travel", 10)
    other = bench.prepare(spec.replace("travels", "stays"))
    bench.work_off(other)
    waiting = {"spec.campaign": "stays", "state": "WAITING"}
    assert run.store.fireworks.count_documents(waiting) == 2
    list(work(tmp_path / "travel"))
    release = leases.release

    def late(store: Any, lease: leases.Lease) -> None:
        bench.work_off(other)  # a quick worker: woken by the result, it finds the lease held
        release(store, lease)

    monkeypatch.setattr(leases, "release", late)
    handovers.take_in(run.store, tmp_path / "travel")
    assert run.store.fireworks.count_documents(waiting) == 0
    bench.work_off(other)
    assert run.store.attempts.count_documents({"outcome": "failed"}) == 4


def test_a_lost_stage_that_somebody_else_computed_is_taken_in_without_harm(
    run: Any, travel: Path, bench: Any
) -> None:
    run.store.leases.update_many({}, {"$set": {"expires_at": 0.0}})
    run.store.launchpad.detect_lostruns(expiration_secs=0, rerun=True, refresh=True)
    bench.work_off(run)
    list(work(travel))
    before = list(run.store.candidates.find({}))
    assert len(handovers.take_in(run.store, travel)) == 2
    assert list(run.store.candidates.find({})) == before
    assert run.store.results.count_documents({}) == 2
    assert_consistent(run.store)


def kept(folder: Path, travel: Path) -> list[Delivery]:
    """Leave deliveries in a worker's folder, as in an outage."""
    ended = list(work(travel))
    for one in ended:
        keep(folder, one)
    for place in stages(travel):
        (place / RESULT).unlink()
    return ended


@pytest.mark.parametrize(("host", "found"), [(None, 2), ("another-machine", 0)])
def test_only_what_workers_of_this_machine_left_is_delivered_by_the_next_run(
    run: Any, travel: Path, tmp_path: Path, host: str | None, found: int
) -> None:
    gone = this_process().model_copy(update={"started": 1})
    worker = gone.model_copy(update={"host": host or gone.host})
    folder = tmp_path / "launches" / folder_name(worker)
    kept(folder, travel)
    assert len(workers.ingest_left(run.store, tmp_path / "launches")) == found
    assert folder.exists() == (not found)
    assert run.store.results.count_documents({}) == found


def test_what_a_living_worker_keeps_is_left_to_it(run: Any, travel: Path, tmp_path: Path) -> None:
    folder = tmp_path / "launches" / folder_name(this_process())
    kept(folder, travel)
    assert workers.ingest_left(run.store, tmp_path / "launches") == []
    assert len(list(folder.iterdir())) == 2


def test_what_is_for_another_store_stays_for_it(
    bench: Any, run: Any, travel: Path, tmp_path: Path
) -> None:
    from fireworks_ext.store import open_store
    from fireworks_ext.worker.sessions import forget

    gone = this_process().model_copy(update={"started": 1})
    folder = tmp_path / "launches" / folder_name(gone)
    kept(folder, travel)
    forget()
    other = open_store(str(tmp_path / "other.db"))
    assert workers.ingest_left(other, tmp_path / "launches") == []
    assert len(list(folder.iterdir())) == 2
    forget()
    assert len(workers.ingest_left(run.store, tmp_path / "launches")) == 2
    assert leases.is_free(run.store, "anything")
