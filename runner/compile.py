"""From what a member of a campaign wants to fireworks: only what nobody has computed yet.

Pure and deterministic. `runner.orders` says what every stage is, by key; `compile_member` holds it
against what is known and against what the last run left, and says what to add, to change
and to take away. What waits for an analysis becomes fireworks when that is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from fireworks_ext.gates import decide
from runner.stages import AnyStage
from schemas.candidate import Candidate
from schemas.ledger import CandidateRecord, ResultRecord, StageEntry, StageState
from schemas.model import JsonValue
from schemas.work import StageOrder

UNSTARTED = frozenset({"WAITING", "READY", "PAUSED", "DEFUSED", "ARCHIVED"})
"""Firework states in which an order may still be changed or taken away."""


LIVE = UNSTARTED - {"ARCHIVED"} | {"RESERVED", "RUNNING"}
"""Firework states in which a firework will still run, perhaps after somebody resumes it."""


STARTED = frozenset({"RESERVED", "RUNNING"})
"""Firework states in which somebody works on it, or is about to."""


AGAIN = LIVE - {"PAUSED", "DEFUSED", "RUNNING"}
"""Firework states in which somebody has sent a failed or held stage on its way again.

One that is RUNNING still is about to end, or its worker writes into the ledger what it does.
"""


Wanted: TypeAlias = Mapping[str, StageOrder | StageEntry]
"""The stages of a candidate, parents first: orders, and where its rows of analyses stand."""


@dataclass(frozen=True)
class Compiled:
    """What one member needs."""

    entries: dict[str, StageEntry]
    new: dict[str, StageOrder] = field(default_factory=dict)
    """Orders to make fireworks of, by stage, parents first."""
    retire: tuple[int, ...] = ()
    """Fireworks that are not wanted any more."""
    amend: dict[int, StageOrder] = field(default_factory=dict)
    """Unstarted fireworks whose order changed in what the key does not hold."""


def with_rows(
    stages: Sequence[AnyStage], orders: Mapping[str, StageOrder], rows: Mapping[str, StageEntry]
) -> dict[str, StageOrder | StageEntry]:
    """Return all stages of a candidate in their order, its orders reading the rows of analyses."""
    wanted: dict[str, StageOrder | StageEntry] = {}
    for stage in stages:
        if stage.name in rows:
            wanted[stage.name] = rows[stage.name]
        elif stage.name in orders:  # references go through some stages only
            order = orders[stage.name]
            told = {name: rows[name].key for name in order.reads if name in rows}
            reads = {"reads": {**order.reads, **told}}
            wanted[stage.name] = order.model_copy(update=reads) if told else order
    return wanted


def compile_member(
    wanted: Wanted,
    before: Mapping[str, StageEntry],
    *,
    columns: Mapping[str, JsonValue],
    known: Mapping[str, ResultRecord],
    fireworks: Mapping[int, str],
) -> Compiled:
    """Hold the wanted stages of a candidate against what is there.

    Parameters
    ----------
    wanted
        What `orders` returned, and where the candidate's rows of analyses stand (`with_rows`).
    before
        The stages as the last run left them; empty for a new member.
    columns
        The candidate's columns and scores, which `when` may read.
    known
        Results that the campaign may use, by key.
    fireworks
        State of the campaign's fireworks by id; one that is missing was never inserted.
    """
    entries: dict[str, StageEntry] = {}
    new: dict[str, StageOrder] = {}
    amend: dict[int, StageOrder] = {}
    undecided: set[str] = set()
    for name, order in wanted.items():
        if isinstance(order, StageEntry):
            entries[name] = order
            if order.state is not StageState.OK:
                undecided.add(name)
            continue
        old = before.get(name)
        if old is not None and old.key != order.key:
            old = None
        dropped = _dropped(order, wanted, entries)
        entry = _entry(order, old, entries, columns, known, fireworks, dropped)
        if old is not None:
            entry = entry.model_copy(update={"overrides": old.overrides})
        if not undecided.isdisjoint(order.reads):
            undecided.add(name)
            entry = _without_firework(entry, fireworks)
        entries[name] = entry
        settled = entry.state.settled and entry.state is not StageState.BLOCKED
        if name in undecided or settled:
            continue
        if entry.fw_id is None:
            new[name] = order
        elif fireworks.get(entry.fw_id) in UNSTARTED:
            amend[entry.fw_id] = order
    retire = _unwanted(entries, before, fireworks)
    entries = {
        name: entry.model_copy(update={"fw_id": None}) if entry.fw_id in retire else entry
        for name, entry in entries.items()
    }
    return Compiled(entries, new, tuple(sorted(retire)), amend)


def _unwanted(
    entries: Mapping[str, StageEntry],
    before: Mapping[str, StageEntry],
    fireworks: Mapping[int, str],
) -> set[int]:
    """Return the fireworks that no stage has any more, and those of stages that are skipped."""
    kept = {entry.fw_id for entry in entries.values()}
    retire = {
        entry.fw_id
        for entry in before.values()
        if entry.fw_id is not None and entry.fw_id not in kept and entry.fw_id in fireworks
    }
    retire |= {
        entry.fw_id
        for entry in entries.values()
        if entry.state is StageState.SKIPPED
        and entry.fw_id is not None
        and fireworks.get(entry.fw_id) in UNSTARTED
    }
    return retire


def _dropped(order: StageOrder, wanted: Wanted, entries: Mapping[str, StageEntry]) -> list[str]:
    """Return the stages that an order reads which failed and take with them what needs them."""
    failed = [name for name in order.reads if entries[name].state is StageState.FAILED]
    above = {name: wanted[name] for name in failed}
    return [
        name
        for name, one in above.items()
        if isinstance(one, StageOrder) and one.on_unrepaired == "drop"
    ]


def _without_firework(entry: StageEntry, fireworks: Mapping[int, str]) -> StageEntry:
    """Return the entry of a stage that nobody can decide yet: it runs on, or has no firework."""
    if entry.state.settled and entry.state is not StageState.BLOCKED:
        return entry
    started = fireworks.get(entry.fw_id or 0) in STARTED
    return entry if started else entry.model_copy(update={"fw_id": None})


def _entry(
    order: StageOrder,
    old: StageEntry | None,
    above: Mapping[str, StageEntry],
    columns: Mapping[str, JsonValue],
    known: Mapping[str, ResultRecord],
    fireworks: Mapping[int, str],
    dropped: Sequence[str],
) -> StageEntry:
    """Return where a stage stands before anything of this run has happened."""
    fw_id = old.fw_id if old and old.fw_id in fireworks else None
    parents = [above[name] for name in order.reads]
    skipped = [name for name in order.reads if above[name].state is StageState.SKIPPED]
    why = f"{skipped[0]} was skipped" if skipped else _closed(order, columns, known)
    if dropped:
        why = f"{dropped[0]} failed"
    if why:
        return _state(order, StageState.SKIPPED, fw_id, reason=why)
    result = known.get(order.key)
    if result is not None:
        return StageEntry(
            key=order.key,
            fw_id=fw_id,
            state=StageState.OK,
            cached=result.campaign != order.campaign,
            deviation=result.deviation,
        )
    given_up = old is not None and old.state in {StageState.FAILED, StageState.HELD}
    if old is not None and given_up and fireworks.get(old.fw_id or 0) not in AGAIN:
        return old
    if fw_id is not None and fireworks[fw_id] not in LIVE:
        fw_id = None  # it ended, skipped perhaps, and the stage is wanted now
    if old is not None and old.state is StageState.RUNNING and fw_id is not None:
        return old
    stuck = [name for name in order.reads if _stops(above[name])]
    if stuck:
        why = f"{stuck[0]} is {above[stuck[0]].state.value}"
        return _state(order, StageState.BLOCKED, fw_id, reason=why)
    ready = all(parent.state is StageState.OK for parent in parents)
    return _state(order, StageState.READY if ready else StageState.WAITING, fw_id)


def _closed(
    order: StageOrder, columns: Mapping[str, JsonValue], known: Mapping[str, ResultRecord]
) -> str:
    """Return why the gate is closed, or "" while it is open or cannot be decided yet."""
    if not all(key in known for key in order.reads.values()):
        return ""
    results = {name: known[key] for name, key in order.reads.items()}
    return decide(order.when, columns, results).reason


def _stops(entry: StageEntry) -> bool:
    return entry.state in {StageState.FAILED, StageState.HELD, StageState.BLOCKED}


def _state(
    order: StageOrder, state: StageState, fw_id: int | None, reason: str | None = None
) -> StageEntry:
    return StageEntry(key=order.key, fw_id=fw_id, state=state, reason=reason)


def member(
    campaign: str,
    row: int,
    candidate: Candidate,
    columns: Mapping[str, Any],
    *,
    control: bool,
    priority: int = 0,
    seen: int = 0,
) -> CandidateRecord:
    """Return the ledger's record of a survivor, still without stages."""
    return CandidateRecord(
        campaign=campaign,
        id=candidate.id,
        row=row,
        formula=candidate.formula,
        structure=candidate.structure,
        generator=candidate.generator,
        choice=dict(candidate.choice),
        columns=dict(columns),
        control=control,
        priority=priority,
        seen=seen,
    )


def all_keys(wanted: Iterable[Mapping[str, StageOrder]]) -> set[str]:
    """Return every key that members want or read."""
    return {order.key for one in wanted for order in one.values()}
