"""Work without a controller: stages that travel as files, and what an outage left on the disk."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from consistency import assert_consistent

from fireworks_ext.folders import claims
from fireworks_ext.folders.offline import RESULT, STAGE, stages
from fireworks_ext.processes import Process, this_process
from fireworks_ext.worker.briefing import brief
from fireworks_ext.worker.checkout import Checkout
from fireworks_ext.worker.execution import carry_out
from fireworks_ext.worker.loop import folder_name
from fireworks_ext.worker.outbox import keep
from fireworks_ext.worker.sessions import open_session
from runner import workers
from schemas.errors import UserError

SPEC = """
version: 1
campaign: travels
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg, Ca], X: [S]}
stages:
  relax: {engine: toy, task: relax, fails_for: [Ca]}
  gap: {engine: toy, task: scf, structure: relax}
"""
ELSEWHERE = Process(host="elsewhere", pid=1, started=1)


def states(store: Any) -> dict[str, dict[str, str]]:
    return {
        one["formula"]: {name: entry["state"] for name, entry in one["stages"].items()}
        for one in store.candidates.find({})
    }


def contents(store: Any) -> list[Any]:
    return [list(getattr(store, one).find({})) for one in ("results", "candidates", "fireworks")]


def test_a_campaign_goes_to_its_end_through_folders_alone(bench: Any, tmp_path: Path) -> None:
    run = bench.prepare(SPEC)
    folder = tmp_path / "travel"
    ended: list[str] = []
    while workers.hand_over(run.store, "travels", folder, 10):
        assert all(one["state"] == "RUNNING" for one in run.store.launches.find({"action": None}))
        workers.work_offline(folder, lambda one: ended.append(one.ending.kind))
        workers.ingest(run.store, folder)
    assert sorted(ended) == ["failed", "known", "known"]
    assert states(run.store) == {
        "MgS": {"relax": "ok", "gap": "ok"},
        "CaS": {"relax": "failed", "gap": "blocked"},
    }
    assert not stages(folder)
    assert_consistent(run.store)


def test_a_stage_that_was_handed_over_needs_no_store(bench: Any, tmp_path: Path) -> None:
    run = bench.prepare(SPEC)
    folder = tmp_path / "travel"
    workers.hand_over(run.store, "travels", folder, 1)
    run.store.launchpad.db.client.close()
    Path(run.store.location).unlink()
    assert workers.work_offline(folder, lambda _: None) == 0
    (place,) = stages(folder)
    assert json.loads((place / RESULT).read_text())["ending"]["kind"] in {"known", "failed"}


def test_a_result_that_is_ingested_twice_changes_nothing(bench: Any, tmp_path: Path) -> None:
    run = bench.prepare(SPEC)
    folder = tmp_path / "travel"
    workers.hand_over(run.store, "travels", folder, 10)
    done: list[Any] = []
    workers.work_offline(folder, done.append)
    workers.ingest(run.store, folder)
    before = contents(run.store)
    for one in done:
        keep(folder, one)
    assert len(workers.ingest(run.store, folder)) == 2
    assert contents(run.store) == before
    assert not list(folder.iterdir())


def test_what_is_out_stays_out_as_long_as_somebody_looks_after_it(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fireworks_ext.folders.handovers import Handovers
    from fireworks_ext.worker.sessions import open_session

    run = bench.prepare(SPEC)
    folder = tmp_path / "travel"
    workers.hand_over(run.store, "travels", folder, 10)
    monkeypatch.setattr("fireworks_ext.leases.LEASE_S", 1e6)
    handovers = Handovers(open_session(run.store, "travels"), "travels", folder)
    handovers.keep()
    assert all(one["expires_at"] > 1e6 for one in run.store.leases.find({"owner": "handed-over"}))
    run._janitor.clean()
    assert run.store.fireworks.count_documents({"state": "RUNNING"}) == 2


def test_two_starts_of_one_handed_over_stage_run_it_once(bench: Any, tmp_path: Path) -> None:
    run = bench.prepare(SPEC)
    folder = tmp_path / "travel"
    workers.hand_over(run.store, "travels", folder, 1)
    done: list[Any] = []
    with claims.claimed(stages(folder)[0], ELSEWHERE) as first:
        assert first
        workers.work_offline(folder, done.append)
        assert not done
    workers.work_offline(folder, done.append)
    workers.work_offline(folder, done.append)
    assert len(done) == 1


def test_a_claim_of_a_process_that_is_gone_is_succeeded(tmp_path: Path) -> None:
    dead = this_process().model_copy(update={"started": 1})
    (tmp_path / "claim-3").write_text(dead.name)
    with claims.claimed(tmp_path, this_process()) as ours:
        assert ours
        assert (tmp_path / "claim-4").exists()


def test_a_claim_that_nobody_touches_is_succeeded(tmp_path: Path) -> None:
    (tmp_path / "claim-1").write_text(ELSEWHERE.name)
    with claims.claimed(tmp_path, this_process()) as ours:
        assert not ours
    os.utime(tmp_path / "claim-1", (0, 0))
    with claims.claimed(tmp_path, this_process()) as ours:
        assert ours


def test_a_file_that_is_none_of_ours_is_named(bench: Any, tmp_path: Path) -> None:
    run = bench.prepare(SPEC)
    folder = tmp_path / "travel"
    workers.hand_over(run.store, "travels", folder, 1)
    (place,) = stages(folder)
    (place / RESULT).write_text('{"this": "is something else"}')
    with pytest.raises(UserError, match=RESULT):
        workers.ingest(run.store, folder)
    (place / RESULT).unlink()
    (place / STAGE).write_text('{"this": "is something else"}')
    with pytest.raises(UserError, match=STAGE):
        workers.work_offline(folder, lambda _: None)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        workers.work_offline(tmp_path / "nowhere", lambda _: None)


def test_a_run_takes_in_what_a_worker_left_in_a_workflow_that_it_left_locked(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection broke between the lock and the writes, and then it had to leave."""
    monkeypatch.setattr("fireworks_ext.worker.delivery.LOCK_WAIT_S", 0.2)
    run = bench.prepare(SPEC)
    dead = this_process().model_copy(update={"started": 1})
    checkout = Checkout(run.store, {"spec.campaign": "travels"}, dead.name, "here", "/")
    session = open_session(run.store, "travels")
    briefings, _ = brief(session, checkout.take(1))
    keep(bench.folder / "data" / "launches" / folder_name(dead), carry_out(session, briefings[0]))
    session.release([briefings[0].order.key])
    locked = {"nodes": briefings[0].fw_id}
    lock = {"by": dead.name, "at": 1.0}
    run.store.workflows.update_one(locked, {"$set": {"locked": lock}})
    again = bench.prepare(SPEC)
    assert run.store.attempts.count_documents({"outcome": {"$ne": "running"}}) == 1
    assert not list((bench.folder / "data" / "launches").glob("worker-*"))
    bench.work_off(again)
    assert run.store.attempts.count_documents({"key": briefings[0].order.key}) == 1
    assert_consistent(run.store)


def test_what_stays_locked_is_delivered_by_a_later_run(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fireworks_ext.worker.delivery.LOCK_WAIT_S", 0.2)
    run = bench.prepare(SPEC)
    dead = this_process().model_copy(update={"started": 1})
    checkout = Checkout(run.store, {"spec.campaign": "travels"}, dead.name, "here", "/")
    session = open_session(run.store, "travels")
    briefings, _ = brief(session, checkout.take(1))
    launches = bench.folder / "data" / "launches"
    keep(launches / folder_name(dead), carry_out(session, briefings[0]))
    run.store.workflows.update_many({}, {"$set": {"locked": {"by": ELSEWHERE.name, "at": 1.0}}})
    assert workers.ingest_left(run.store, launches) == []
    run.store.workflows.update_many({}, {"$unset": {"locked": ""}})
    assert len(workers.ingest_left(run.store, launches)) == 1
