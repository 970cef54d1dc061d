"""Pilots and the real pw.x."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pilot_bench import PilotBench, kill, programs, until

from fireworks_ext.worker.sessions import forget

SPEC = """
version: 1
campaign: silicon
space:
  - kind: prototype
    prototype: diamond
    species: {A: [Si]}
    lattice_ang: 5.5
defaults:
  espresso: {protocol: fast, pseudopotentials: debian-pbe, ecutwfc_ry: 40, kspacing_per_ang: 0.16}
stages:
  scf: {engine: espresso, task: scf, resources: {cores: CORES}}
"""
pytestmark = [pytest.mark.pw, pytest.mark.slow]


@pytest.fixture
def pilots(bench: Any, tmp_path: Path) -> Iterator[Any]:
    """Return a function that prepares the campaign for so many cores."""
    made: list[PilotBench] = []

    def prepare(cores: int) -> PilotBench:
        run = bench.prepare(SPEC.replace("CORES", str(cores)))
        made.append(PilotBench(run, tmp_path / "exchange"))
        return made[-1]

    yield prepare
    for one in made:
        one.dismiss()


def is_iterating(folder: Path) -> bool:
    """Tell whether pw.x is in the middle of its scf cycle."""
    outputs = folder.glob("data/artefacts/*/*/*/pw.out")
    return any("iteration #  3" in one.read_text() for one in outputs)


def energy_ev(fleet: PilotBench) -> float:
    (result,) = fleet.run.store.results.find({})
    value: float = result["values"]["energy_ev"]
    return value


def elsewhere(bench: Any, tmp_path: Path) -> PilotBench:
    """Return the same campaign in a store of its own."""
    forget()
    folder = tmp_path / "other"
    folder.mkdir()
    run = type(bench)(folder).prepare(SPEC.replace("CORES", "1"))
    return PilotBench(run, folder / "exchange")


# 25 s
def test_a_calculation_that_is_stopped_goes_on_in_another_pilot_to_the_same_energy(
    pilots: Any, bench: Any, tmp_path: Path
) -> None:
    fleet = pilots(1)
    fleet.hand_over()
    pilot = fleet.start(stop_before_s=120.0)
    until(lambda: is_iterating(tmp_path))
    pilot.send_signal(signal.SIGUSR1)
    assert fleet.leave(pilot) == "asked"
    assert [one.ending.kind for one in fleet.take_in()] == ["interrupted"]
    fleet.hand_over()
    assert fleet.work("second") == "idle"
    (delivery,) = fleet.take_in()
    assert delivery.ending.kind == "known"
    assert delivery.attempts[-1].continued is not None

    straight = elsewhere(bench, tmp_path)
    straight.hand_over()
    assert straight.work() == "idle"
    straight.take_in()
    # Both are converged to 1e-8 Ry per atom.
    assert energy_ev(fleet) == pytest.approx(energy_ev(straight), abs=1e-5)


# 25 s
def test_when_a_pilot_is_killed_all_ranks_end_and_another_pilot_finishes(
    pilots: Any, tmp_path: Path
) -> None:
    fleet = pilots(2)
    fleet.hand_over()
    pilot = fleet.start()
    until(lambda: is_iterating(tmp_path))
    assert len(programs("pw.x", below=tmp_path)) >= 2
    kill(pilot)
    until(lambda: not programs("pw.x", below=tmp_path))
    assert fleet.work("second") == "idle"
    (delivery,) = fleet.take_in()
    assert delivery.ending.kind == "known"
    assert json.loads(delivery.model_dump_json())["results"]
