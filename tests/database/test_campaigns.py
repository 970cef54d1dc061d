"""Campaigns on servers: from the file to settled results, and every candidate computed once."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from consistency import assert_consistent

from fireworks_ext.store import open_store
from runner.monitor import status
from schemas.errors import UserError

PLUGINS = Path(__file__).parents[1] / "plugins"
LONGEST_S = 90.0
SMALL = """
version: 1
campaign: small
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg, Ca], X: [S, Se]}
stages:
  relax: {engine: toy, task: relax}
  gap: {engine: toy, task: scf, structure: relax, when: relax.value > 0}
"""
MANY = """
version: 1
campaign: many
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg, Ca, Sr, Ba], X: [O, S, Se, Te, Po]}
stages:
  relax: {engine: toy, task: relax}
  gap: {engine: toy, task: scf, structure: relax}
"""


def test_a_campaign_settles_and_its_second_run_computes_nothing(
    bench: Any, any_server: str
) -> None:
    bench.store = any_server
    status = bench.run(SMALL)
    assert not status.unsettled
    assert len(bench.computed) == 8
    assert_consistent(bench.prepare(SMALL).store)
    bench.run(SMALL)
    assert bench.computed == []


@pytest.mark.slow  # ten seconds: four processes import everything
def test_several_worker_processes_compute_each_candidate_once(bench: Any, mongodb: str) -> None:
    bench.store = mongodb
    run = bench.prepare(MANY)
    folder = bench.folder / "launches"
    folder.mkdir()
    command = [sys.executable, PLUGINS / "lone_worker.py", mongodb, folder, "many"]
    workers = [subprocess.Popen(command, cwd=folder, env=worker_environ(bench)) for _ in range(4)]
    until = time.monotonic() + LONGEST_S
    while status(run.store, "many").unsettled and time.monotonic() < until:
        time.sleep(0.2)
    for worker in workers:
        worker.terminate()
    assert [worker.wait(30.0) for worker in workers] == [0, 0, 0, 0]
    attempts = Counter((one["formula"], one["stage"]) for one in run.store.attempts.find({}))
    assert len(attempts) == 40
    assert set(attempts.values()) == {1}
    assert run.store.results.count_documents({}) == 40
    assert len({one["worker"] for one in run.store.attempts.find({})}) > 1
    assert_consistent(run.store)


def worker_environ(bench: Any) -> dict[str, str]:
    return {**os.environ, **bench.environ}


def test_a_campaign_runs_over_tls(bench: Any, mongodb_tls: Any) -> None:
    bench.store = f"{mongodb_tls.uri}?tls=true&tlsCAFile={mongodb_tls.ca_file}"
    status = bench.run(SMALL)
    assert not status.unsettled
    assert len(bench.computed) == 8


def test_a_server_whose_authority_is_not_known_is_refused_in_words(mongodb_tls: Any) -> None:
    uri = f"{mongodb_tls.uri}?tls=true&tlsCAFile={mongodb_tls.other_ca_file}"
    with pytest.raises(UserError, match="certificate") as error:
        open_store(uri)
    assert "check `ca_file`" in str(error.value)
    assert "127.0.0.1" in str(error.value)
