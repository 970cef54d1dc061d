"""An analysis over all candidates: computed once all have ended, and what it lets through."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from consistency import assert_consistent
from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
from pymatgen.core import Composition

from fireworks_ext.store import open_store
from runner.analysis_rows import Barrier
from runner.cases import Request
from runner.load import load
from runner.place import place_of
from runner.plan import plan
from runner.results import result_table
from runner.retry import retry
from schemas.ledger import StageEntry, StageState

SPEC = """
version: 1
campaign: barrier
space:
  - kind: prototype
    prototype: fcc
    species: {A: [Mg, Al]}
    lattice_ang: {Mg: 4.5, Al: 4.0}
  - kind: prototype
    prototype: cesium-chloride
    species: {A: [Mg], X: [Al]}
    lattice_ang: 3.3
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg], X: [Al]}
    lattice_ang: 5.0
stages:
  relax: {engine: toy, task: relax, x: -1.0}
  scf: {engine: toy, task: scf, structure: relax, x: -1.0}
  hull: {analysis: hull, over: campaign, of: scf, energy: value}
  bands: {engine: toy, task: scf, structure: relax, x: 3.0,
          when: hull.above_hull_ev_per_atom < 1.0}
"""
ALL = ("Al", "Mg", "MgAl", "MgAl")
BANDS = [("Al", "bands"), ("Mg", "bands"), ("MgAl", "bands")]


def edited(*pairs: tuple[str, str]) -> str:
    text = SPEC
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text


def with_scf(words: str) -> str:
    """Return the campaign with other params of the stage that is gathered."""
    return edited(("structure: relax, x: -1.0}", f"structure: relax, x: -1.0, {words}}}"))


def members(store: Any) -> list[dict[str, Any]]:
    found = store.candidates.find({"member": True})
    return sorted(found, key=lambda one: (one["formula"], one["row"]))


def states(store: Any, stage: str) -> list[tuple[str, str]]:
    return [(one["formula"], one["stages"][stage]["state"]) for one in members(store)]


def values(store: Any, stage: str) -> list[dict[str, Any]]:
    keys = [one["stages"][stage]["key"] for one in members(store)]
    return [store.results.find_one({"key": key})["values"] for key in keys]


def store_of(bench: Any) -> Any:
    return open_store(place_of(load(bench.folder / "spec.yaml"), environ=bench.environ).store)


def pymatgen_distances(store: Any) -> list[float]:
    """Return pymatgen's distances to the hull of what the stage `scf` found."""
    entries = [
        PDEntry(
            Composition("".join(one["structure"]["species"])),
            found["value"] * len(one["structure"]["species"]),
        )
        for one, found in zip(members(store), values(store, "scf"), strict=True)
    ]
    diagram = PhaseDiagram(entries)
    return [diagram.get_e_above_hull(entry) for entry in entries]


@pytest.fixture
def ran(bench: Any) -> Any:
    bench.status = bench.run(SPEC)
    return bench


def retried(bench: Any, *settings: str) -> None:
    retry(store_of(bench), "barrier", Request(settings=settings))


def row_keys(store: Any) -> dict[str, str]:
    return {one["id"]: one["stages"]["hull"]["key"] for one in members(store)}


def test_rows_are_computed_when_all_results_are_there_and_gates_read_them(ran: Any) -> None:
    store = store_of(ran)
    assert ran.computed == sorted(
        [(one, stage) for one in ALL for stage in ("relax", "scf")] + BANDS
    )
    rows = values(store, "hull")
    distances = [row["above_hull_ev_per_atom"] for row in rows]
    assert distances == pytest.approx(pymatgen_distances(store), abs=1e-9)
    assert [row["on_hull"] for row in rows] == [distance == 0 for distance in distances]
    computed = [one["stages"]["bands"]["state"] for one in members(store)]
    assert computed == ["ok" if distance < 1.0 else "skipped" for distance in distances]
    assert computed.count("skipped") == 1
    assert_consistent(store)


def test_what_waits_for_an_analysis_is_a_second_workflow_of_its_candidate(bench: Any) -> None:
    run = bench.prepare(SPEC)
    assert {one["spec"]["stage"] for one in run.store.fireworks.find({})} == {"relax", "scf"}
    assert not run.advance()
    bench.work_off(run)
    assert states(run.store, "hull") == [(one, "waiting") for one in ALL]
    assert run.advance()
    assert not run.advance()
    bands = list(run.store.fireworks.find({"spec.stage": "bands"}))
    assert {one["state"] for one in bands} == {"READY"}
    assert len(bands) == 3
    nodes = [one["nodes"] for one in run.store.workflows.find({})]
    assert sorted(map(len, nodes)) == [1, 1, 1, 2, 2, 2, 2]


