"""A campaign larger than its window: members wait in the ledger, and the best of them go first."""

from __future__ import annotations

from typing import Any

import pytest
from consistency import assert_consistent
from sudden_death import die_at_every_write, in_child

from runner.window import live_fireworks

SPEC = """
version: 1
campaign: crowd
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg, Ca, Sr, Ba, Zn, Cd], X: [O, S, Se, Te, Po]}
stages:
  relax: {engine: toy, task: relax, fails_for: [Zn]}
  gap: {engine: toy, task: scf, structure: relax}
run: {window: 5}
"""
BEST_LAST = """filters:
  - {score: composition, keep: n_atoms == 2}
  - {top: 30, by: max_atomic_number, order: descending}
"""
STAGES = ("relax", "gap")


def pending(run: Any) -> list[dict[str, Any]]:
    return list(run.store.candidates.find({"campaign": "crowd", "pending": True}))


def members(run: Any) -> list[dict[str, Any]]:
    return list(run.store.candidates.find({"member": True}))


def states(run: Any, stage: str) -> dict[str, str]:
    return {one["formula"]: one["stages"][stage]["state"] for one in members(run)}


def test_only_as_many_fireworks_are_made_as_fit_and_all_get_done(bench: Any) -> None:
    run = bench.prepare(SPEC)
    assert run.store.fireworks.count_documents({}) == 6  # of three: a member is not cut in two
    assert len(pending(run)) == 27
    most, turns = 0, 0
    while True:
        most = max(most, live_fireworks(run.store, "crowd", STAGES))
        bench.work_off(run)
        if not run.advance():
            break
        turns += 1
    assert most == 6
    assert turns > 5
    assert not pending(run)
    assert_consistent(run.store)
    relaxed = states(run, "relax")
    assert {formula for formula, state in relaxed.items() if state == "failed"} == {
        f"Zn{x}" for x in ("O", "S", "Se", "Te", "Po")
    }
    assert sorted(states(run, "gap").values()) == ["blocked"] * 5 + ["ok"] * 25


def test_status_says_how_many_wait_and_counts_them_as_unsettled(bench: Any) -> None:
    run = bench.prepare(SPEC)
    status, _ = run.finish("settled")
    assert status.pending == 27
    assert status.unsettled == 60
    assert status.state == "drained"


def test_what_is_below_a_failure_takes_no_room(bench: Any) -> None:
    """Else five failures would fill this window for ever."""
    text = SPEC.replace("fails_for: [Zn]", "fails_for: [Mg, Ca]")
    run = bench.prepare(text)
    bench.work_off(run)
    assert run.store.fireworks.count_documents({"state": "WAITING"}) == 3
    assert live_fireworks(run.store, "crowd", STAGES) == 0
    status = bench.run(text)
    assert status.unsettled == 0
    assert status.pending == 0


def test_the_best_candidates_come_first_and_all_their_stages(bench: Any) -> None:
    run = bench.prepare(SPEC.replace("stages:", BEST_LAST + "stages:"))
    first = {one["spec"]["order"]["formula"] for one in run.store.fireworks.find({})}
    assert first == {"MgPo", "CaPo", "SrPo"}  # the largest atomic number, ties as enumerated
    ranks = {one["formula"]: one["priority"] for one in members(run)}
    assert sorted(ranks.values()) == list(range(-29, 1))
    assert ranks["MgPo"] == 0
    spec = {one["spec"]["_priority"] for one in run.store.fireworks.find({"name": "CaPo gap"})}
    assert spec == {ranks["CaPo"]}
    while run.advance():
        bench.work_off(run)
    attempts = run.store.attempts.find({"stage": "relax"}).sort("started_at", 1)
    order = [ranks[one["formula"]] for one in attempts]
    assert order == sorted(order, reverse=True)


def test_candidates_without_a_value_come_last(bench: Any) -> None:
    ranking = "filters:\n  - {score: tolerance-factor}\n  - {top: 9, by: tolerance_factor}\n"
    text = SPEC.replace("stages:", ranking.replace("}\nst", ", unknown: keep}\nst") + "stages:")
    text = text.replace("by: tolerance_factor}", "by: tolerance_factor, unknown: keep}")
    run = bench.prepare(text)
    values = {one["priority"]: one["columns"].get("tolerance_factor") for one in members(run)}
    ordered = [values[rank] for rank in sorted(values, reverse=True)]
    known = [value for value in ordered if value is not None]
    assert ordered == sorted(known) + [None] * (len(ordered) - len(known))


def test_a_run_that_was_interrupted_goes_on(bench: Any) -> None:
    bench.work_off(bench.prepare(SPEC))
    run = bench.prepare(SPEC)  # it knows nothing of the first
    assert len(pending(run)) == 24
    status = bench.run(SPEC)
    assert {stage.stage: (stage.ok, stage.failed, stage.blocked) for stage in status.stages} == {
        "relax": (25, 5, 0),
        "gap": (25, 0, 5),
    }
    assert status.pending == 0


