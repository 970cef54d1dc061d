"""From compiled members to documents in the store: in bulk, and again without harm after a kill.

Order of writes: the members' records with the ids of their fireworks, then workflows, then
fireworks. Whatever a kill leaves out has an id in the record and no firework, and the next run
compiles it again. Workers may be at work meanwhile: what they wrote about a stage since it was
compiled stays. Every document has an `_id` of its own from the start, so what is sent again because
an answer was lost is stored once.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from math import inf
from typing import Any

from pymongo import UpdateOne

from fireworks_ext import ledger, removal
from fireworks_ext.database.inserts import insert_new
from fireworks_ext.store import Store
from runner.compile import Compiled
from runner.documents import Document, Writer, entry_document, record_document
from schemas.ledger import CandidateRecord, StageEntry
from schemas.work import StageOrder

CHUNK = 200
"""Members per bulk write."""


@dataclass(frozen=True)
class Submission:
    """A member and what to do for it."""

    record: CandidateRecord
    compiled: Compiled
    before: Mapping[str, StageEntry] | None = None
    """Its stages as they were compiled against; None for a new member."""
    stored: Mapping[str, Any] | None = None
    """Its document as it was read, where that is known."""


@dataclass
class Counts:
    """What a submission wrote."""

    workflows: int = 0
    fireworks: int = 0
    retired: int = 0
    amended: int = 0
    pending: int = 0
    """Members that wait for room."""
    admitted: int = 0
    """Members that no longer wait for it."""

    def add(self, other: Counts) -> None:
        """Count what another submission wrote too."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


def submit(
    store: Store,
    submissions: Sequence[Submission],
    *,
    project: str,
    by: str,
    room: float = inf,
) -> Counts:
    """Write members and fireworks, take away what is not wanted, change what is not started.

    Fireworks are made for members in turn as long as there is `room` for so many; the members
    after those are `pending`: they stand in the ledger with their stages, which have no fireworks.
    """
    counts = Counts()
    retire = sorted({one for item in submissions for one in item.compiled.retire})
    counts.retired = len(removal.retire(store, retire, by=by))
    writer = Writer(project)
    for start in range(0, len(submissions), CHUNK):
        chunk = _Chunk(submissions[start : start + CHUNK], room - counts.fireworks)
        with without_collector():
            counts.add(chunk.write(store, writer))
    amendments = (
        _amendment(fw_id, order, item.record.priority, writer)
        for item in submissions
        for fw_id, order in item.compiled.amend.items()
    )
    while some := list(islice(amendments, CHUNK)):
        counts.amended += int(store.fireworks.bulk_write(some, ordered=False).modified_count)
    return counts


