"""A process killed before any of its writes leaves what the next run brings to its end."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from consistency import assert_consistent
from sudden_death import die_at_every_write, in_child

from fireworks_ext import leases
from fireworks_ext.processes import Process

pytestmark = pytest.mark.slow

SPEC = """
version: 1
campaign: kills
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg], X: [S]}
stages:
  relax: {engine: toy, task: relax, RELAX}
  gap: {engine: toy, task: scf, structure: relax, GAP}
  more: {engine: toy, task: scf, structure: relax, x: 2.0, when: gap.value > 0}
"""
ELSEWHERE = Process(host="elsewhere", pid=1, started=1)


@pytest.fixture(autouse=True)
def _imported(bench: Any) -> None:
    """Import once, in the process of all tests, what every child would import again."""
    folder = bench.folder / "imports"
    folder.mkdir()
    run = type(bench)(folder).prepare(spec())
    run.store.launchpad.db.client.close()


def spec(relax: str = "x: 1.0", gap: str = "x: 1.0") -> str:
    return SPEC.replace("RELAX", relax).replace("GAP", gap)


def opened(bench: Any, text: str) -> Any:
    """Return a run of which nothing has happened yet; its store is there."""
    from runner.controller import Run
    from runner.load import load
    from runner.place import place_of

    loaded = load(bench.write(text))
    return Run(loaded, place_of(loaded, environ=bench.environ))


def launch_once(bench: Any, run: Any, *, stopping: bool = False) -> bool:
    """Take one READY firework and bring it to its end, in this process, as a worker does."""
    from fireworks_ext.worker.loop import Worker
    from fireworks_ext.worker.sessions import forget, open_session

    forget()
    session = open_session(run.store, "kills")
    session.stopping = stopping
    return Worker(session, "kills", bench.folder / "launches").turn()


def launch_once_with_a_rocket(bench: Any, run: Any) -> None:
    """Run one READY firework with FireWorks' own rocket, in this process."""
    from fireworks import FWorker
    from fireworks.core import rocket

    from fireworks_ext.worker.sessions import forget, open_session

    rocket.PRINT_FW_JSON = False
    rocket.ROCKET_STREAM_LOGLEVEL = "CRITICAL"
    forget()
    session = open_session(run.store, "kills")
    folder = bench.folder / "launches"
    folder.mkdir(exist_ok=True)
    os.chdir(folder)
    fworker = FWorker(name=session.process.name, query={"spec.campaign": "kills"})
    with Path(os.devnull).open("w") as nowhere:
        rocket.Rocket(run.store.launchpad, fworker, None).run(err_file=nowhere)


class Story:
    """One campaign, something that is killed in the middle of it, and the end it must come to."""

    def __init__(self, bench: Any, text: str) -> None:
        self.bench, self.text = bench, text

    def set_up(self, body: Callable[[], object]) -> None:
        assert in_child(body)

    def prepare(self) -> Any:
        return self.bench.prepare(self.text)

    def launch(self) -> None:
        launch_once(self.bench, opened(self.bench, self.text))

    def kill_in(self, act: Callable[[], object], *, first: int = 1, **end: Any) -> int:
        """Kill `act` before every write; the run after it must end as `end` says."""
        return die_at_every_write(
            self.bench.folder / "data", act=act, then=lambda: self.finish(**end), first=first
        )

    def finish(
        self,
        *,
        stages: dict[str, str],
        fireworks: dict[str, str] | None = None,
        computed: dict[str, int] | None = None,
        before: Callable[[Any], object] | None = None,
    ) -> None:
        """Run the campaign to its end, as a user would after the kill, and look at the store."""
        if before is not None:
            before(opened(self.bench, self.text))
        run = self.prepare()
        self.bench.work_off(run)
        assert_consistent(run.store)
        (member,) = run.store.candidates.find({"member": True})
        assert {name: entry["state"] for name, entry in member["stages"].items()} == stages
        states = {one["spec"]["stage"]: one["state"] for one in run.store.fireworks.find({})}
        expected = fireworks or dict.fromkeys(stages, "COMPLETED")
        assert states.items() <= expected.items()
        # What is known to be skipped when the next run compiles is taken away.
        assert {stages[stage] for stage in stages.keys() - states.keys()} <= {"skipped"}
        assert programs_run(run.store) == (
            dict.fromkeys(stages, 1) if computed is None else computed
        )


def programs_run(store: Any) -> Counter[str]:
    """Count by stage how often the program came to its own end, a good one or a bad one."""
    return Counter(
        one["stage"]
        for one in store.attempts.find({})
        if (Path(one["directory"]) / "out.json").exists()
        or "converge" in _printed(Path(one["directory"]))
    )


def _printed(directory: Path) -> str:
    output = directory / "toy.out"
    return output.read_text() if output.exists() else ""


BEFORE_COMPUTING = 11
"""Writes of a launch up to the start of its program, whatever becomes of it."""
ALL_OK = {"relax": "ok", "gap": "ok", "more": "ok"}


def test_submitting(bench: Any) -> None:
    story = Story(bench, spec())
    story.set_up(lambda: opened(bench, spec()))
    assert story.kill_in(story.prepare, stages=ALL_OK) > 3


def test_a_stage_that_ends_well(bench: Any) -> None:
    story = Story(bench, spec())
    story.set_up(story.prepare)
    assert story.kill_in(story.launch, stages=ALL_OK) > BEFORE_COMPUTING


def test_a_stage_that_stock_fireworks_runs(bench: Any) -> None:
    story = Story(bench, spec())
    story.set_up(story.prepare)

    def launch() -> None:
        launch_once_with_a_rocket(bench, opened(bench, spec()))

    assert story.kill_in(launch, stages=ALL_OK) > BEFORE_COMPUTING


