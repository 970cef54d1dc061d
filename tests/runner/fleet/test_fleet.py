"""A campaign's jobs, with a queue whose answers are written in the test: what is asked when."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fireworks_ext.artefacts import Artefacts
from fireworks_ext.folders.exchange import Begun, Exchange, PilotOrder
from fireworks_ext.processes import this_process
from fireworks_ext.worker.session import Session
from runner.fleet import fleet as fleets
from runner.fleet import ownership, reconcile
from runner.fleet.backlog import Backlog
from runner.fleet.demand import Demand
from runner.fleet.fleet import Fleet
from runner.fleet.forecast import Forecaster
from runner.fleet.loads import Limits
from runner.fleet.outstanding import Outstanding
from runner.fleet.queue import Queue
from schemas.errors import UserError
from schemas.queue import Allocation, JobRequest, JobSeen, JobShape, Refused, Silent

SPEC = """
version: 1
campaign: sulfides
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg, Ca, Sr, Ba], X: [S]}
stages:
  relax: {engine: toy, task: relax, seconds: 0.1}
"""
PILOT = JobShape(cores=2, walltime_min=60.0)


@dataclass
class WrittenQueue:
    """Stands in for a scheduler: takes what it is told to, and remembers what it was asked."""

    refuses: Refused | Silent | None = None
    jobs: dict[str, JobSeen] = field(default_factory=dict)
    over: dict[str, JobSeen] = field(default_factory=dict)
    asked: list[JobRequest] = field(default_factory=list)
    looks: int = 0

    def script(self, request: JobRequest) -> str:
        return request.name

    def submit(self, request: JobRequest, script: Path) -> str:
        self.asked.append(request)
        assert script.exists()
        if self.refuses is not None:
            raise self.refuses
        number = str(len(self.asked))
        ids = [number] if request.count == 1 else [f"{number}_{i}" for i in range(request.count)]
        for one in ids:
            self.jobs[one] = JobSeen(id=one, name=request.name, phase="running", state="RUNNING")
        return number

    def seen(self) -> list[JobSeen]:
        self.looks += 1
        return list(self.jobs.values())

    def ended(self, ids: Collection[str]) -> Mapping[str, JobSeen]:
        return {one: job for one, job in self.over.items() if {one, one.partition("_")[0]} & {*ids}}

    def cancel(self, ids: Collection[str]) -> None:
        for one in ids:
            self.end(one, "CANCELLED")

    def end(self, job: str, state: str = "COMPLETED") -> None:
        seen = self.jobs.pop(job)
        self.over[job] = seen.model_copy(update={"phase": "ended", "state": state})


@dataclass
class Harbour:
    """A fleet and what it works with."""

    run: Any
    scheduler: WrittenQueue
    fleet: Fleet

    @property
    def exchange(self) -> Exchange:
        return self.fleet.queue.exchange

    def job(self) -> str:
        (name,) = self.fleet.queue.jobs
        return name

    def begin(self, job: str, name: str) -> None:
        allocation = Allocation(job=job, cores=2)
        begun = Begun(
            allocation=allocation, process=this_process(), host="n1", began_at=time.time()
        )
        self.exchange.begin(name, begun)

    def leave_record(self, job: str, name: str, code: int, restarts: int = 0) -> None:
        path = self.exchange.job(name) / f"ended-{job}-{restarts}.json"
        path.write_text(json.dumps({"exit": code, "at": time.time()}))


@pytest.fixture
def harbour(bench: Any, tmp_path: Path) -> Any:
    """Return a function that makes a fleet for a prepared campaign."""

    def make(**limits: Any) -> Harbour:
        run = bench.prepare(SPEC)
        exchange, scheduler = Exchange(tmp_path / "exchange"), WrittenQueue()
        queue: Any = Queue("sulfides", "written", scheduler, exchange, PilotOrder())  # type: ignore[arg-type]  # it is asked for nothing else
        backlog = Backlog(run.store, "sulfides", Forecaster(run.store))
        session = Session(run.store, run.place.site, Artefacts(run.place.artefacts))
        outstanding = Outstanding(session, "sulfides", exchange, backlog)
        arrays = limits.pop("arrays", False)
        demand = Demand(queue, outstanding, backlog, Limits(PILOT, **limits), arrays)
        fleet = Fleet(queue, outstanding, demand)
        fleet.adopt()
        return Harbour(run, scheduler, fleet)

    return make


def test_a_limit_of_the_queue_is_not_asked_for_again_at_once(harbour: Any) -> None:
    here = harbour()
    here.scheduler.refuses = Refused("QOSMaxSubmitJobPerUserLimit", for_now=True)
    for _ in range(20):
        here.fleet._ask_for_more()
        here.fleet._follow()
    assert len(here.scheduler.asked) == 1
    assert here.fleet.report().note == "QOSMaxSubmitJobPerUserLimit"
    assert not here.fleet.queue.jobs


def test_jobs_that_end_at_once_are_asked_for_less_and_less_and_then_no_more(harbour: Any) -> None:
    here = harbour()
    for number in range(1, 4):
        here.fleet._ask_for_more()
        name = here.job()
        (here.exchange.job(name) / f"out-{number}.txt").write_text("no module named runner")
        here.begin(str(number), name)
        here.leave_record(str(number), name, 1)
        here.scheduler.end(str(number), "FAILED")
        here.fleet._follow()
        assert not here.fleet.queue.may_ask()
        if number < 3:
            here.fleet.queue._vain = here.fleet.queue._vain.eased()  # as after the wait
    with pytest.raises(UserError, match="no module"):
        here.fleet._ask_for_more()


def test_a_job_that_found_nothing_to_do_was_not_asked_for_in_vain(harbour: Any) -> None:
    here = harbour()
    here.fleet._ask_for_more()
    here.begin("1", here.job())
    here.leave_record("1", here.job(), 0)
    here.scheduler.end("1")
    here.fleet._follow()
    assert here.fleet.queue.may_ask()


def test_jobs_that_the_scheduler_cannot_launch_are_not_asked_for_without_end(harbour: Any) -> None:
    here = harbour()
    here.fleet._ask_for_more()
    waits = {"phase": "waiting", "is_stuck": True, "reason": "launch failed requeued held"}
    here.scheduler.jobs["1"] = here.scheduler.jobs["1"].model_copy(update=waits)
    here.fleet._follow()
    here.fleet._follow()
    assert not here.fleet.queue.may_ask()
    assert "launch failed" in here.fleet.report().note


def test_the_queue_is_looked_at_once_for_each_end_of_a_script(harbour: Any) -> None:
    here = harbour()
    here.fleet._ask_for_more()
    here.begin("1", here.job())
    here.leave_record("1", here.job(), 1)  # it was requeued, and runs again
    for _ in range(30):
        here.fleet._begun_clock.hurry()
        here.fleet._do_what_is_due()
    assert here.scheduler.looks <= 3


def test_what_was_written_before_a_hand_over_broke_off_is_out(
    harbour: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = harbour()
    outstanding = here.fleet.outstanding
    forecasts = iter(range(2))

    def breaks_off(_briefing: Any) -> None:
        if next(forecasts, None) is None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(outstanding.backlog, "forecast", breaks_off)
    with pytest.raises(OSError, match="No space"):
        outstanding.give([1, 2, 3, 4])
    assert len(outstanding) == 2


def test_a_result_of_a_stage_that_nobody_remembers_is_taken_in(harbour: Any) -> None:
    here = harbour()
    outstanding = here.fleet.outstanding
    (one, *_) = outstanding.give([1, 2])
    del outstanding.out[one.name]
    here.exchange.mark(one.name)
    outstanding.take_in(here.exchange.done_names())
    assert one.name in outstanding.out  # it has no result yet, and is out again


def test_a_file_system_that_is_away_makes_nobody_forget_what_is_out(harbour: Any) -> None:
    here = harbour()
    outstanding = here.fleet.outstanding
    given = outstanding.give([1, 2])
    away = here.exchange.root.with_name("away")
    here.exchange.root.rename(away)
    outstanding.take_in([one.name for one in given])
    assert len(outstanding) == 2
    away.rename(here.exchange.root)


@pytest.mark.parametrize("file", ["stage.json", "result.json"])
def test_a_file_that_nobody_can_read_stops_nothing(harbour: Any, file: str) -> None:
    here = harbour()
    outstanding = here.fleet.outstanding
    one, other = outstanding.give([1, 2])
    (one.place / file).write_text("{")
    outstanding.out.clear()
    outstanding.adopt([])
    outstanding.take_in([one.name, other.name])
    assert other.name in outstanding.out
    assert (one.name in outstanding.out) == (file == "result.json")
    assert not one.has_result


def test_no_more_elements_of_arrays_are_asked_for_than_there_may_be_jobs(harbour: Any) -> None:
    here = harbour(arrays=True, max_jobs=2, fill_min=0.0)
    for _ in range(5):
        here.fleet._ask_for_more()
        here.fleet._follow()
    assert sum(one.count for one in here.scheduler.asked) <= 2


def test_a_folder_of_another_store_is_left_alone(harbour: Any) -> None:
    here = harbour()
    owner = here.exchange.root / "owner"
    ownership.take(here.run.store, "sulfides", here.exchange)  # ours: again without harm
    owner.write_text("somebody else")
    with pytest.raises(UserError, match="another store"):
        ownership.take(here.run.store, "sulfides", here.exchange)


def test_stages_that_are_out_elsewhere_are_not_computed_a_second_time(
    harbour: Any, tmp_path: Path
) -> None:
    here = harbour()
    here.fleet.outstanding.give([1])
    with pytest.raises(UserError, match="1 stages are out"):
        ownership.take(here.run.store, "sulfides", Exchange(tmp_path / "other"))
    with pytest.raises(UserError, match="1 stages are out"):
        ownership.require_none_out(here.run.store, "sulfides")


@pytest.mark.parametrize("taken", [True, False])
def test_a_job_that_nobody_answered_for_is_not_left_behind(
    harbour: Any, monkeypatch: pytest.MonkeyPatch, *, taken: bool
) -> None:
    monkeypatch.setattr(fleets, "GOODBYE_S", 0.1)
    monkeypatch.setattr(fleets, "QUEUE_S", 0.01)
    monkeypatch.setattr(fleets, "UNSURE_S", 20.0)
    monkeypatch.setattr(reconcile, "UNSURE_S", 1.0)
    here = harbour()
    here.scheduler.refuses = Silent("connection refused")
    here.fleet._ask_for_more()
    name = here.job()
    if taken:
        late = JobSeen(id="77", name=name, phase="waiting", state="PENDING")
        here.scheduler.jobs["77"] = late
    here.fleet.dismiss()
    assert not here.scheduler.jobs
    assert here.exchange.job(name).exists() is False
    assert (here.exchange.past / name).exists() == taken


def test_large_stages_of_one_shape_are_the_elements_of_an_array(harbour: Any) -> None:
    here = harbour(arrays=True, own_job_cores=0)
    here.fleet._ask_for_more()
    (asked,) = here.scheduler.asked
    assert asked.count == 4
    assert {one.index for one in here.fleet.outstanding.given_to(asked.name)} == {0, 1, 2, 3}
    for index, (number, one) in enumerate(here.scheduler.jobs.items()):
        here.scheduler.jobs[number] = one.model_copy(update={"index": index})
    here.fleet._follow()
    launches = here.run.store.launches.find({})
    numbers = {one["state_history"][0]["reservation_id"] for one in launches}
    assert numbers == {"1_0", "1_1", "1_2", "1_3"}
    # One that ends without a word gives its stage back, and the others keep theirs.
    here.scheduler.end("1_2", "CANCELLED")
    here.fleet._follow()
    assert {one.index for one in here.fleet.outstanding.given_to(asked.name)} == {0, 1, 3}
    assert here.run.store.fireworks.count_documents({"state": "READY"}) == 1
