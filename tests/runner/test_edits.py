"""Edits of a campaign file compute again exactly what they change, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from fireworks_ext import removal

SPEC = """
version: 1
campaign: edits
seed: 3
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg, Ca], X: [S, Se]}
filters:
  - {score: charge-neutral, keep: charge_neutral}
  - {score: composition, keep: max_atomic_number <= 40}
stages:
  relax: {engine: toy, task: relax, x: 1.0}
  gap: {engine: toy, task: scf, structure: relax, when: relax.value > 260}
"""
ALL = ["CaS", "CaSe", "MgS", "MgSe"]
GAPS = ["CaSe", "MgS", "MgSe"]


def edited(*pairs: tuple[str, str]) -> str:
    text = SPEC
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text


def outcomes(status: Any) -> dict[str, tuple[int, int]]:
    return {stage.stage: (stage.ok, stage.skipped) for stage in status.stages}


@pytest.fixture
def ran(bench: Any) -> Any:
    status = bench.run(SPEC)
    assert bench.computed == sorted(
        [(one, "relax") for one in ALL] + [(one, "gap") for one in GAPS]
    )
    assert outcomes(status) == {"relax": (4, 0), "gap": (3, 1)}
    return bench


def test_running_again_computes_nothing(ran: Any) -> None:
    ran.run(SPEC)
    assert ran.computed == []


def test_a_comment_computes_nothing(ran: Any) -> None:
    status = ran.run(SPEC + "# a comment\n")
    assert ran.computed == []
    assert status.revision == 2


def test_a_lower_threshold_of_a_gate_computes_what_now_passes(ran: Any) -> None:
    status = ran.run(edited(("> 260", "> 200")))
    assert ran.computed == [("CaS", "gap")]
    assert outcomes(status)["gap"] == (4, 0)


def test_a_higher_threshold_of_a_gate_computes_nothing_and_skips(ran: Any) -> None:
    status = ran.run(edited(("> 260", "> 1000")))
    assert ran.computed == []
    assert outcomes(status)["gap"] == (0, 4)


def test_a_threshold_of_a_filter_takes_candidates_out_and_computes_nothing(ran: Any) -> None:
    status = ran.run(edited(("<= 40", "<= 20")))
    assert ran.computed == []
    assert status.survivors == 2
    assert outcomes(status) == {"relax": (2, 0), "gap": (1, 1)}


def test_a_protocol_computes_the_stage_and_all_below_again(ran: Any) -> None:
    status = ran.run(edited(("task: relax, x: 1.0", "task: relax, protocol: fast")))
    assert ran.computed == [(one, "relax") for one in ALL]
    assert outcomes(status)["gap"] == (0, 4)  # at half the value no gate opens


def test_a_cutoff_of_the_last_stage_computes_only_that_stage_again(ran: Any) -> None:
    ran.run(edited(("task: scf,", "task: scf, x: 3.0,")))
    assert ran.computed == [(one, "gap") for one in GAPS]


def test_an_added_stage_computes_only_that_stage(ran: Any) -> None:
    status = ran.run(SPEC + "  more: {engine: toy, task: scf, structure: relax, x: 5.0}\n")
    assert ran.computed == [(one, "more") for one in ALL]
    assert outcomes(status)["more"] == (4, 0)


def test_a_removed_stage_computes_nothing(ran: Any) -> None:
    lines = [line for line in SPEC.splitlines() if not line.startswith("  gap")]
    status = ran.run("\n".join(lines))
    assert ran.computed == []
    assert list(outcomes(status)) == ["relax"]


def test_a_renamed_stage_computes_nothing(ran: Any) -> None:
    status = ran.run(edited(("  gap:", "  band_gap:")))
    assert ran.computed == []
    assert outcomes(status)["band_gap"] == (3, 1)


def test_a_new_species_computes_only_its_candidates(ran: Any) -> None:
    ran.run(edited(("[S, Se]", "[S, Se, O]")))
    assert ran.computed == [("CaO", "relax"), ("MgO", "gap"), ("MgO", "relax")]


def test_another_launcher_computes_nothing(ran: Any) -> None:
    ran.run(SPEC + "run: {launcher: {kind: local, slots: 1}}\n")
    assert ran.computed == []


def test_resources_compute_nothing(ran: Any) -> None:
    ran.run(edited(("task: relax,", "task: relax, resources: {walltime_min: 3},")))
    assert ran.computed == []


def test_a_budget_computes_nothing(ran: Any) -> None:
    status = ran.run(SPEC + "budget: {core_hours: 3}\n")
    assert ran.computed == []
    assert status.core_hours_limit == 3


def test_an_unstarted_stage_that_vanishes_leaves_its_workflow_clean(bench: Any) -> None:
    """Fireworks that were not started are moved away; the others of the workflow finish."""
    run = bench.prepare(SPEC)
    lines = [line for line in SPEC.splitlines() if not line.startswith("  gap")]
    status = bench.run("\n".join(lines))
    assert bench.computed == [(one, "relax") for one in ALL]
    assert outcomes(status) == {"relax": (4, 0)}
    archived = list(run.store.archived_fireworks.find({}))
    assert {one["spec"]["stage"] for one in archived} == {"gap"}
    assert run.store.fireworks.count_documents({"spec.stage": "gap"}) == 0
    states = {one["state"] for one in run.store.workflows.find({})}
    assert states == {"COMPLETED"}


def test_resources_reach_fireworks_that_are_not_started(bench: Any) -> None:
    bench.prepare(SPEC)
    text = edited(("task: relax,", "task: relax, resources: {walltime_min: 3},"))
    run = bench.prepare(text)
    orders = [one["spec"]["order"] for one in run.store.fireworks.find({"spec.stage": "relax"})]
    assert {order["resources"]["walltime_min"] for order in orders} == {3.0}
    assert len(orders) == 4


def test_a_second_campaign_reuses_results_and_says_so(ran: Any) -> None:
    status = ran.run(edited(("campaign: edits", "campaign: other")))
    assert ran.computed == []
    assert [stage.cached for stage in status.stages] == [4, 3]


def test_taking_fireworks_out_of_workflows_leaves_no_lock(bench: Any) -> None:
    run = bench.prepare(SPEC)
    gaps = [one["fw_id"] for one in run.store.fireworks.find({"spec.stage": "gap"})]
    assert removal.retire(run.store, gaps, by="test") == gaps
    assert run.store.workflows.count_documents({"locked": {"$exists": True}}) == 0