def test_an_analysis_makes_no_attempt_and_costs_nothing(ran: Any) -> None:
    store = store_of(ran)
    assert store.attempts.count_documents({"stage": "hull"}) == 0
    assert store.fireworks.count_documents({"spec.stage": "hull"}) == 0


def test_running_again_computes_nothing(ran: Any) -> None:
    keys = row_keys(store_of(ran))
    results = store_of(ran).results.count_documents({})
    ran.run(SPEC + "# a comment\n")
    assert ran.computed == []
    assert row_keys(store_of(ran)) == keys
    assert store_of(ran).results.count_documents({}) == results


def test_an_edit_of_one_member_computes_that_and_the_analysis_and_nothing_else(ran: Any) -> None:
    keys = row_keys(store_of(ran))
    ran.run(edited(("Mg: 4.5", "Mg: 4.6")))
    assert ran.computed == [("Mg", "bands"), ("Mg", "relax"), ("Mg", "scf")]
    store = store_of(ran)
    assert not set(keys.values()) & set(row_keys(store).values())
    distances = [row["above_hull_ev_per_atom"] for row in values(store, "hull")]
    assert distances == pytest.approx(pymatgen_distances(store), abs=1e-9)
    assert_consistent(store)


def test_an_edit_of_a_stage_that_is_not_gathered_leaves_the_analysis_alone(ran: Any) -> None:
    keys = row_keys(store_of(ran))
    ran.run(edited(("x: 3.0", "x: 5.0")))
    assert ran.computed == BANDS
    assert row_keys(store_of(ran)) == keys


def test_another_threshold_computes_only_what_it_lets_through(ran: Any) -> None:
    ran.run(edited(("< 1.0", "< 1000")))
    assert ran.computed == [("MgAl", "bands")]
    ran.run(edited(("< 1.0", "< -1")))
    assert ran.computed == []
    assert {state for _, state in states(store_of(ran), "bands")} == {"skipped"}


def test_a_new_candidate_changes_the_rows_of_all(ran: Any) -> None:
    keys = row_keys(store_of(ran))
    ran.run(edited(("A: [Mg, Al]", "A: [Mg, Al, Ni]"), ("Al: 4.0}", "Al: 4.0, Ni: 3.5}")))
    assert ran.computed == [("Ni", "bands"), ("Ni", "relax"), ("Ni", "scf")]
    assert not set(keys.values()) & set(row_keys(store_of(ran)).values())


def test_a_candidate_that_goes_changes_the_rows_of_the_others(ran: Any) -> None:
    ran.run(edited(("A: [Mg, Al]", "A: [Mg]"), (", Al: 4.0}", "}")))
    assert ran.computed == []
    notes = [row.get("note") for row in values(store_of(ran), "hull")]
    missing = "unknown: no candidate of Al alone has a result to refer to"
    assert notes == [None, missing, missing]
    assert states(store_of(ran), "bands")[1:] == [("MgAl", "skipped")] * 2


def test_another_campaign_takes_the_rows_from_the_first(ran: Any) -> None:
    status = ran.run(edited(("campaign: barrier", "campaign: other")))
    assert ran.computed == []
    assert [stage.cached for stage in status.stages] == [4, 4, 4, 3]


def test_what_an_open_barrier_makes_doubtful_is_taken_away_before_it_starts(bench: Any) -> None:
    run = bench.prepare(SPEC)
    bench.work_off(run)
    assert run.advance()
    run = bench.prepare(edited(("Mg: 4.5", "Mg: 4.6")))
    bands = list(run.store.fireworks.find({"spec.stage": "bands"}))
    assert {one["state"] for one in bands} == {"ARCHIVED"}
    status = bench.run(edited(("Mg: 4.5", "Mg: 4.6")))
    assert [stage.ok for stage in status.stages] == [4, 4, 4, 3]
    assert_consistent(run.store)


def test_a_failed_member_is_left_out_and_its_own_row_is_blocked(bench: Any) -> None:
    text = with_scf("fails_for: [Al]")
    bench.run(text)
    store = store_of(bench)
    assert states(store, "hull") == [
        ("Al", "blocked"), ("Mg", "ok"), ("MgAl", "ok"), ("MgAl", "ok"),
    ]  # fmt: skip
    assert states(store, "bands")[0] == ("Al", "blocked")
    reasons = [one["stages"]["hull"]["reason"] for one in members(store)]
    assert reasons == ["scf is failed", None, None, None]
    assert values_of_rows(store)["Mg"]["above_hull_ev_per_atom"] == 0.0
    assert "Al alone" in values_of_rows(store)["MgAl"]["note"]
    retried(bench, "fails_for=[]")
    bench.run(text)
    assert bench.computed == [("Al", "bands"), ("Al", "scf"), ("MgAl", "bands")]
    distances = [row["above_hull_ev_per_atom"] for row in values(store, "hull")]
    assert distances == pytest.approx(pymatgen_distances(store), abs=1e-9)
    assert_consistent(store)


