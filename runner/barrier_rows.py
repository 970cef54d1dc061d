"""Analyses over all members of a campaign, who are shown to them some at a time.

What an analysis gathers is in memory only while it is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from fireworks_ext import ledger
from fireworks_ext.store import Store
from runner.analysis_rows import Barrier, Methods, computed, methods_mixed
from runner.analysis_stage import AnalysisStage
from runner.compilation import Compiler
from runner.snapshot import stages_in
from runner.stages import AnyStage
from schemas.ledger import CandidateRecord, StageEntry, StageState
from schemas.protocols import Gathered

MEMBERS = 200
"""Members that are held in memory at a time."""
Members = Callable[[], Iterator[Sequence[CandidateRecord]]]
"""The members of a campaign, some at a time; they are gone over more than once."""
MOVING = [one.value for one in StageState if not one.settled]


def settled_barriers(compiler: Compiler, members: Members) -> list[Barrier]:
    """Return the analyses of a campaign, shown to all members, in the order of stages.

    Where all that one gathers has ended its rows are computed and stored, before anything refers
    to them, so a kill leaves nothing that is half true.
    """
    done: list[Barrier] = []
    for stage in compiler.loaded.barriers:
        barrier = Barrier.of(stage, compiler.loaded.stages)
        for some in members():
            for member, entries in compiler.compile(some, done).entries():
                barrier.show(member.id, member.formula, entries)
        if barrier.is_closed and barrier.members:
            barrier.failed = barrier.failed_before() or _failure(compiler, members, barrier, done)
        barrier.forget()
        done.append(barrier)
    return done


def _failure(
    compiler: Compiler, members: Members, barrier: Barrier, done: Sequence[Barrier]
) -> StageEntry | None:
    """Compute and store the rows that are not there; return where all stand if there can be none.

    `done` are the analyses before it.
    """
    store, campaign = compiler.store, compiler.campaign
    if _are_there(store, campaign, barrier):
        return None
    methods = Methods()
    gathered: list[Gathered] = []
    for some in members():
        compilation = compiler.compile(some, done)
        for member, orders in zip(some, compilation.orders, strict=True):
            result = compilation.known.get(orders[barrier.stage.of].key)
            if result is None or member.id not in barrier.members:
                continue
            methods.add(orders[barrier.stage.of])
            gathered.append(Gathered(member.id, member.formula, member.structure, result.values))
    if failure := methods_mixed(barrier, methods):
        return StageEntry(
            key="",
            state=StageState.FAILED,
            failure=failure.name.value,
            reason=failure.message,
        )
    rows = computed(barrier, campaign, gathered)
    while batch := list(islice(rows, MEMBERS)):
        ledger.store_results(store, batch)
    return None


def _are_there(store: Store, campaign: str, barrier: Barrier) -> bool:
    """Tell whether all rows of an analysis were computed before."""
    keys = iter(barrier.keys.values())
    while some := set(islice(keys, MEMBERS)):
        if len(ledger.find_results(store, some, campaign)) < len(some):
            return False
    return True


def barriers_due(store: Store, campaign: str, stages: Sequence[AnyStage]) -> bool:
    """Tell whether rows of an analysis in the ledger are not what they should be by now."""
    barriers = [stage for stage in stages if isinstance(stage, AnalysisStage)]
    return any(_is_due(store, campaign, stage, stages) for stage in barriers)


def _is_due(store: Store, campaign: str, stage: AnalysisStage, stages: Sequence[AnyStage]) -> bool:
    moving = {"campaign": campaign, "member": True, f"stages.{stage.of}.state": {"$in": MOVING}}
    if store.candidates.find_one(moving, {"_id": 1}):
        return False
    barrier = Barrier.of(stage, stages)
    wanted = {"id": 1, "formula": 1, "row": 1, "stages": 1}
    for page in member_pages(store, campaign, wanted):
        for one in page:
            barrier.show(one["id"], one["formula"], stages_in(one))
        if barrier.moving:
            return False
    barrier.forget()
    return any(
        barrier.is_due(stages_in(one))
        for page in member_pages(store, campaign, wanted)
        for one in page
    )


def member_pages(
    store: Store, campaign: str, wanted: Mapping[str, int] | None = None
) -> Iterator[list[dict[str, Any]]]:
    """Yield the documents of all members in the order of their enumeration, some at a time.

    Each page is a question of its own: no cursor is open for as long as a page is worked on.
    """
    last = -1
    ties: list[str] = []
    while True:
        query = {
            "campaign": campaign,
            "row": {"$gte": last},
            "member": True,
            "_id": {"$nin": ties},
        }
        page = list(store.candidates.find(query, wanted).sort("row", 1).limit(MEMBERS))
        if not page:
            return
        ties = [*(ties if page[-1]["row"] == last else ()), *_at(page, page[-1]["row"])]
        last = page[-1]["row"]
        yield page


def _at(page: Sequence[Mapping[str, Any]], row: int) -> list[str]:
    return [one["_id"] for one in page if one["row"] == row]
