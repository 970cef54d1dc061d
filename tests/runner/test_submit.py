"""Submitting beside workers that are at work, and after submissions that were torn."""

from __future__ import annotations

from typing import Any

from consistency import assert_consistent

from fireworks_ext import ledger
from runner.submit import Submission, submit
from schemas.ledger import CandidateRecord, StageEntry, StageState

SPEC = """
version: 1
campaign: submits
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg], X: [S]}
stages:
  relax: {engine: toy, task: relax}
  gap: {engine: toy, task: scf, structure: relax}
"""


def member(store: Any) -> CandidateRecord:
    return ledger.candidate_record(store.candidates.find_one({}))


def resubmit(store: Any, before: CandidateRecord, entries: dict[str, StageEntry]) -> None:
    from runner.compile import Compiled

    item = Submission(before, Compiled(entries), before.stages)
    submit(store, [item], project="", by="me")


def changed(entry: StageEntry, **changes: Any) -> StageEntry:
    return entry.model_copy(update=changes)


def test_what_a_worker_wrote_since_compiling_stays(bench: Any) -> None:
    run = bench.prepare(SPEC)
    before = member(run.store)
    entry = before.stages["relax"]
    where = {"$set": {"stages.relax.state": "ok"}}
    run.store.candidates.update_one({}, where)  # a worker, meanwhile
    resubmit(run.store, before, {**before.stages, "relax": changed(entry, reason="compiled")})
    assert member(run.store).stages["relax"].state is StageState.OK


def test_a_stage_with_a_new_key_replaces_what_a_worker_wrote_about_the_old_one(bench: Any) -> None:
    run = bench.prepare(SPEC)
    before = member(run.store)
    run.store.candidates.update_one({}, {"$set": {"stages.relax.state": "ok"}})
    new = StageEntry(key="new", state=StageState.READY)
    resubmit(run.store, before, {**before.stages, "relax": new})
    assert member(run.store).stages["relax"] == new


def test_vanished_and_added_stages_are_written(bench: Any) -> None:
    run = bench.prepare(SPEC)
    before = member(run.store)
    added = StageEntry(key="k", state=StageState.WAITING)
    resubmit(run.store, before, {"relax": before.stages["relax"], "late": added})
    assert member(run.store).stages == {"relax": before.stages["relax"], "late": added}


def test_a_torn_insertion_is_mended_and_completed(bench: Any) -> None:
    """A server may have stored some fireworks of a workflow when its client was killed."""
    run = bench.prepare(SPEC)
    run.store.fireworks.delete_one({"spec.stage": "gap"})
    again = bench.prepare(SPEC)
    bench.work_off(again)
    assert {entry.state for entry in member(again.store).stages.values()} == {StageState.OK}
    assert again.store.workflows.count_documents({}) == 2
    assert_consistent(again.store)


def test_an_unstarted_firework_that_no_stage_names_is_taken_away(bench: Any) -> None:
    """A worker that is stopped after an edit puts its stage back, though nobody wants it."""
    run = bench.prepare(SPEC)
    run.store.candidates.update_one({}, {"$unset": {"stages.gap": ""}})
    edited = "\n".join(line for line in SPEC.splitlines() if "gap:" not in line)
    again = bench.prepare(edited)
    assert again.store.fireworks.count_documents({"spec.stage": "gap"}) == 0
    assert_consistent(again.store)


def test_fireworks_of_a_removed_candidate_are_taken_away_once(bench: Any) -> None:
    bench.prepare(SPEC)
    edited = SPEC.replace("[Mg]", "[Ca]")
    run = bench.prepare(edited)
    assert run.store.fireworks.count_documents({"state": "ARCHIVED"}) == 2
    stamps = [one["updated_on"] for one in run.store.workflows.find({"state": "ARCHIVED"})]
    again = bench.prepare(edited)
    assert [
        one["updated_on"] for one in again.store.workflows.find({"state": "ARCHIVED"})
    ] == stamps
    back = bench.prepare(SPEC)
    bench.work_off(back)
    states = [one["state"] for one in back.store.fireworks.find({"name": "MgS relax"})]
    assert sorted(states) == ["ARCHIVED", "COMPLETED"]
    assert_consistent(back.store)
