"""A worker whose database goes away finishes what it computes, and delivers it later."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from consistency import assert_consistent

from fireworks_ext.artefacts import OUTCOME
from runner import workers

SPEC = """
version: 1
campaign: outage
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg], X: [S]}
stages:
  relax: {engine: toy, task: relax, seconds: 2.0}
  gap: {engine: toy, task: scf, structure: relax}
"""
HERE = Path(__file__).parents[1] / "plugins"
LONGEST_S = 60.0

pytestmark = pytest.mark.slow


@pytest.fixture
def run(bench: Any, mongodb: str) -> Any:
    bench.store = mongodb
    return bench.prepare(SPEC)


@pytest.fixture
def worker(bench: Any, run: Any, proxy: Any) -> Iterator[subprocess.Popen[bytes]]:
    launches = bench.folder / "data" / "launches"
    environ = {**os.environ, **bench.environ, "LONE_WORKER_PATIENCE_S": "0.5"}
    program = [sys.executable, str(HERE / "lone_worker.py"), proxy.uri, str(launches), "outage"]
    with (bench.folder / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            program,
            stdout=log,
            stderr=log,
            env={**environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        yield process
        process.kill()
        process.wait()


def until(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + LONGEST_S
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def computes(run: Any) -> bool:
    return run.store.attempts.count_documents({"stage": "relax", "outcome": "running"}) == 1


def outcomes(bench: Any) -> list[Path]:
    return list((bench.folder / "data").rglob(OUTCOME))


def kept(bench: Any) -> list[Path]:
    return list((bench.folder / "data" / "launches").glob("worker-*/*.json"))


def stages(run: Any) -> set[str]:
    (member,) = run.store.candidates.find({})
    return {entry["state"] for entry in member["stages"].values()}


def test_what_was_computed_in_an_outage_is_delivered_when_it_is_over(
    bench: Any, run: Any, worker: subprocess.Popen[bytes], proxy: Any
) -> None:
    until(lambda: computes(run))
    proxy.drop()
    proxy.cut()
    until(lambda: outcomes(bench) and kept(bench))
    assert not run.store.results.count_documents({})
    proxy.drop(refused=False)
    until(lambda: stages(run) == {"ok"})
    assert not kept(bench)
    assert run.store.attempts.count_documents({}) == 2
    worker.terminate()
    assert worker.wait(LONGEST_S) == 0
    assert_consistent(run.store)


def test_what_a_worker_could_not_deliver_before_it_left_is_ingested(
    bench: Any, run: Any, worker: subprocess.Popen[bytes], proxy: Any
) -> None:
    until(lambda: computes(run))
    proxy.drop()
    proxy.cut()
    until(lambda: outcomes(bench) and kept(bench))
    worker.terminate()
    assert worker.wait(LONGEST_S) == 0
    (left,) = kept(bench)
    assert len(workers.ingest(run.store, left.parent)) == 1
    assert stages(run) == {"ok", "ready"}
    run._repair()
    bench.work_off(run)
    assert stages(run) == {"ok"}
    assert run.store.attempts.count_documents({}) == 2
    assert_consistent(run.store)


def test_the_next_run_delivers_what_was_left_behind(
    bench: Any, run: Any, worker: subprocess.Popen[bytes], proxy: Any
) -> None:
    until(lambda: computes(run))
    proxy.drop()
    proxy.cut()
    until(lambda: outcomes(bench) and kept(bench))
    worker.kill()
    worker.wait()
    run.prepare()
    assert not kept(bench)
    assert stages(run) == {"ok", "ready"}
    bench.work_off(run)
    assert run.store.attempts.count_documents({}) == 2
    assert_consistent(run.store)
