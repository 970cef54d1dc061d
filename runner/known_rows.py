"""What a plan knows of analyses: their rows, where an earlier run has the results of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from fireworks_ext import ledger
from fireworks_ext.store import Store
from runner.analysis_rows import Barrier
from runner.compile import Wanted, with_rows
from runner.history import History
from runner.load import LoadedCampaign
from runner.orders import NOT_KNOWN
from runner.screening import Survivor
from schemas.ledger import StageEntry, StageState
from schemas.work import StageOrder

Orders = Mapping[str, StageOrder]


def with_known_rows(
    store: Store | None,
    loaded: LoadedCampaign,
    members: Sequence[Survivor],
    orders: Sequence[Orders],
    history: History,
) -> tuple[list[Wanted], History]:
    """Return the stages of members with their rows of analyses, and a history that knows them.

    A row is known where the results of all members are, and the analysis was computed from them.
    """
    ids = [member.candidate_id for member in members]
    waiting = StageEntry(key=NOT_KNOWN, state=StageState.WAITING)
    rows = {name: {stage.name: waiting for stage in loaded.barriers} for name in ids}
    for stage in loaded.barriers if store is not None else ():
        entries = {
            name: {one.stage: _entry(name, one, history) for one in mine.values()}
            for name, mine in zip(ids, orders, strict=True)
        }
        barrier = Barrier.of(stage, loaded.stages, entries, dict(zip(ids, ids, strict=True)))
        if store is None or not barrier.is_closed:
            continue
        keys = set(barrier.keys.values())
        there = ledger.find_results(store, keys, loaded.campaign.campaign)
        if len(there) == len(keys):
            history = replace(history, known={**history.known, **there})
            for name, mine in entries.items():
                rows[name][stage.name] = barrier.row(mine)
    wanted: list[Wanted] = [
        with_rows(loaded.stages, mine, rows[name]) for name, mine in zip(ids, orders, strict=True)
    ]
    return wanted, history


def _entry(candidate: str, order: StageOrder, history: History) -> StageEntry:
    """Return where a stage stands: its result is known, or what the last run wrote of its key."""
    result = history.known.get(order.key)
    if result is not None:
        return StageEntry(key=order.key, state=StageState.OK, deviation=result.deviation)
    old = history.entries.get(candidate, {}).get(order.stage)
    if old is not None and old.key == order.key and old.state.settled:
        return old
    return StageEntry(key=order.key, state=StageState.WAITING)
