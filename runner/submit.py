"""From compiled members to documents in the store: in bulk, and again without harm after a kill.

Order of writes: the members' records with the ids of their fireworks, then workflows, then
fireworks. Whatever a kill leaves out has an id in the record and no firework, and the next run
compiles it again. Workers may be at work meanwhile: what they wrote about a stage since it was
compiled stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from fireworks import Firework, Workflow
from pymongo import UpdateOne

from fireworks_ext import ledger, removal
from fireworks_ext.store import Store
from fireworks_ext.tasks import RunStage
from runner.compile import Compiled
from schemas.ledger import CandidateRecord, StageEntry
from schemas.work import StageOrder

CHUNK = 500
"""Members per bulk write."""


@dataclass(frozen=True)
class Submission:
    """A member and what to do for it."""

    record: CandidateRecord
    compiled: Compiled
    before: Mapping[str, StageEntry] | None = None
    """Its stages as they were compiled against; None for a new member."""


@dataclass
class Counts:
    """What a submission wrote."""

    workflows: int = 0
    fireworks: int = 0
    retired: int = 0
    amended: int = 0


def submit(
    store: Store,
    submissions: Sequence[Submission],
    *,
    project: str,
    by: str,
    orphans: Iterable[int] = (),
) -> Counts:
    """Write members and fireworks, take away what is not wanted, change what is not started.

    `orphans` are fireworks of candidates that are no members any more.
    """
    counts = Counts()
    retire = sorted({*orphans, *(one for item in submissions for one in item.compiled.retire)})
    counts.retired = len(removal.retire(store, retire, by=by))
    for start in range(0, len(submissions), CHUNK):
        _write(store, submissions[start : start + CHUNK], project, counts)
    amendments = (
        _amendment(fw_id, order)
        for item in submissions
        for fw_id, order in item.compiled.amend.items()
    )
    while some := list(islice(amendments, CHUNK)):
        counts.amended += int(store.fireworks.bulk_write(some).modified_count)
    return counts


def _write(store: Store, chunk: Sequence[Submission], project: str, counts: Counts) -> None:
    wanted = sum(len(item.compiled.new) for item in chunk)
    next_id = store.launchpad.get_new_fw_id(quantity=wanted) if wanted else 0
    members, workflows, fireworks = [], [], []
    for item in chunk:
        ids = {}
        for name in item.compiled.new:
            ids[name] = next_id
            next_id += 1
        if ids:
            workflow = _workflow(item, ids, project)
            workflows.append(workflow.to_db_dict())
            fireworks += [one.to_db_dict() for one in workflow.fws]
        members += list(_member(item, ids))
    store.candidates.bulk_write(members)
    if workflows:
        store.workflows.insert_many(workflows)
        store.fireworks.insert_many(fireworks)
    counts.workflows += len(workflows)
    counts.fireworks += len(fireworks)


def _member(item: Submission, ids: Mapping[str, int]) -> Iterator[UpdateOne]:
    """Yield the writes of a member: its record, and the stages that compiling changed."""
    entries = {
        name: entry.model_copy(update={"fw_id": ids[name]}) if name in ids else entry
        for name, entry in item.compiled.entries.items()
    }
    where = {"_id": ledger.candidate_key(item.record.campaign, item.record.id)}
    record = item.record.model_dump(mode="json", exclude={"stages"})
    new = {name: entry.model_dump(mode="json") for name, entry in entries.items()}
    yield UpdateOne(where, {"$set": record, "$setOnInsert": {"stages": new}}, upsert=True)
    if item.before is None:
        return
    for name, entry in entries.items():
        old = item.before.get(name)
        if old != entry:
            guard = _unmoved(name, old) if old and old.key == entry.key else {}
            yield UpdateOne({**where, **guard}, {"$set": {f"stages.{name}": new[name]}})
    for name in item.before.keys() - entries.keys():
        yield UpdateOne(where, {"$unset": {f"stages.{name}": ""}})


def _unmoved(name: str, old: StageEntry) -> dict[str, Any]:
    """Return a filter that refuses a stage about which a worker wrote since it was compiled."""
    return {
        f"stages.{name}.key": old.key,
        f"stages.{name}.state": old.state.value,
        f"stages.{name}.fw_id": old.fw_id,
    }


def _workflow(item: Submission, ids: Mapping[str, int], project: str) -> Workflow:
    """Return a member's new fireworks as one small workflow."""
    record, new = item.record, item.compiled.new
    fireworks = {name: _firework(order, ids[name], record.row) for name, order in new.items()}
    links = {
        fireworks[name]: [fireworks[child] for child, order in new.items() if name in order.reads]
        for name in new
    }
    for name, order in new.items():
        if not any(parent in new for parent in order.reads):
            fireworks[name].state = "READY"
    return Workflow(
        list(fireworks.values()),
        links,
        name=f"{record.campaign} {record.formula}",
        metadata={
            "campaign": record.campaign,
            "project": project,
            "candidate": record.id,
            "formula": record.formula,
        },
    )


def _firework(order: StageOrder, fw_id: int, row: int) -> Firework:
    return Firework(
        [RunStage()],
        spec={
            "campaign": order.campaign,
            "stage": order.stage,
            "key": order.key,
            "order": order.model_dump(mode="json"),
            # Candidates are worked off in the order of the enumeration.
            "_priority": -row,
            "_add_launchpad_and_fw_id": True,
        },
        name=f"{order.formula} {order.stage}",
        fw_id=fw_id,
    )


def _amendment(fw_id: int, order: StageOrder) -> UpdateOne:
    """Return the write that gives an unstarted firework its new order, of the same key."""
    new: dict[str, Any] = order.model_dump(mode="json")
    return UpdateOne(
        {
            "fw_id": fw_id,
            "state": {"$in": list(removal.UNSTARTED)},
            "spec.key": order.key,
            "spec.order": {"$ne": new},
        },
        {"$set": {"spec.order": new}},
    )
