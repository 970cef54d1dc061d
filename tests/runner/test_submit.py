"""Submitting beside workers that are at work, and after submissions that were torn."""

from __future__ import annotations

from typing import Any

import bson
import pytest
from consistency import assert_consistent
from fireworks import Firework, Workflow
from pymongo.errors import BulkWriteError

from fireworks_ext import ledger
from fireworks_ext.database.inserts import insert_new
from fireworks_ext.tasks import RunStage
from runner.campaign_document import machine
from runner.documents import Writer, entry_document, record_document
from runner.submit import Submission, submit
from schemas.ledger import CandidateRecord, StageEntry, StageState
from schemas.resources import Resources
from schemas.work import StageOrder

COLLECTIONS = ("candidates", "workflows", "fireworks")

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


RICH = """
version: 1
campaign: rich
project: sun
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg, Ca], X: [S]}
defaults:
  toy: {x: 2.0}
stages:
  relax: {engine: toy, task: relax, resources: {memory_gb: 2, walltime_min: 3}}
  gap: {engine: toy, task: scf, structure: relax, protected: [x], on_unrepaired: drop}
  dense: {engine: toy, task: scf, structure: relax, charge_density: gap, when: gap.value > 0}
  apart: {engine: toy, task: relax, retention: {scratch: keep}, checkpoint: {every_min: 5}}
"""


def compiled(run: Any) -> list[Submission]:
    from runner.compilation import Compiler

    records = [ledger.candidate_record(one) for one in run.store.candidates.find({})]
    run.store.candidates.delete_many({})
    compiler = Compiler(run.store, run.loaded, machine(run.place))
    return compiler.compile(records).submissions()


def stock(item: Submission, ids: dict[str, int]) -> Workflow:
    """Return the workflow of a member's new fireworks as FireWorks' own objects."""
    new = item.compiled.new
    fireworks = {
        name: Firework(
            [RunStage()],
            spec={
                "campaign": order.campaign,
                "stage": order.stage,
                "key": order.key,
                "order": order.model_dump(mode="json"),
                "_priority": item.record.priority,
                "_add_launchpad_and_fw_id": True,
            },
            name=f"{order.formula} {order.stage}",
            fw_id=ids[name],
            state="WAITING" if any(one in new for one in order.reads) else "READY",
        )
        for name, order in new.items()
    }
    links = {
        fireworks[name]: [fireworks[child] for child, order in new.items() if name in order.reads]
        for name in new
    }
    metadata = {
        "campaign": "rich",
        "project": "sun",
        "candidate": item.record.id,
        "formula": item.record.formula,
    }
    name = f"rich {item.record.formula}"
    return Workflow(list(fireworks.values()), links, name=name, metadata=metadata)


def stored(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document as a database gives it back, without `_id` and times."""
    document = bson.decode(bson.encode(document))
    kinds = {type(document.pop(name)) for name in ("created_on", "updated_on")}
    assert len(kinds) == 1
    document.pop("_id", None)
    if "nodes" in document:
        document["nodes"].sort()  # FireWorks gives them in no order
    return {**document, "kind of times": kinds.pop()}


def test_documents_are_those_that_fireworks_and_pydantic_make(bench: Any) -> None:
    run = bench.prepare(RICH)
    items = compiled(run)
    assert {len(item.compiled.new) for item in items} == {4}
    for item in items:
        workflow, fireworks = Writer("sun").fireworks(item.record, item.compiled.new, 7)
        ids = dict(zip(item.compiled.new, range(7, 11), strict=True))
        theirs = stock(item, ids)
        assert stored(workflow) == stored(theirs.to_db_dict())
        by_id = {one["fw_id"]: stored(one) for one in fireworks}
        assert by_id == {one.fw_id: stored(one.to_db_dict()) for one in theirs.fws}
        assert [one["_id"] for one in (workflow, *fireworks)] == [7, 7, 8, 9, 10]
        record = record_document(item.record, pending=False)
        plain = item.record.model_dump(mode="json", exclude={"stages"})
        structure = item.record.structure.flat()
        assert bson.decode(bson.encode(record)) == {**plain, "structure": structure}
        for entry in item.compiled.entries.values():
            changed = entry.model_copy(update={"fw_id": 3})
            assert entry_document(entry, 3) == changed.model_dump(mode="json")


def test_orders_of_one_stage_that_differ_in_what_they_share_mostly_are_kept_apart() -> None:
    common = {"campaign": "c", "candidate": "x", "formula": "MgS", "stage": "s", "key": "k"}
    common |= {"engine": "toy", "task": "scf", "params": {"a": [1]}}
    writer = Writer("")
    for when in (None, "a > 1", None):
        order = StageOrder(**common, resources=Resources(walltime_min=1.0), when=when)
        dumped = order.model_dump(mode="json")
        assert writer.order(order) == dumped
        assert list(writer.order(order)) == list(dumped)


def test_fireworks_own_objects_load_what_was_submitted(bench: Any) -> None:
    run = bench.prepare(RICH)
    launchpad = run.store.launchpad
    ids = launchpad.get_fw_ids({"spec.campaign": "rich"})
    assert len(ids) == 8
    for one in ids:
        firework = launchpad.get_fw_by_id(one)
        assert firework.tasks[0].fw_name == "{{fireworks_ext.tasks.RunStage}}"
        assert one in launchpad.get_wf_by_fw_id(one).links


def test_documents_that_are_sent_twice_are_stored_once(bench: Any) -> None:
    run = bench.prepare(RICH)
    everything = [list(getattr(run.store, name).find({})) for name in COLLECTIONS]
    for name, documents in zip(COLLECTIONS, everything, strict=True):
        run.store.fireworks.delete_one({"spec.stage": "gap"})
        insert_new(getattr(run.store, name), documents)
    after = [list(getattr(run.store, name).find({})) for name in COLLECTIONS]
    assert [len(documents) for documents in after] == [2, 2, 8]


def test_an_insertion_that_fails_for_another_reason_is_not_taken_for_a_repeat(bench: Any) -> None:
    run = bench.prepare(RICH)
    (one, *_) = run.store.fireworks.find({})
    error = {"index": 0, "code": 8000, "errmsg": "no room", "op": one}

    class Full:
        def insert_many(self, *_: Any, **__: Any) -> None:
            raise BulkWriteError({"writeErrors": [error], "writeConcernErrors": []})

    with pytest.raises(BulkWriteError):
        insert_new(Full(), [one])


def test_a_kill_in_the_middle_of_a_chunk_leaves_no_orphan_and_no_duplicate(bench: Any) -> None:
    """A server may have stored any part of each collection's documents."""
    run = bench.prepare(RICH)
    for name, kept in (("workflows", "CaS"), ("fireworks", "CaS")):
        field = "metadata.formula" if name == "workflows" else "spec.order.formula"
        getattr(run.store, name).delete_many({field: {"$ne": kept}})
    run.store.fireworks.delete_one({"name": "CaS dense"})
    status = bench.run(RICH)
    assert {stage.ok for stage in status.stages} == {2}
    assert_consistent(run.store)
    assert run.store.fireworks.count_documents({}) == 8
