"""Compiling: the same campaign gives the same documents, and only what is missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runner.compile import Compiled, compile_member
from schemas.ledger import StageEntry, StageState
from schemas.resources import Resources
from schemas.work import StageOrder

GOLDEN = Path(__file__).parents[1] / "golden"
SPEC = """
version: 1
campaign: golden
project: pinned
seed: 1
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg, Ca], X: [S]}
stages:
  relax: {engine: toy, task: relax, protocol: fast, on_unrepaired: hold}
  gap: {engine: toy, task: scf, structure: relax, resources: {walltime_min: 7}}
  more: {engine: toy, task: scf, structure: relax, x: 2.0,
         when: gap.value > 0 and n_atoms < 10, protected: [x]}
"""


def canonical(store: Any) -> str:
    """Return a store's workflows and fireworks as canonical JSON, without times."""
    documents = {
        "fireworks": [_plain(one) for one in store.fireworks.find({})],
        "workflows": [_plain(one) for one in store.workflows.find({})],
        "stages": {one["formula"]: one["stages"] for one in store.candidates.find({})},
    }
    return json.dumps(documents, sort_keys=True, indent=1) + "\n"


def _plain(document: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in document.items() if k not in {"_id", "created_on", "updated_on"}}


def test_a_small_campaign_compiles_to_what_it_always_did(bench: Any) -> None:
    run = bench.prepare(SPEC)
    assert canonical(run.store) == (GOLDEN / "workflows.json").read_text()


BARRIER = """
version: 1
campaign: golden
project: pinned
space:
  - {kind: prototype, prototype: fcc, species: {A: [Mg, Al]}, lattice_ang: 4.2}
stages:
  relax: {engine: toy, task: relax, protocol: fast}
  hull: {analysis: hull, over: campaign, of: relax, energy: value}
  gap: {engine: toy, task: scf, structure: relax, when: hull.on_hull}
  more: {engine: toy, task: scf, structure: relax, charge_density: gap}
"""


def test_what_waits_for_an_analysis_compiles_to_what_it_always_did(bench: Any) -> None:
    run = bench.prepare(BARRIER)
    pages = {"before": json.loads(canonical(run.store))}
    bench.work_off(run)
    assert run.advance()
    pages["after"] = json.loads(_without_launches(canonical(run.store)))
    text = json.dumps(pages, sort_keys=True, indent=1) + "\n"
    assert text == (GOLDEN / "barrier_workflows.json").read_text()


def _without_launches(text: str) -> str:
    """Return the documents but for those of calculations that have run, which hold times."""
    documents = json.loads(text)
    new = [one for one in documents["fireworks"] if not one["launches"]]
    ids = {one["fw_id"] for one in new}
    documents["fireworks"] = new
    documents["workflows"] = [one for one in documents["workflows"] if ids & set(one["nodes"])]
    return json.dumps(documents)


def order(stage: str, *reads: str, **changes: Any) -> StageOrder:
    return StageOrder(
        campaign="c",
        candidate="id",
        formula="MgS",
        stage=stage,
        key=f"key-{stage}",
        engine="toy",
        task="scf",
        params={},
        resources=Resources(),
        reads={name: f"key-{name}" for name in reads},
        **changes,
    )


def entry(stage: str, state: StageState, fw_id: int | None) -> StageEntry:
    return StageEntry(key=f"key-{stage}", fw_id=fw_id, state=state)


def compiled(
    orders: list[StageOrder],
    before: dict[str, StageEntry] | None = None,
    fireworks: dict[int, str] | None = None,
) -> Compiled:
    return compile_member(
        {one.stage: one for one in orders},
        before or {},
        columns={},
        known={},
        fireworks=fireworks or {},
    )


CHAIN = [order("a"), order("b", "a")]


def states(result: Compiled) -> dict[str, StageState]:
    return {name: one.state for name, one in result.entries.items()}


def test_a_new_member_gets_all_its_stages() -> None:
    result = compiled(CHAIN)
    assert list(result.new) == ["a", "b"]
    assert states(result) == {"a": StageState.READY, "b": StageState.WAITING}
    assert result.retire == ()


def test_stages_whose_fireworks_were_never_inserted_are_new_again() -> None:
    before = {"a": entry("a", StageState.READY, 1), "b": entry("b", StageState.WAITING, 2)}
    assert list(compiled(CHAIN, before).new) == ["a", "b"]
    assert list(compiled(CHAIN, before, {1: "READY"}).new) == ["b"]


@pytest.mark.parametrize("state", ["FIZZLED", "PAUSED", "DEFUSED", "RUNNING"])
def test_a_failure_stands_while_nobody_has_sent_it_on_its_way(state: str) -> None:
    before = {"a": entry("a", StageState.FAILED, 1), "b": entry("b", StageState.BLOCKED, 2)}
    result = compiled(CHAIN, before, {1: state, 2: "WAITING"})
    assert states(result) == {"a": StageState.FAILED, "b": StageState.BLOCKED}
    assert not result.new


@pytest.mark.parametrize("state", ["READY", "RESERVED"])
@pytest.mark.parametrize("given_up", [StageState.FAILED, StageState.HELD])
def test_a_failure_that_was_sent_on_its_way_is_wanted_again(
    state: str, given_up: StageState
) -> None:
    before = {"a": entry("a", given_up, 1), "b": entry("b", StageState.BLOCKED, 2)}
    result = compiled(CHAIN, before, {1: state, 2: "WAITING"})
    assert states(result) == {"a": StageState.READY, "b": StageState.WAITING}
    assert not result.new


def test_below_a_dropped_failure_stages_are_skipped_and_taken_away() -> None:
    chain = [order("a", on_unrepaired="drop"), order("b", "a")]
    before = {"a": entry("a", StageState.FAILED, 1), "b": entry("b", StageState.WAITING, 2)}
    result = compiled(chain, before, {1: "COMPLETED", 2: "WAITING"})
    assert result.entries["b"].state is StageState.SKIPPED
    assert result.entries["b"].reason == "a failed"
    assert result.entries["b"].fw_id is None
    assert result.retire == (2,)


def test_a_vanished_stage_is_taken_away() -> None:
    before = {"a": entry("a", StageState.READY, 1), "b": entry("b", StageState.WAITING, 2)}
    result = compiled(CHAIN[:1], before, {1: "READY", 2: "WAITING"})
    assert result.retire == (2,)
    assert list(result.entries) == ["a"]


def test_a_stage_with_another_key_gets_another_firework() -> None:
    before = {"a": StageEntry(key="old", fw_id=1, state=StageState.RUNNING)}
    result = compiled(CHAIN[:1], before, {1: "RUNNING"})
    assert list(result.new) == ["a"]
    assert result.retire == (1,)  # a running one does not let itself be claimed
