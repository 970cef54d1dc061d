"""What a pilot knows of the stages that lie in an exchange folder."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from runner import workers
from runner.pilot import offers
from runner.pilot.offers import UNKNOWN, Offers

SPEC = """
version: 1
campaign: travels
space:
  - {kind: prototype, prototype: rocksalt, species: {A: [Mg, Ca], X: [S]}}
stages:
  only: {engine: stepping, resources: {cores: 2, memory_gb: 3.0}}
"""


@pytest.fixture
def folder(bench: Any, tmp_path: Path) -> Path:
    """Return a folder with two stages."""
    run = bench.prepare(SPEC)
    workers.hand_over(run.store, "travels", tmp_path / "stages", 10)
    return tmp_path / "stages"


@pytest.fixture
def known(folder: Path) -> Offers:
    made = Offers(folder, folder.parent / "own")
    made.look()
    return made


def names(some: Offers) -> set[str]:
    return {one.name for one in some.open()}


def test_a_stage_without_a_forecast_gets_a_minute_and_not_its_walltime(known: Offers) -> None:
    for one in known.open():
        assert (one.cores, one.memory_gb, one.continues) == (2, 3.0, True)
        assert (one.expected_s, one.high_s) == (UNKNOWN.expected_s, UNKNOWN.high_s)


def test_a_forecast_is_believed(folder: Path) -> None:
    for path in folder.glob("*/stage.json"):
        forecast = {"expected_s": 5.0, "high_s": 9.0, "memory_gb": 0.5, "basis": "test"}
        path.write_text(json.dumps(json.loads(path.read_text()) | {"forecast": forecast}))
    known = Offers(folder, folder.parent / "own")
    known.look()
    assert {(one.expected_s, one.high_s, one.memory_gb) for one in known.open()} == {
        (5.0, 9.0, 0.5)
    }


def test_while_nothing_changes_nothing_is_listed_or_read(
    known: Offers, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = names(known)
    known.look()  # past the caches, which changes the folder
    monkeypatch.setattr(os, "listdir", None)
    known.look()
    assert names(known) == before


def test_a_folder_that_is_still_empty_is_looked_at_again(folder: Path, known: Offers) -> None:
    (first, second) = sorted(folder.iterdir())
    place = folder / "77-77"
    place.mkdir()
    known.look()
    assert names(known) == {first.name, second.name}
    shutil.copyfile(first / "stage.json", place / "stage.json")
    known.look()
    assert names(known) == {first.name, second.name, "77-77"}


def test_what_is_gone_or_has_ended_is_offered_no_more(folder: Path, known: Offers) -> None:
    (first, second) = sorted(folder.iterdir())
    shutil.rmtree(first)
    known.look()
    assert names(known) == {second.name}
    known.drop(second.name)
    known.look()
    assert not names(known)
    assert not known.any_left()


def test_what_somebody_else_has_is_tried_again_after_a_while(
    folder: Path, known: Offers, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first, second) = sorted(one.name for one in folder.iterdir())
    known.give_back(first)
    known.take(second)
    assert not names(known)
    assert known.any_left()
    known.give_back(second, again_s=0.0)
    assert names(known) == {second}


def test_how_long_a_stage_was_passed_over_is_counted_from_the_first_time(
    known: Offers, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = known.open()
    now = offers.time.monotonic()
    monkeypatch.setattr(offers.time, "monotonic", lambda: now)
    known.pass_over([one])
    now += 30.0
    known.pass_over([one])
    waited = {other.name: other.waited_s for other in known.open()}
    assert waited.pop(one.name) == pytest.approx(30.0)
    assert list(waited.values()) == [0.0]


def test_a_stage_of_several_nodes_is_for_the_job_that_was_asked_for_it(folder: Path) -> None:
    (first, _) = sorted(folder.iterdir())
    stage = json.loads((first / "stage.json").read_text())
    stage["briefing"]["order"]["resources"]["nodes"] = 2
    (first / "stage.json").write_text(json.dumps(stage))
    shared, own = Offers(folder, folder.parent / "own"), Offers(None, folder)
    shared.look()
    own.look()
    assert len(names(shared)) == 1
    assert len(names(own)) == 2


def test_without_its_folder_a_pilot_is_told_so(folder: Path, known: Offers) -> None:
    shutil.rmtree(folder)
    with pytest.raises(FileNotFoundError):
        known.look()


def test_what_others_keep_for_long_is_tried_less_and_less_often_until_it_changes_hands(
    folder: Path, known: Offers, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first, _) = sorted(one.name for one in folder.iterdir())
    now = offers.time.monotonic()
    monkeypatch.setattr(offers.time, "monotonic", lambda: now)

    def pause_s(claim: int) -> float:
        nonlocal now
        known.taken(first, claim)
        before = now
        while first not in names(known):
            now += 1.0
        return now - before

    expected = [20.0, 40.0, 80.0, 160.0, 300.0, 300.0]
    assert [pause_s(1) for _ in expected] == pytest.approx(expected, abs=1.0)
    assert pause_s(2) == pytest.approx(20.0, abs=1.0)
    known.taken(first, 2)
    known.hurry()
    assert first in names(known)


def test_a_stage_that_is_marked_runs_alone(folder: Path, known: Offers) -> None:
    (first, second) = sorted(folder.iterdir())
    (first / "alone").touch()
    again = Offers(folder, folder.parent / "own")
    again.look()
    assert {one.name: one.alone for one in again.open()} == {first.name: True, second.name: False}
    known.isolate(second.name)
    assert {one.name: one.alone for one in known.open()} == {first.name: False, second.name: True}