@contextmanager
def without_collector() -> Iterator[None]:
    """Keep Python from looking for cycles among documents, which have none.

    They are many and alive at the same time, which is what the collector is slow at.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


@dataclass
class _Chunk:
    """Some members that are written together."""

    items: Sequence[Submission]
    room: float
    new: list[Document] = field(default_factory=list)
    changes: list[UpdateOne] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)

    def write(self, store: Store, writer: Writer) -> Counts:
        """Write the chunk; return how much that was."""
        chosen = self._chosen()
        wanted = sum(len(self.items[place].compiled.new) for place in chosen)
        next_id = store.launchpad.get_new_fw_id(quantity=wanted) if wanted else 0
        counts = Counts()
        workflows: list[Document] = []
        fireworks: list[Document] = []
        for place, item in enumerate(self.items):
            new = item.compiled.new
            ids: dict[str, int] = {}
            if place in chosen:
                ids = dict(zip(new, range(next_id, next_id + len(new)), strict=True))
                workflow, mine = writer.fireworks(item.record, new, next_id)
                next_id += len(new)
                workflows.append(workflow)
                fireworks += mine
            pending = bool(new) and not ids
            counts.pending += pending
            self._add(item, ids, pending=pending)
        self._write_members(store)
        if workflows:
            insert_new(store.workflows, workflows)
            insert_new(store.fireworks, fireworks)
        counts.workflows, counts.fireworks = len(workflows), len(fireworks)
        return counts

    def _chosen(self) -> set[int]:
        """Return the places of the members that get their fireworks now."""
        chosen, room = set(), self.room
        for place, item in enumerate(self.items):
            if item.compiled.new and room > 0:
                room -= len(item.compiled.new)
                chosen.add(place)
        return chosen

    def _add(self, item: Submission, ids: Mapping[str, int], *, pending: bool) -> None:
        record = record_document(item.record, pending=pending)
        name = ledger.candidate_key(item.record.campaign, item.record.id)
        entries = {
            stage: entry_document(entry, ids.get(stage, entry.fw_id))
            for stage, entry in item.compiled.entries.items()
        }
        if item.before is None:
            record["_id"], record["stages"] = name, entries
            self.new.append(record)
            return
        changed = [
            stage
            for stage, entry in item.compiled.entries.items()
            if stage in ids or item.before.get(stage) != entry
        ]
        gone = item.before.keys() - entries.keys()
        if item.stored is not None and _is_same(item.stored, record):
            self.unchanged.append(name)
        else:
            self.changes.append(UpdateOne({"_id": name}, {"$set": record}))
        if gone:
            self.changes.append(
                UpdateOne({"_id": name}, {"$unset": {f"stages.{one}": "" for one in gone}})
            )
        self._change_stages(item, item.before, name, {one: entries[one] for one in changed})

    def _change_stages(
        self,
        item: Submission,
        before: Mapping[str, StageEntry],
        name: str,
        changed: Mapping[str, Document],
    ) -> None:
        """Add the writes of stages that compiling changed, unless a worker wrote about them."""
        if changed and not any(entry.fw_id for entry in before.values()):
            # No worker knows of the member yet.
            news = {f"stages.{stage}": entry for stage, entry in changed.items()}
            self.changes.append(UpdateOne({"_id": name}, {"$set": news}))
            return
        for stage, entry in changed.items():
            old = before.get(stage)
            same_key = old is not None and old.key == item.compiled.entries[stage].key
            guard = _unmoved(stage, old) if old is not None and same_key else {}
            self.changes.append(
                UpdateOne({"_id": name, **guard}, {"$set": {f"stages.{stage}": entry}})
            )

    def _write_members(self, store: Store) -> None:
        if self.new:
            insert_new(store.candidates, self.new)
        if self.unchanged:
            seen = self.items[0].record.seen
            store.candidates.update_many(
                {"_id": {"$in": self.unchanged}, "seen": {"$ne": seen}}, {"$set": {"seen": seen}}
            )
        if self.changes:
            store.candidates.bulk_write(self.changes, ordered=False)


def _is_same(stored: Mapping[str, Any], document: Document) -> bool:
    """Tell whether a member's document says already what it is to say, but for when it was seen."""
    return all(stored.get(name) == value for name, value in document.items() if name != "seen")


def _unmoved(name: str, old: StageEntry) -> dict[str, Any]:
    """Return a filter that refuses a stage about which a worker wrote since it was compiled."""
    return {
        f"stages.{name}.key": old.key,
        f"stages.{name}.state": old.state.value,
        f"stages.{name}.fw_id": old.fw_id,
    }


def _amendment(fw_id: int, order: StageOrder, priority: int, writer: Writer) -> UpdateOne:
    """Return the write that gives an unstarted firework its new order, of the same key."""
    new = writer.order(order)
    return UpdateOne(
        {
            "fw_id": fw_id,
            "state": {"$in": list(removal.UNSTARTED)},
            "spec.key": order.key,
            "$or": [{"spec.order": {"$ne": new}}, {"spec._priority": {"$ne": priority}}],
        },
        {"$set": {"spec.order": new, "spec._priority": priority}},
    )