def values_of_rows(store: Any) -> dict[str, dict[str, Any]]:
    found = {one["formula"]: one["stages"]["hull"]["key"] for one in members(store)}
    rows = {name: store.results.find_one({"key": key}) for name, key in found.items() if key}
    return {name: row["values"] for name, row in rows.items()}


def test_a_dropped_member_is_left_out_and_its_own_row_is_skipped(bench: Any) -> None:
    bench.run(with_scf("fails_for: [Al], on_unrepaired: drop"))
    store = store_of(bench)
    assert states(store, "hull")[:2] == [("Al", "skipped"), ("Mg", "ok")]
    assert states(store, "bands")[0] == ("Al", "skipped")
    assert_consistent(store)


def test_a_held_member_holds_the_analysis_and_the_status_says_so(bench: Any) -> None:
    text = with_scf("fails_for: [Al], on_unrepaired: hold")
    status = bench.run(text)
    store = store_of(bench)
    assert {state for _, state in states(store, "hull")} == {"blocked"}
    assert {state for _, state in states(store, "bands")} == {"blocked"}
    (barrier,) = status.barriers
    assert (barrier.stage, barrier.of, barrier.waits_for, barrier.held_by) == (
        "hull", "scf", 0, ("Al",),
    )  # fmt: skip
    reasons = {one["stages"]["hull"]["reason"] for one in members(store)}
    assert reasons == {"scf is held", "scf of Al is held"}
    retried(bench, "fails_for=[]")
    status = bench.run(text)
    assert status.barriers == ()
    assert [stage.ok for stage in status.stages] == [4, 4, 4, 3]
    assert_consistent(store)


def test_results_of_different_methods_are_not_compared(bench: Any) -> None:
    text = with_scf("x_of: {Al: -2.0}")
    status = bench.run(text)
    store = store_of(bench)
    assert {state for _, state in states(store, "hull")} == {"failed"}
    (entry, *_) = (one["stages"]["hull"] for one in members(store))
    assert entry["failure"] == "methods_mixed"
    assert entry["reason"] == ("scf is not of one method: x -1.0 for Mg, MgAl, MgAl; x -2.0 for Al")
    assert status.failures == {"methods_mixed": 4}
    assert {state for _, state in states(store, "bands")} == {"blocked"}
    bench.run(text)
    assert bench.computed == []
    retried(bench)
    bench.run(text)
    assert {state for _, state in states(store, "hull")} == {"failed"}
    bench.run(SPEC)
    assert {state for _, state in states(store, "hull")} == {"ok"}
    assert bench.computed == sorted([("Al", "scf"), *BANDS])
    assert_consistent(store)


def test_an_analysis_may_follow_another(bench: Any) -> None:
    text = (
        SPEC
        + """  again: {analysis: hull, over: campaign, of: bands, energy: value}
  last: {engine: toy, task: scf, structure: relax, x: 9.0, when: again.on_hull}
"""
    )
    status = bench.run(text)
    assert [stage.ok for stage in status.stages[:5]] == [4, 4, 4, 3, 3]
    assert {stage for _, stage in bench.computed} == {"relax", "scf", "bands", "last"}
    assert status.unsettled == 0
    assert_consistent(store_of(bench))


def test_a_plan_counts_an_analysis_at_no_cost_and_knows_its_rows(ran: Any) -> None:
    def planned(text: str) -> dict[str, Any]:
        loaded = load(ran.write(text))
        found = plan(loaded, place_of(loaded, environ=ran.environ), store_of(ran))
        return {stage.stage: stage for stage in found.stages}

    before = planned(edited(("campaign: barrier", "campaign: new"), ("x: -1.0", "x: -7.0")))
    assert before["hull"].candidates.expected == 4
    assert before["hull"].core_hours.high == 0
    assert before["bands"].candidates.low < before["bands"].candidates.high
    after = planned(SPEC)
    assert (after["hull"].known, after["bands"].known) == (4, 3)
    assert after["bands"].candidates.high == 0


def test_rows_are_published_with_their_columns(ran: Any) -> None:
    table = result_table(store_of(ran), "barrier", "hull", full=True)
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert {row["engine"] for row in rows} == {"analysis"}
    assert {row["task"] for row in rows} == {"hull"}
    (stable,) = (row for row in rows if row["formula"] == "MgAl" and row["on_hull"])
    assert stable["decomposition"] == (
        f'[{{"candidate":"{stable["candidate_id"]}","formula":"MgAl","fraction":1.0}}]'
    )
    assert stable["core_hours"] == 0.0


