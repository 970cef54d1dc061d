"""Who is to blame when a job dies: the only one that it had, and nobody else for sure."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fireworks_ext import artefacts
from fireworks_ext.artefacts import Artefacts
from fireworks_ext.attempts import deserted
from fireworks_ext.attempts.exits import Exit, write_exit
from fireworks_ext.folders.claims import claim_folder
from fireworks_ext.folders.offline import ALONE, read_result, read_stage
from fireworks_ext.processes import Process
from fireworks_ext.worker.leased import Leased
from fireworks_ext.worker.session import Session
from runner import workers
from runner.fleet import casualties
from schemas.failure import FailureName
from schemas.handover import Briefing
from schemas.queue import JobSeen

SPEC = """
version: 1
campaign: deaths
space:
  - {kind: prototype, prototype: rocksalt, species: {A: [Mg, Ca, Sr], X: [S]}}
stages:
  only: {engine: toy, task: relax, resources: {cores: 2}}
"""
FORECAST = {"expected_s": 5.0, "high_s": 9.0, "memory_gb": 4.0, "basis": "test"}
NOW = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)


class Ward:
    """Stages that jobs have, and die with."""

    def __init__(self, folder: Path) -> None:
        self.stages: dict[Path, Briefing] = {}
        for path in sorted(folder.glob("*/stage.json")):
            path.write_text(json.dumps(json.loads(path.read_text()) | {"forecast": FORECAST}))
            stage = read_stage(path.parent)
            assert stage is not None
            self.stages[path.parent] = stage.briefing
        self.session = Session(None, stage.site, Artefacts(stage.artefacts))
        self.jobs = 0

    def die(self, places: list[Path], failure: FailureName = FailureName.OUT_OF_MEMORY) -> None:
        """Have a job die while some stages run in it."""
        self.jobs += 1
        job = str(self.jobs)
        for place in places:
            assert claim_folder(place, Process(host="x", pid=1, started=1), job) is not None
            self.begin(place)
        self.bury(places, failure)

    def begin(self, place: Path) -> Path:
        """Begin an attempt; return its run directory."""
        work = Leased(self.session, self.stages[place])
        number = len(self.session.artefacts.attempts(work.order.key)) + 1
        directory = self.session.artefacts.make(work.order.key, number)
        opened = work.attempt_record(number, directory, NOW)
        said = {"attempt_record": opened.model_dump(mode="json"), "started_at": NOW.isoformat()}
        artefacts.write_record(directory, artefacts.ORDER, said)
        return directory

    def bury(self, places: list[Path], failure: FailureName = FailureName.OUT_OF_MEMORY) -> None:
        ended = JobSeen(
            id=str(self.jobs), name="x", phase="ended", state="OUT_OF_MEMORY", failure=failure
        )
        held = {place: self.stages[place] for place in places}
        casualties.bury(held, ended, self.session.artefacts)

    def last(self, place: Path) -> Path:
        return self.session.artefacts.attempts(self.stages[place].order.key)[0]


@pytest.fixture
def ward(bench: Any, tmp_path: Path) -> Ward:
    run = bench.prepare(SPEC)
    workers.hand_over(run.store, "deaths", tmp_path / "stages", 10)
    return Ward(tmp_path / "stages")


def test_neighbours_of_one_that_needs_too_much_memory_are_not_blamed(ward: Ward) -> None:
    for _ in range(4):
        ward.die(list(ward.stages))
    for place in ward.stages:
        assert read_result(place) is None
        assert (place / ALONE).exists()
        record = deserted.closed(ward.last(place), "lost", NOW)
        assert record is not None
        assert (record.outcome, record.failure) == ("lost", None)
        assert record.message == "job 4: OUT_OF_MEMORY"


def test_one_under_which_jobs_die_that_have_no_other_is_given_up(ward: Ward) -> None:
    place, *_ = ward.stages
    for number in range(3):
        assert read_result(place) is None, number
        ward.die([place])
    assert not (place / ALONE).exists()
    record = deserted.closed(ward.last(place), "lost", NOW)
    assert record is not None
    assert record.failure == "out_of_memory"
    delivery = read_result(place)
    assert delivery is not None
    assert "3 jobs broke down under it" in json.dumps(delivery.model_dump(mode="json"))


def test_one_that_took_more_than_was_foreseen_is_blamed_among_others(ward: Ward) -> None:
    hungry, modest, *_ = ward.stages
    for place, peak_gb in ((hungry, 2.5), (modest, 1.5)):  # of each of two ranks
        write_exit(ward.begin(place), Exit(exit_code=-9, peak_memory_gb=peak_gb))
    ward.bury([hungry, modest])
    records = [deserted.closed(ward.last(one), "lost", NOW) for one in (hungry, modest)]
    assert [one and one.failure for one in records] == ["out_of_memory", None]
    assert [(one / ALONE).exists() for one in (hungry, modest)] == [False, True]


def test_a_node_that_fails_is_named_and_nobody_is_blamed_or_runs_alone(ward: Ward) -> None:
    for _ in range(4):
        ward.die(list(ward.stages), FailureName.NODE_FAILED)
    for place in ward.stages:
        assert read_result(place) is None
        assert not (place / ALONE).exists()
        record = deserted.closed(ward.last(place), "lost", NOW)
        assert record is not None
        assert record.failure == "node_failed"


def test_an_attempt_that_is_over_is_not_said_to_have_died_with_a_later_job(ward: Ward) -> None:
    place, *_ = ward.stages
    directory = ward.begin(place)
    work = Leased(ward.session, ward.stages[place])
    stopped = work.attempt_record(1, directory, NOW).model_copy(update={"outcome": "interrupted"})
    ward.stages[place] = ward.stages[place].model_copy(update={"attempts": (stopped,)})
    ward.bury([place])
    assert artefacts.read_record(directory, deserted.SCHEDULER) is None


def test_what_was_stopped_in_good_order_did_not_die_of_its_jobs_death(ward: Ward) -> None:
    class Store:
        """Refuses to change anything."""

    stopped = Leased(ward.session, next(iter(ward.stages.values()))).attempt_record(1, None, NOW)
    ended = JobSeen(
        id="1", name="x", phase="ended", state="OUT_OF_MEMORY", failure=FailureName.OUT_OF_MEMORY
    )
    casualties.name([stopped], ended, Store())  # type: ignore[arg-type]
