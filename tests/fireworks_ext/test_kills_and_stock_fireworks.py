"""Our worker is killed between any two of its writes, and stock FireWorks alone goes on.

After the kill somebody does what FireWorks' manual says (`lpad admin unlock`, `detect_lostruns`),
or our janitor goes over it once; then only FireWorks' own rockets run.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import documentdb_listener
import pytest
import stock_fireworks
from consistency import assert_consistent
from sudden_death import die_at_every_write, in_child
from wire_death import die_at_every_command

pytestmark = pytest.mark.slow

HEAD = """
version: 1
campaign: kills
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg, Ca], X: [S]}
stages:
"""
DIAMOND = """
  top: {engine: no-op, task: relax}
  left: {engine: no-op, task: scf, x: 2.0, when: top.value > 0}
  right: {engine: no-op, task: scf, x: 3.0, when: top.value > 0}
  join: {engine: no-op, task: scf, x: 4.0, when: left.value > 0 and right.value > 0}
"""
GATE = """
  top: {engine: no-op, task: relax}
  closed: {engine: no-op, task: scf, x: 2.0, when: top.value < 0}
  below: {engine: no-op, task: scf, x: 3.0, when: closed.value > 0}
  beside: {engine: no-op, task: scf, x: 4.0, when: top.value > 0}
"""
JOIN = """
  left: {engine: no-op, task: relax}
  right: {engine: no-op, task: scf, x: 3.0}
  join: {engine: no-op, task: scf, x: 4.0, when: left.value > 0 and right.value > 0}
  shut: {engine: no-op, task: scf, x: 5.0, when: left.value > 0 and right.value < 0}
"""
PROGRAMS = """
  relax: {engine: toy, task: relax}
  gap: {engine: toy, task: scf, structure: relax}
  more: {engine: toy, task: scf, structure: relax, x: 2.0, when: gap.value > 0}
"""
FORMULAS = ("MgS", "CaS")
ENOUGH = 0.001
"""Seconds that a stage is taken to last, so that all that are READY make one lot."""


def opened(bench: Any, stages: str) -> Any:
    """Return a run of which nothing has happened yet; its store is there."""
    from runner.controller import Run
    from runner.load import load
    from runner.place import place_of

    loaded = load(bench.write(HEAD + stages))
    return Run(loaded, place_of(loaded, environ=bench.environ))


def one_lot(bench: Any, stages: str) -> None:
    """Take all fireworks that are READY, and bring them to their end together."""
    from fireworks_ext.worker.loop import Worker
    from fireworks_ext.worker.pace import Pace
    from fireworks_ext.worker.sessions import forget, open_session

    forget()
    run = opened(bench, stages)
    worker = Worker(open_session(run.store, "kills"), "kills", bench.folder / "data" / "launches")
    names = [line.partition(":")[0].strip() for line in stages.strip().splitlines()]
    worker._pace = Pace(ENOUGH, dict.fromkeys(names, ENOUGH))
    assert worker.turn()


def clean(run: Any) -> None:
    """Put right what the kill left, by our janitor."""
    run._janitor.clean()


def put_right(run: Any) -> None:
    """Put right what the kill left, by FireWorks' own means."""
    os.environ.pop(
        documentdb_listener.FILE, None
    )  # what stock FireWorks sends is not ours to judge
    stock_fireworks.put_right(run.store)


def check(bench: Any, stages: str, repair: Callable[[Any], None], skipped: set[str]) -> None:
    """Let stock FireWorks go on, and look at everything."""
    run = opened(bench, stages)
    repair(run)
    stock_fireworks.rapidfire(run.store, "kills", bench.folder / "data" / "rockets")
    states = stock_fireworks.states(run.store)
    assert set(states.values()) == {"COMPLETED"}, states
    entries = stock_fireworks.entries(run.store)
    expected = {place: "skipped" if place[1] in skipped else "ok" for place in entries}
    assert entries == expected
    assert len(entries) == len(FORMULAS) * len(stages.strip().splitlines())
    assert_consistent(run.store)
    results = Counter(one["key"] for one in run.store.results.find({}))
    assert len(results) == sum(state == "ok" for state in entries.values())
    assert set(results.values()) == {1}
    assert set(computed(run.store).values()) == {1}


def computed(store: Any) -> dict[str, int]:
    """Count by key how many attempts came to a result."""
    return Counter(one["key"] for one in store.attempts.find({"outcome": "ok"}))


def ready(bench: Any, stages: str, lots: int) -> None:
    """Submit, and do some lots, in a child; nothing stays open in this process."""

    def set_up() -> None:
        bench.prepare(HEAD + stages)
        for _ in range(lots):
            one_lot(bench, stages)

    assert in_child(set_up)


STORIES = {
    "two ends at once open both sides of a diamond": (DIAMOND, 0, set()),
    "four ends at once in two workflows send the joins on": (DIAMOND, 1, set()),
    "two ends at once close gates": (GATE, 0, {"closed", "below"}),
    "both inputs of joins end at once, and one join is closed": (JOIN, 0, {"shut"}),
    "a program is run": (PROGRAMS, 0, set()),
}


@pytest.fixture(autouse=True)
def _imported(bench: Any) -> None:
    """Import once, in the process of all tests, what every child would import again."""
    folder = bench.folder / "imports"
    folder.mkdir()
    run = type(bench)(folder).prepare(HEAD + GATE)
    run.store.launchpad.db.client.close()


@pytest.mark.parametrize("repair", [put_right, clean])
@pytest.mark.parametrize("story", STORIES)
def test_rockets_go_on(bench: Any, story: str, repair: Callable[[Any], None]) -> None:
    stages, lots, skipped = STORIES[story]
    ready(bench, stages, lots)
    writes = die_at_every_write(
        bench.folder / "data",
        act=lambda: one_lot(bench, stages),
        then=lambda: check(bench, stages, repair, skipped),
    )
    assert writes > 10


@pytest.mark.parametrize("repair", [put_right, clean])
def test_rockets_go_on_after_kills_over_the_wire(
    bench: Any, mongodb: str, repair: Callable[[Any], None]
) -> None:
    bench.store = mongodb
    stages, lots, skipped = STORIES["both inputs of joins end at once, and one join is closed"]
    ready(bench, stages, lots)
    commands = die_at_every_command(
        mongodb,
        bench.folder / "data",
        act=lambda: one_lot(bench, stages),
        then=lambda: check(bench, stages, repair, skipped),
    )
    assert commands > 10