REFERRING = """
version: 1
campaign: barrier
space:
  - {kind: prototype, prototype: cesium-chloride, species: {A: [Mg], X: [Al]}, lattice_ang: 3.3}
  - {kind: prototype, prototype: fcc, species: {A: [Al]}, lattice_ang: 4.0}
references: {elements: [Mg, Al, Ni]}
filters:
  - {score: composition, keep: n_elements > 1}
stages:
  relax: {engine: toy, task: relax, x: -1.0}
  scf: {engine: toy, task: scf, structure: relax, x: -1.0, when: max_atomic_number > 1}
  hull: {analysis: hull, over: campaign, of: scf, energy: value}
  bands: {engine: toy, task: scf, structure: relax, x: 3.0, when: hull.on_hull}
"""


def test_references_go_through_what_an_analysis_gathers_and_no_further(bench: Any) -> None:
    status = bench.run(REFERRING)
    assert bench.computed == [
        ("Al", "relax"), ("Al", "scf"), ("Mg", "relax"), ("Mg", "scf"),
        ("MgAl", "bands"), ("MgAl", "relax"), ("MgAl", "scf"),
    ]  # fmt: skip
    assert (status.survivors, status.references) == (1, 2)
    store = store_of(bench)
    assert states(store, "hull") == [("Al", "ok"), ("Mg", "ok"), ("MgAl", "ok")]
    distances = [row["above_hull_ev_per_atom"] for row in values(store, "hull")]
    assert distances == pytest.approx(pymatgen_distances(store), abs=1e-9)
    bench.run(REFERRING + "# again\n")
    assert bench.computed == []
    assert_consistent(store)


def test_a_plan_counts_references_where_they_are_computed(bench: Any) -> None:
    def planned(store: Any) -> dict[str, tuple[float, int]]:
        loaded = load(bench.write(REFERRING))
        found = plan(loaded, place_of(loaded, environ=bench.environ), store)
        assert found.survivors.expected == 1
        return {stage.stage: (stage.candidates.high, stage.known) for stage in found.stages}

    assert planned(None) == {"relax": (3, 0), "scf": (3, 0), "hull": (3, 0), "bands": (1, 0)}
    bench.run(REFERRING)
    assert planned(store_of(bench)) == {
        "relax": (0, 3), "scf": (0, 3), "hull": (0, 3), "bands": (0, 1),
    }  # fmt: skip


def deviate(store: Any, formula: str, deviation: str) -> None:
    """Make a result one that recovery reached with other physics."""
    (member,) = (one for one in members(store) if one["formula"] == formula)
    key = member["stages"]["scf"]["key"]
    result = store.results.find_one({"key": key})
    store.results.delete_one({"_id": result["_id"]})
    name = f"{key}:barrier:{deviation}"
    store.results.insert_one({**result, "_id": name, "deviation": deviation})
    store.candidates.update_one(
        {"_id": member["_id"]}, {"$set": {"stages.scf.deviation": deviation}}
    )


def test_a_deviation_serves_its_campaign_and_marks_rows_but_not_what_gates_let_through(
    bench: Any,
) -> None:
    run = bench.prepare(SPEC)
    bench.work_off(run)
    deviate(run.store, "Mg", "d" * 64)
    assert run.advance()
    bench.work_off(run)
    stages = [one["stages"] for one in members(run.store)]
    assert {one["hull"]["state"] for one in stages} == {"ok"}
    assert len({one["hull"]["deviation"] for one in stages}) == 1
    assert all(one["hull"]["deviation"] for one in stages)
    assert not any(one["bands"]["deviation"] for one in stages)
    distances = [row["above_hull_ev_per_atom"] for row in values(run.store, "hull")]
    assert distances == pytest.approx(pymatgen_distances(run.store), abs=1e-9)
    other = bench.run(edited(("campaign: barrier", "campaign: other")))
    # The deviation is not its own, and so neither are the rows.
    assert [stage.cached for stage in other.stages] == [4, 4, 0, 3]


def test_a_result_with_another_deviation_makes_another_barrier(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(SPEC)
    campaign = load(path)
    (hull,) = campaign.barriers
    keys = set()
    for deviation in ("", "a", "b"):
        entry = StageEntry(key="k", state=StageState.OK, deviation=deviation)
        barrier = Barrier.of(hull, campaign.stages, {"one": {"scf": entry}}, {"one": "MgAl"})
        keys |= set(barrier.keys.values())
    assert len(keys) == 3
