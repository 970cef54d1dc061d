"""Counts by index against a scan of all members, after random histories."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from filled_store import STAGES, Filling

from fireworks_ext.database.indexes import stage_index, stage_keys
from fireworks_ext.store import open_store
from runner.counting import Members
from runner.monitor import status
from schemas.candidate import REFERENCES
from schemas.ledger import StageState
from schemas.reports import Status

MEMBERS = 60
FAILURES = ("scf_not_converged", "out_of_memory", None)
BARRIERS = {"hull": {"of": "scf", "above": ["scf", "relax"]}}


@pytest.fixture
def store(tmp_path: Path) -> Any:
    opened = open_store(str(tmp_path / "store.db"))
    for name in ("mine", "mine-too"):
        Filling(opened, name, MEMBERS).fill()
    opened.campaigns.update_many({}, {"$set": {"barriers": BARRIERS}})
    return opened


def change(store: Any, chance: random.Random) -> None:
    """Do something to a member that workers, edits or persons do."""
    (member,) = chance.sample(list(store.candidates.find({}, {"stages": 1})), 1)
    stage = chance.choice(STAGES)
    state = chance.choice(list(StageState))
    changes: list[dict[str, Any]] = [
        {"$set": {"member": chance.random() < 0.5}},
        {"$set": {"generator": chance.choice([REFERENCES, "prototype"])}},
        {"$unset": {f"stages.{stage}": ""}},
        {"$set": {f"stages.{stage}.cached": True}},
        *5 * [{
            "$set": {
                f"stages.{stage}.state": state.value,
                f"stages.{stage}.cached": state is StageState.OK and chance.random() < 0.3,
                f"stages.{stage}.failure": chance.choice(FAILURES),
            }
        }],
    ]  # fmt: skip
    store.candidates.update_one({"_id": member["_id"]}, chance.choice(changes))


def scanned(store: Any, campaign: str) -> dict[str, Any]:
    """Return what the status should say, from all documents."""
    every = [one for one in store.candidates.find({"campaign": campaign}) if one["member"]]
    states: Counter[tuple[str, str]] = Counter()
    cached: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    for one in every:
        for stage, entry in one["stages"].items():
            if "state" not in entry:
                continue
            states[stage, entry["state"]] += 1
            cached[stage] += entry["state"] == "ok" and bool(entry.get("cached"))
            if entry["state"] == "failed" and entry.get("failure"):
                failures[entry["failure"]] += 1
    return {
        "states": {
            (stage, state.value): states[stage, state.value]
            for stage in STAGES
            for state in StageState
        },
        "cached": {stage: cached[stage] for stage in STAGES},
        "failures": dict(failures),
        "references": sum(one["generator"] == REFERENCES for one in every),
        "barrier": _barrier(every),
    }


def _barrier(every: list[dict[str, Any]]) -> tuple[int, list[str]] | None:
    def state(one: dict[str, Any], stage: str) -> str | None:
        return one["stages"].get(stage, {}).get("state")  # type: ignore[no-any-return]

    moving = sum(state(one, "scf") in {None, "waiting", "ready", "running"} for one in every)
    held = [
        one["formula"]
        for one in sorted(every, key=lambda one: one["row"])
        if state(one, "scf") in {"held", "blocked"}
        and "held" in {state(one, "scf"), state(one, "relax")}
    ]
    return (moving, held) if moving or held else None


def counted(found: Status) -> dict[str, Any]:
    barrier = found.barriers[0] if found.barriers else None
    return {
        "states": {
            (one.stage, state.value): getattr(one, state.value)
            for one in found.stages
            for state in StageState
        },
        "cached": {one.stage: one.cached for one in found.stages},
        "failures": found.failures,
        "references": found.references,
        "barrier": (barrier.waits_for, list(barrier.held_by)) if barrier else None,
    }


@pytest.mark.parametrize("seed", range(4))
def test_counts_are_those_of_a_full_scan_after_any_history(store: Any, seed: int) -> None:
    chance = random.Random(seed)
    for number in range(120):
        change(store, chance)
        if number % 10 == 0:
            for name in ("mine", "mine-too"):
                assert counted(status(store, name)) == scanned(store, name)


def test_a_closed_barrier_is_not_shown_and_a_held_one_names_who_holds_it(store: Any) -> None:
    ok = {f"stages.{stage}.state": "ok" for stage in STAGES}
    store.candidates.update_many({}, {"$set": ok})
    assert status(store, "mine").barriers == ()
    held = {"stages.relax.state": "held", "stages.scf.state": "blocked", "formula": "MgO"}
    store.candidates.update_one({"campaign": "mine", "row": 3}, {"$set": held})
    (barrier,) = status(store, "mine").barriers
    assert (barrier.stage, barrier.waits_for, barrier.held_by) == ("hull", 0, ("MgO",))


def test_no_count_reads_a_document_of_a_member_that_is_not_held(
    store: Any, monkeypatch: Any
) -> None:
    from fireworks_ext.embedded.collection import EmbeddedCollection

    read: list[str] = []
    found = EmbeddedCollection._found

    def noted(self: Any, search: Any, sort: Any, most: int) -> Any:
        for one in found(self, search, sort, most):
            read.append(self.name)
            yield one

    monkeypatch.setattr(EmbeddedCollection, "_found", noted)
    now = status(store, "mine")
    held = sum(stage.held for stage in now.stages if stage.stage in {"relax", "scf"})
    assert read.count("candidates") == held
    assert {"fireworks", "workflows", "launches", "results"}.isdisjoint(read)


def test_a_stage_that_starts_again_while_it_is_counted_is_not_overlooked(
    store: Any, monkeypatch: Any
) -> None:
    """From running to ready: neither was there when it was its turn to be counted."""
    everything = {f"stages.{stage}.state": "ok" for stage in STAGES}
    store.candidates.update_many({}, {"$set": everything})
    store.candidates.update_one(
        {"campaign": "mine", "row": 0}, {"$set": {"stages.relax.state": "running"}}
    )
    count = Members.count
    moved = []

    def moving(self: Any, wanted: Any = {}) -> int:  # noqa: B006  (never changed)
        if wanted.get("stages.relax.state") == "running" and not moved:
            moved.append(True)
            store.candidates.update_one(
                {"campaign": "mine", "row": 0}, {"$set": {"stages.relax.state": "ready"}}
            )
        return int(count(self, wanted))

    monkeypatch.setattr(Members, "count", moving)
    assert status(store, "mine").unsettled == 1


def test_the_index_of_a_stage_is_built_once(store: Any) -> None:
    from fireworks_ext.database.indexes import make_stage_indexes

    make_stage_indexes(store, STAGES)
    keys = [tuple(one["key"].items()) for one in store.candidates.list_indexes()]
    assert [keys.count(stage_keys(stage)) for stage in STAGES] == [1, 1, 1]


def test_the_name_of_a_stages_index_is_short_and_its_own() -> None:
    """By default it would hold the name of the stage three times."""
    long = ["relaxation_of_the_cell_with_a_very_dense_mesh_of_points" + end for end in "ab"]
    names = {stage_index(one) for one in [*STAGES, *long]}
    assert len(names) == len(STAGES) + 2
    assert max(len(f"candidates${one}") for one in names) <= 63
