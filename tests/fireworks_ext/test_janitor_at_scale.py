"""What the janitor reads while workers work does not grow with the campaign."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from filled_store import Filling

from fireworks_ext.artefacts import Artefacts
from fireworks_ext.embedded.collection import EmbeddedCollection
from fireworks_ext.janitor.round import Janitor
from fireworks_ext.store import open_store

LIVE = 50


@pytest.fixture
def read(monkeypatch: Any) -> Counter[str]:
    """Count the documents that are read, by collection."""
    counts: Counter[str] = Counter()
    found = EmbeddedCollection._found

    def noted(self: Any, search: Any, sort: Any, most: int) -> Any:
        for one in found(self, search, sort, most):
            counts[self.name] += 1
            yield one

    monkeypatch.setattr(EmbeddedCollection, "_found", noted)
    return counts


def janitor_of(folder: Path, done: int) -> Janitor:
    """Return the janitor of a campaign at work, with so many members that are done."""
    folder.mkdir()
    store = open_store(str(folder / "store.db"))
    members = done + LIVE
    Filling(store, "mine", members, done=done / members).fill()
    store.workers.insert_one({"_id": "elsewhere:1:1"})
    return Janitor(store, "mine", Artefacts(folder))


def test_a_round_beside_workers_reads_what_is_at_work_and_no_more(
    tmp_path: Path, read: Counter[str]
) -> None:
    small, large = janitor_of(tmp_path / "small", 100), janitor_of(tmp_path / "large", 1500)
    sizes = []
    for janitor in (small, large):
        janitor.clean()
        read.clear()
        assert janitor.clean().repairs == []
        sizes.append(dict(read))
    for name in ("fireworks", "launches", "workflows", "candidates"):
        # A page of what was given up is looked at in each round.
        assert sizes[1].get(name, 0) <= sizes[0].get(name, 0) + 250
    assert sizes[1].get("fireworks", 0) < LIVE


@pytest.mark.parametrize("quiet", [True, False])
def test_going_over_a_whole_campaign_finds_nothing_wrong_with_it(
    tmp_path: Path, *, quiet: bool
) -> None:
    janitor = janitor_of(tmp_path / "store", 300)
    if quiet:
        janitor.store.workers.delete_many({})
    found = janitor.clean(thorough=True)
    assert (found.repairs, found.suspects) == ([], 0)


def test_all_kinds_of_leftovers_are_found_in_one_round(tmp_path: Path) -> None:
    janitor = janitor_of(tmp_path / "store", 100)
    store = janitor.store
    store.workers.delete_many({})
    ready = [one["fw_id"] for one in store.fireworks.find({"state": "READY"}).limit(4)]
    store.fireworks.update_one({"fw_id": ready[0]}, {"$set": {"state": "RESERVED"}})
    store.workflows.update_one({"nodes": ready[1]}, {"$set": {"locked": True}})
    store.workflows.delete_one({"nodes": ready[2]})
    store.fireworks.delete_one({"fw_id": ready[3]})
    launch = store.launches.find_one({"state": "COMPLETED"})
    stray = {**launch, "_id": 10**9, "launch_id": 10**9, "state": "RUNNING"}
    store.launches.insert_one({**stray, "fworker": {"name": "somebody"}})
    done = store.candidates.find_one({"stages.relax.state": "ok", "stages.relax.cached": False})
    undone = {"$set": {"stages.relax.state": "running"}}
    store.candidates.update_one({"_id": done["_id"]}, undone)
    reasons = {one.reason for one in janitor.clean().records}
    assert {
        "reserved without a launch",
        "its lock was left behind",
        "belongs to no workflow",
        f"fireworks [{ready[3]}] were never inserted",
        "belongs to no firework",
        "is COMPLETED, and relax is running in the ledger",
    } <= reasons
    janitor.clean(thorough=True)  # what is left of a workflow that was half inserted
    assert janitor.clean(thorough=True).repairs == []
