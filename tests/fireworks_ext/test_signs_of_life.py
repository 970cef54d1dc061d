"""Programs whose worker lives on another machine: their directories tell of it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from fireworks_ext import artefacts
from fireworks_ext.artefacts import Artefacts
from fireworks_ext.attempts import deserted, programs
from fireworks_ext.folders.offline import read_stage
from fireworks_ext.processes import this_process
from fireworks_ext.worker import takeover
from fireworks_ext.worker.leased import Leased
from fireworks_ext.worker.session import Session
from runner import workers
from schemas.protocols import Command

SPEC = """
version: 1
campaign: signs
space:
  - {kind: prototype, prototype: rocksalt, species: {A: [Mg], X: [S]}}
stages:
  only: {engine: toy, task: relax}
"""
FRESH_S = 1.5


@pytest.fixture
def work(bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Leased:
    """Return a stage that somebody has just been given."""
    run = bench.prepare(SPEC)
    workers.hand_over(run.store, "signs", tmp_path / "stages", 10)
    (place,) = (tmp_path / "stages").iterdir()
    stage = read_stage(place)
    assert stage is not None
    monkeypatch.setattr(takeover, "FRESH_S", FRESH_S)
    monkeypatch.setattr(takeover, "ELSEWHERE_POLL_S", 0.05)
    return Leased(Session(None, stage.site, Artefacts(stage.artefacts)), stage.briefing)


def begun(work: Leased, worker: str = "elsewhere:1:1") -> Path:
    """Return the run directory of an attempt whose worker has just shown that it lives."""
    directory = work.session.artefacts.make(work.order.key, 1)
    artefacts.write_record(directory, artefacts.ORDER, {"attempt_record": {"worker": worker}})
    (directory / artefacts.ALIVE).touch()
    return directory


def waited_s(work: Leased, directory: Path) -> float:
    before = time.monotonic()
    takeover.outlast(work, directory)
    return time.monotonic() - before


def test_a_program_that_is_attended_on_another_machine_is_outlasted(work: Leased) -> None:
    assert waited_s(work, begun(work)) > 0.8 * FRESH_S


def test_nobody_waits_for_a_worker_that_has_been_silent_for_long(work: Leased) -> None:
    directory = begun(work)
    long_ago = time.time() - 10 * FRESH_S
    os.utime(directory / artefacts.ALIVE, (long_ago, long_ago))
    assert waited_s(work, directory) < 0.5 * FRESH_S


def test_nobody_waits_for_a_worker_of_this_machine_or_of_a_job_that_is_over(work: Leased) -> None:
    gone = this_process().model_copy(update={"started": 1})
    directory = begun(work, gone.name)
    assert waited_s(work, directory) < 0.5 * FRESH_S
    artefacts.write_record(directory, artefacts.ORDER, {})
    artefacts.write_record(directory, deserted.SCHEDULER, {"failure": {}})
    assert waited_s(work, directory) < 0.5 * FRESH_S


def test_as_long_as_a_program_runs_its_directory_says_that_it_is_attended_to(
    tmp_path: Path, work: Leased, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "SIGN_S", 0.0)
    monkeypatch.setattr(programs, "LOOK_S", 0.05)
    (tmp_path / "run").mkdir()
    command = Command(("bash", "-c", "sleep 0.5; ls"), "seen", "errors")
    watch = programs.Watch(seconds=60.0)
    programs.run_program(command.argv, command, tmp_path / "run", work.session, watch)
    assert artefacts.ALIVE in (tmp_path / "run" / "seen").read_text().split()
    assert not (tmp_path / "run" / artefacts.ALIVE).exists()