def test_an_edit_reaches_what_is_pending(bench: Any) -> None:
    run = bench.prepare(SPEC)
    before = {one["formula"]: one["stages"]["gap"]["key"] for one in pending(run)}
    edited = SPEC.replace("task: scf,", "task: scf, x: 2.0,").replace("Te, Po]", "Te]")
    status = bench.run(edited)
    assert {stage.stage: stage.ok for stage in status.stages} == {"relax": 20, "gap": 20}
    assert not {one["formula"] for one in members(run) if one["formula"].endswith("Po")}
    gone = list(run.store.candidates.find({"member": False}))
    assert len(gone) == 6
    assert not any(one["pending"] for one in gone)
    after = {one["formula"]: one["stages"]["gap"]["key"] for one in members(run)}
    assert all(after[formula] != key for formula, key in before.items() if formula in after)
    assert ("MgPo", "relax") not in bench.computed
    assert_consistent(run.store)


def test_a_stage_that_vanishes_leaves_nothing_pending(bench: Any) -> None:
    bench.prepare(SPEC)
    edited = "\n".join(line for line in SPEC.splitlines() if "gap:" not in line)
    run = bench.prepare(edited)
    assert run.store.fireworks.count_documents({"spec.stage": "gap"}) == 0
    status = bench.run(edited)
    assert {stage.stage: stage.ok for stage in status.stages} == {"relax": 25}


def test_what_another_campaign_computed_meanwhile_is_not_computed_again(bench: Any) -> None:
    text = SPEC.replace("fails_for: [Zn]", "x: 1.0")
    run = bench.prepare(text)
    other = bench.prepare(text.replace("campaign: crowd", "campaign: other"))
    fireworks = run.store.fireworks.find({})
    priorities = [(one["spec"]["campaign"], one["spec"]["_priority"]) for one in fireworks]
    mine, others = ({rank for name, rank in priorities if name == c} for c in ("crowd", "other"))
    assert mine == others == {0, -1, -2}  # so that both are worked on in turn
    bench.work_off(other)
    while other.advance():
        bench.work_off(other)
    bench.work_off(run)
    assert run.advance()
    assert run.store.attempts.count_documents({"campaign": "crowd"}) == 0
    assert not pending(run)
    cached = [one["stages"]["gap"]["cached"] for one in members(run) if one["campaign"] == "crowd"]
    assert cached.count(True) == 30


def test_a_window_that_somebody_paused_does_not_hold_the_others(bench: Any) -> None:
    run = bench.prepare(SPEC)
    for one in list(run.store.fireworks.find({}, {"fw_id": 1})):
        run.store.launchpad.pause_fw(one["fw_id"])
    assert run.advance()
    bench.work_off(run)
    while run.advance():
        bench.work_off(run)
    assert not pending(run)
    assert list(states(run, "relax").values()).count("ok") == 22


def opened(bench: Any, text: str) -> Any:
    """Return a run that knows of pending members, and has done nothing yet."""
    from runner.controller import Run
    from runner.load import load
    from runner.place import place_of

    loaded = load(bench.write(text))
    run = Run(loaded, place_of(loaded, environ=bench.environ))
    run._enrolment.queue.waiting = True
    return run


@pytest.mark.slow  # 20 s each: a process for each write
@pytest.mark.parametrize("again", [False, True], ids=["topping up", "submitting again"])
def test_a_controller_killed_while_it_fills_the_window_is_continued(
    bench: Any, *, again: bool
) -> None:
    text = SPEC.replace("[Mg, Ca, Sr, Ba, Zn, Cd]", "[Mg]").replace("window: 5", "window: 4")
    bench.prepare(text.replace("campaign: crowd", "campaign: imports"))
    assert in_child(lambda: bench.work_off(bench.prepare(text)))

    def act() -> None:
        if again:
            bench.prepare(text)
        else:
            assert opened(bench, text).advance()

    def then() -> None:
        bench.run(text)
        run = opened(bench, text)
        mine = [one for one in members(run) if one["campaign"] == "crowd"]
        assert {one["stages"]["gap"]["state"] for one in mine} == {"ok"}
        assert not any(one["pending"] for one in mine)
        assert run.store.fireworks.count_documents({"spec.campaign": "crowd"}) == 10
        attempts = run.store.attempts.find({"campaign": "crowd"})
        assert sorted((one["formula"], one["stage"]) for one in attempts) == sorted(
            (one["formula"], stage) for one in mine for stage in STAGES
        )

    assert die_at_every_write(bench.folder / "data", act=act, then=then) > 3


def test_a_tick_reads_no_blocked_member_again_as_long_as_none_is_added(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fireworks_ext.store import open_store

    text = SPEC.replace("fails_for: [Zn]", "fails_for: [Mg, Ca, Sr]")
    run = bench.prepare(text)
    bench.work_off(run)
    window = run._enrolment.queue
    read: list[dict[str, Any]] = []
    candidates = type(open_store(run.store.location).candidates)
    count = candidates.count_documents

    def counted(self: Any, query: dict[str, Any], *rest: Any, **how: Any) -> int:
        if any(name.endswith(".fw_id") for name in query):
            read.append(query)
        return int(count(self, query, *rest, **how))

    monkeypatch.setattr(candidates, "count_documents", counted)
    assert window.room() == 5  # three are blocked, and take no room
    assert len(read) == 1  # of the one stage at which any are
    assert window.room() == 5
    assert len(read) == 1
    run.advance()
    bench.work_off(run)
    assert window.room() == 5
    assert len(read) == 2
