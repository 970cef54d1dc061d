"""What is started twice is done once: short forms of benchmarks/lease_race.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starts import ForClaims, ForLeases, ForStages, make_folders, race
from sudden_death import in_child

from fireworks_ext.folders.offline import read_result, stages
from fireworks_ext.store import open_store
from runner import workers

ROUNDS = 50
MANY = """
version: 1
campaign: twice
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg, Ca, Sr, Ba], X: [S, Se, Te, Po, O]}
stages:
  only: {engine: no-op, task: relax}
"""


@pytest.mark.parametrize("processes", [2, 8])
def test_of_processes_that_want_a_lease_at_once_one_gets_it(tmp_path: Path, processes: int) -> None:
    location = str(tmp_path / "store.db")
    in_child(lambda: open_store(location))
    found = race(processes, ROUNDS, lambda one: ForLeases(location, one))
    assert found.is_fair, found


def test_of_processes_that_want_a_lease_of_a_server_at_once_one_gets_it(mongodb: str) -> None:
    in_child(lambda: open_store(mongodb))
    found = race(4, ROUNDS, lambda one: ForLeases(mongodb, one))
    assert found.is_fair, found


@pytest.mark.parametrize("processes", [2, 8])
def test_of_processes_that_want_a_folder_at_once_one_gets_it(
    tmp_path: Path, processes: int
) -> None:
    make_folders(tmp_path, ROUNDS)
    found = race(processes, ROUNDS, lambda one: ForClaims(tmp_path, one))
    assert found.is_fair, found


def test_a_handed_over_stage_that_is_started_twice_is_computed_once(
    bench: Any, tmp_path: Path
) -> None:
    def hand_over() -> None:
        run = bench.prepare(MANY)
        workers.hand_over(run.store, "twice", tmp_path / "travel", 100)

    in_child(hand_over)
    places = stages(tmp_path / "travel")
    assert len(places) == 20
    found = race(2, len(places), lambda one: ForStages(places, one))
    assert found.is_fair, found
    results = [read_result(place) for place in places]
    assert [len(one.attempts) for one in results if one] == [1] * len(places)
