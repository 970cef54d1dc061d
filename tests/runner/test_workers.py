"""Work without a controller: stages that travel as files, and what an outage left on the disk."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from consistency import assert_consistent

from fireworks_ext import claims
from fireworks_ext.offline import RESULT, STAGE, stages
from fireworks_ext.outbox import keep
from fireworks_ext.processes import Process, this_process
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
    from fireworks_ext.handovers import Handovers
    from fireworks_ext.sessions import open_session

    run = bench.prepare(SPEC)
    folder = tmp_path / "travel"
    workers.hand_over(run.store, "travels", folder, 10)
    monkeypatch.setattr("fireworks_ext.leases.LEASE_S", 1e6)
    handovers = Handovers(open_session(run.store, "travels"), "travels", folder)
    assert handovers.keep() == 2
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