def test_the_last_input_of_a_join_and_the_join(bench: Any) -> None:
    story = Story(bench, spec())

    def set_up() -> None:
        launch_once(bench, story.prepare())

    story.set_up(set_up)
    writes = story.kill_in(lambda: bench.work_off(opened(bench, spec())), stages=ALL_OK)
    assert writes > 2 * BEFORE_COMPUTING


def test_a_stage_that_closes_the_gate_of_all_below_it(bench: Any) -> None:
    story = Story(bench, spec(gap="when: relax.value < 0"))
    story.set_up(story.prepare)
    stages = {"relax": "ok", "gap": "skipped", "more": "skipped"}
    story.kill_in(story.launch, first=BEFORE_COMPUTING, stages=stages, computed={"relax": 1})


@pytest.mark.parametrize(
    ("policy", "state", "below", "firework", "other"),
    [
        ("fail", "failed", "blocked", "FIZZLED", "WAITING"),
        ("hold", "held", "blocked", "PAUSED", "WAITING"),
        ("drop", "failed", "skipped", "COMPLETED", "COMPLETED"),
    ],
)
def test_a_stage_that_fails(
    bench: Any, policy: str, state: str, below: str, firework: str, other: str
) -> None:
    story = Story(bench, spec(f"fails_for: [Mg], on_unrepaired: {policy}"))
    story.set_up(story.prepare)
    story.kill_in(
        story.launch,
        first=BEFORE_COMPUTING,
        stages={"relax": state, "gap": below, "more": below},
        fireworks={"relax": firework, "gap": other, "more": other},
        computed={"relax": 1},
    )


def test_a_stage_that_goes_to_wait_for_a_key(bench: Any) -> None:
    story = Story(bench, spec())

    def set_up() -> None:
        run = story.prepare()
        key = run.store.fireworks.find_one({"spec.stage": "relax"})["spec"]["key"]
        assert leases.acquire(run.store, key, ELSEWHERE)

    def give_back(run: Any) -> None:
        (held,) = run.store.leases.find({"owner": ELSEWHERE.name})
        leases.release(run.store, leases.Lease(held["_id"], held["owner"], held["token"]))

    story.set_up(set_up)
    story.kill_in(story.launch, stages=ALL_OK, before=give_back)


def test_a_stage_that_is_interrupted(bench: Any) -> None:
    story = Story(bench, spec())
    story.set_up(story.prepare)
    story.kill_in(
        lambda: launch_once(bench, opened(bench, spec()), stopping=True),
        first=BEFORE_COMPUTING,
        stages=ALL_OK,
    )


def test_taking_stages_away(bench: Any) -> None:
    edited = "\n".join(line for line in spec().splitlines() if "more:" not in line)
    story = Story(bench, edited)
    story.set_up(lambda: bench.prepare(spec()))
    story.kill_in(story.prepare, stages={"relax": "ok", "gap": "ok"})


def test_taking_a_candidate_away(bench: Any) -> None:
    edited = spec().replace("[Mg]", "[Ca]")
    story = Story(bench, edited)
    story.set_up(lambda: bench.prepare(spec()))

    def one_is_left() -> None:
        run = story.prepare()
        bench.work_off(run)
        assert_consistent(run.store)
        states = Counter((one["name"][:3], one["state"]) for one in run.store.fireworks.find({}))
        assert states == {("MgS", "ARCHIVED"): 3, ("CaS", "COMPLETED"): 3}

    die_at_every_write(bench.folder / "data", act=story.prepare, then=one_is_left)


def test_the_repair_of_what_a_killed_worker_left(bench: Any) -> None:
    """Killed while it holds the lock, between the writes of the launch and of the workflow."""
    story = Story(bench, spec())

    def set_up() -> None:
        story.prepare()

    story.set_up(set_up)
    locked = _first_write_that_leaves_a_lock(story)
    assert not in_child(story.launch, dies_before=locked)
    story.kill_in(story.prepare, stages=ALL_OK)


def test_waking_what_waits_for_a_key_of_a_dead_worker(bench: Any) -> None:
    story = Story(bench, spec())

    def set_up() -> None:
        run = story.prepare()
        key = run.store.fireworks.find_one({"spec.stage": "relax"})["spec"]["key"]
        lease = leases.acquire(run.store, key, ELSEWHERE)
        assert lease
        launch_once(bench, run)
        assert run.store.fireworks.find_one({"spec.stage": "relax"})["state"] == "WAITING"
        leases.release(run.store, lease)

    story.set_up(set_up)
    story.kill_in(story.prepare, stages=ALL_OK)


def _first_write_that_leaves_a_lock(story: Story) -> int:
    """Return a write of a launch before which the stage has ended and its workflow is locked."""
    import shutil

    data = story.bench.folder / "data"
    start = data.with_name("locked.start")
    shutil.copytree(data, start)
    try:
        for number in range(BEFORE_COMPUTING, 40):
            shutil.rmtree(data)
            shutil.copytree(start, data)
            in_child(story.launch, dies_before=number)
            try:
                in_child(lambda: _must_be_locked(opened(story.bench, story.text).store))
            except AssertionError:
                continue
            return number
    finally:
        shutil.rmtree(data)
        shutil.move(start, data)
    raise AssertionError("no write leaves a lock")


def _must_be_locked(store: Any) -> None:
    assert store.workflows.find_one({"locked": {"$exists": True}})
    assert store.launches.find_one({"state": "COMPLETED"})
    assert store.fireworks.find_one({"spec.stage": "relax", "state": "RUNNING"})
