"""What pilots do with stages for which their machine is too small, or which want it for them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from pilot_bench import PilotBench, allocation, programs, until

from runner.fleet.records import Records
from schemas.queue import JobShape
from schemas.stage_file import Forecast

SPEC = """
version: 1
campaign: room
space:
  - {kind: prototype, prototype: rocksalt, species: {A: [Mg, Ca], X: [S]}}
stages:
  only: {engine: toy, task: relax, seconds: SECONDS, resources: {gpus: GPUS}}
"""


@pytest.fixture
def pilots(bench: Any, tmp_path: Path) -> Iterator[Any]:
    """Return a function that prepares a campaign of two stages, and its exchange folder."""
    made: list[PilotBench] = []

    def prepare(seconds: float = 0.0, gpus: int = 0) -> PilotBench:
        text = SPEC.replace("SECONDS", str(seconds)).replace("GPUS", str(gpus))
        made.append(PilotBench(bench.prepare(text), tmp_path / "exchange"))
        return made[-1]

    yield prepare
    for one in made:
        one.dismiss()


def most_at_once(log: Path) -> int:
    """Return how many programs ran at the same time, as they logged it."""
    running, most = 0, 0
    for line in log.read_text().splitlines():
        running += 1 if line.startswith("start") else -1
        most = max(most, running)
    return most


def test_stages_that_a_machine_is_too_small_for_are_named_in_the_report(pilots: Any) -> None:
    fleet = pilots()
    huge = Forecast(expected_s=1.0, high_s=2.0, memory_gb=300.0, basis="test")
    small = Forecast(expected_s=1.0, high_s=2.0, memory_gb=0.1, basis="test")
    (first,) = fleet.hand_over(1, forecast=lambda _: huge)
    (second,) = fleet.hand_over(1, forecast=lambda _: small)
    assert fleet.work(allocation=allocation(memory_gb=256.0)) == "idle"
    (report,) = fleet.exchange.reports("first")
    assert report.too_large == (first.name,)
    assert fleet.exchange.done_names() == {second.name}


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_marked_stage_runs_alone_also_where_it_was_seen_before_it_was_marked(
    pilots: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    monkeypatch.setenv("TOY_LOG", str(tmp_path / "toys.log"))
    fleet = pilots(seconds=0.5)
    for place in fleet.hand_over():
        # Somebody had it before: the mark was made when his job died.
        (place / "claim-1").write_text("elsewhere:1:1 7")
        if when == "before":
            (place / "alone").touch()
            (place / "claim-1").write_text("-")
    pilot = fleet.start(idle_s=2.0)
    if when == "meanwhile":
        until(lambda: fleet.exchange.begun("first"))
        time.sleep(1.0)
        for place in fleet.exchange.stages.iterdir():
            (place / "alone").touch()
            (place / "claim-1").write_text("-")
    assert fleet.leave(pilot) == "idle"
    assert len(fleet.exchange.done_names()) == 2
    assert most_at_once(tmp_path / "toys.log") == 1


def test_stages_with_gpus_have_each_their_own(pilots: Any, tmp_path: Path) -> None:
    if len(psutil.Process().cpu_affinity() or ()) < 2:
        pytest.skip("this machine has one core")
    fleet = pilots(seconds=1.0, gpus=1)
    fleet.hand_over()
    pilot = fleet.start(allocation=allocation().model_copy(update={"gpus": ("4", "6")}))

    def two() -> set[str] | None:
        found = programs("toy_program.py", below=tmp_path)
        seen = [one.environ().get("CUDA_VISIBLE_DEVICES", "") for one in found]
        return set(seen) if len(seen) == 2 else None

    assert until(two) == {"4", "6"}
    assert fleet.leave(pilot) == "idle"


def test_where_nobody_knows_of_gpus_stages_that_want_some_take_turns(
    pilots: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOY_LOG", str(tmp_path / "toys.log"))
    fleet = pilots(seconds=0.3, gpus=1)
    fleet.hand_over()
    assert fleet.work() == "idle"
    assert len(fleet.exchange.done_names()) == 2
    assert most_at_once(tmp_path / "toys.log") == 1


def test_a_job_ends_when_its_time_is_over_although_nobody_inside_is_told(pilots: Any) -> None:
    fleet = pilots()
    job = Records(fleet.exchange).new("room", "pilot", JobShape(cores=2, walltime_min=5.0), "x")
    assert fleet.work(job.name) == "idle"
    (begun,) = fleet.exchange.begun(job.name)
    assert begun.allocation.ends_at == pytest.approx(begun.began_at + 300.0, abs=2.0)
