"""A controller killed before any of its writes about an analysis: the next run completes it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from consistency import assert_consistent
from sudden_death import die_at_every_write, in_child

pytestmark = pytest.mark.slow

SPEC = """
version: 1
campaign: kills
space:
  - {kind: prototype, prototype: fcc, species: {A: [Mg, Al]}, lattice_ang: {Mg: MG, Al: 4.0}}
stages:
  scf: {engine: toy, task: scf}
  hull: {analysis: hull, over: campaign, of: scf, energy: value}
  bands: {engine: toy, task: scf, x: 3.0, when: hull.on_hull}
"""


@pytest.fixture(autouse=True)
def _imported(bench: Any) -> None:
    """Import once, in the process of all tests, what every child would import again."""
    folder = bench.folder / "imports"
    folder.mkdir()
    run = type(bench)(folder).prepare(spec("4.4"))
    run.store.launchpad.db.client.close()


def spec(mg: str) -> str:
    return SPEC.replace("MG", mg)


def compute(bench: Any, text: str) -> None:
    """Run a campaign until its analysis could be computed, and leave that to others."""
    bench.work_off(bench.prepare(text))


def finish(bench: Any, text: str, computed: dict[str, int]) -> None:
    """Run the campaign to its end, as a user would after the kill, and look at the store."""
    run = bench.prepare(text)
    bench.work_off(run)
    while run.advance():
        bench.work_off(run)
    store = run.store
    assert_consistent(store)
    assert Counter(one["stage"] for one in store.attempts.find({})) == computed
    rows = [one["stages"]["hull"]["key"] for one in store.candidates.find({"member": True})]
    assert len(set(rows)) == 2
    for key in rows:
        (row,) = store.results.find({"key": key})
        assert row["values"]["above_hull_ev_per_atom"] == 0.0
    fireworks = store.fireworks.find({"spec.stage": "bands", "state": {"$ne": "ARCHIVED"}})
    wanted = {one["stages"]["bands"]["fw_id"] for one in store.candidates.find({"member": True})}
    assert wanted - {None} <= {one["fw_id"] for one in fireworks}


def test_computing_rows_and_submitting_what_they_let_through(bench: Any) -> None:
    text = spec("4.5")
    assert in_child(lambda: compute(bench, text))
    writes = die_at_every_write(
        bench.folder / "data",
        act=lambda: bench.prepare(text),
        then=lambda: finish(bench, text, {"scf": 2, "bands": 2}),
    )
    assert writes > 5


def test_opening_the_barrier_again_for_a_changed_member(bench: Any) -> None:
    text, other = spec("4.5"), spec("4.6")

    def first() -> None:
        compute(bench, text)
        bench.prepare(text)  # the second workflows are there, and not started

    assert in_child(first)
    writes = die_at_every_write(
        bench.folder / "data",
        act=lambda: bench.prepare(other),
        then=lambda: finish(bench, other, {"scf": 3, "bands": 2}),
    )
    assert writes > 5
