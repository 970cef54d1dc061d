"""From a member of a campaign to fireworks: keys first, then only what nobody has computed yet.

Pure and deterministic. `orders` says what every stage of a candidate is, by key; `compile_member`
holds it against what is known and against what the last run left, and says what to add, to change
and to take away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fireworks_ext.gates import decide
from runner.overrides import overridden
from runner.stages import STRUCTURE, Stage
from schemas.candidate import Candidate
from schemas.errors import UserError
from schemas.identity import stage_key
from schemas.ledger import CandidateRecord, ResultRecord, StageEntry, StageState
from schemas.model import JsonValue
from schemas.profile import Site
from schemas.resources import Resources
from schemas.retention import Retention
from schemas.structure import Structure
from schemas.work import Input, StageOrder

UNSTARTED = frozenset({"WAITING", "READY", "PAUSED", "DEFUSED", "ARCHIVED"})
"""Firework states in which an order may still be changed or taken away."""


LIVE = UNSTARTED - {"ARCHIVED"} | {"RESERVED", "RUNNING"}
"""Firework states in which a firework will still run, perhaps after somebody resumes it."""


AGAIN = LIVE - {"PAUSED", "DEFUSED"}
"""Firework states in which somebody has sent a failed or held stage on its way again."""


@dataclass(frozen=True)
class Machine:
    """What compiling needs to know of where the campaign runs."""

    site: Site
    cores: int
    """Cores of a job whose stage does not say how many."""


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


def orders(
    campaign: str,
    candidate: str,
    structure: Structure,
    stages: Sequence[Stage],
    machine: Machine,
    before: Mapping[str, StageEntry] | None = None,
) -> dict[str, StageOrder]:
    """Return the order of every stage of a candidate, parents first, with all keys known.

    What `campaign retry --set` wrote about a stage (in `before`) holds as long as its key does.

    Raises
    ------
    UserError
        When a stage cannot be done for this candidate: no pseudopotential of an element.
    """
    made: dict[str, StageOrder] = {}
    for stage in stages:
        try:
            params = stage.plugin.resolve(structure, stage.task, stage.params, machine.site)
            files = stage.plugin.files(structure, params, machine.site)
        except UserError as error:
            raise UserError(f"stages.{stage.name}, {structure.formula}: {error}") from error
        inputs = {role: _input(role, made.get(source)) for role, source in stage.roles.items()}
        key = stage_key(
            engine=stage.engine,
            task=stage.task,
            physics=stage.plugin.physics(stage.task, params),
            physics_version=stage.plugin.physics_version,
            files=files,
            inputs={role: source.key or candidate for role, source in inputs.items()},
        )
        order = StageOrder(
            campaign=campaign,
            candidate=candidate,
            formula=structure.formula,
            stage=stage.name,
            key=key,
            engine=stage.engine,
            task=stage.task,
            params=params.model_dump(mode="json", exclude_unset=True),
            resources=_resources(stage, structure, params, machine),
            inputs=inputs,
            reads={name: made[name].key for name in stage.dependencies},
            when=stage.when.text if stage.when else None,
            on_unrepaired=stage.on_unrepaired,
            protected=stage.protected,
            checkpoint=stage.checkpoint,
            retention=_retention(stage, stages),
        )
        old = (before or {}).get(stage.name)
        made[stage.name] = overridden(order, old.overrides if old and old.key == key else {})
    return made


def _input(role: str, source: StageOrder | None) -> Input:
    """Return what fills a role: the product of a stage, or the candidate."""
    if source is None:
        return Input()
    # A structure is in the result; files may be gone one day, and are made anew by that order.
    order = None if role == STRUCTURE else source
    return Input(stage=source.stage, key=source.key, order=order)


def _retention(stage: Stage, stages: Sequence[Stage]) -> Retention:
    """Return what becomes of a stage's files: what another stage uses is kept as it is."""
    used = {
        role
        for other in stages
        for role, source in other.roles.items()
        if source == stage.name and role in Retention.model_fields
    }
    return stage.retention.model_copy(update=dict.fromkeys(sorted(used), "keep"))


def _resources(stage: Stage, structure: Structure, params: Any, machine: Machine) -> Resources:
    """Return the engine's estimate on the cores that there are, and the stage's own words."""
    guess = stage.plugin.resources(structure, stage.task, params)
    longer = max(guess.cores / machine.cores, 1.0)
    here = {"cores": machine.cores, "walltime_min": round(guess.walltime_min * longer, 1)}
    return Resources.model_validate({**guess.model_dump(), **here, **stage.resources})


def compile_member(
    wanted: Mapping[str, StageOrder],
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
        What `orders` returned.
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
    for name, order in wanted.items():
        old = before.get(name)
        if old is not None and old.key != order.key:
            old = None
        dropped = [
            above
            for above in order.reads
            if entries[above].state is StageState.FAILED and wanted[above].on_unrepaired == "drop"
        ]
        entry = _entry(order, old, entries, columns, known, fireworks, dropped)
        if old is not None:
            entry = entry.model_copy(update={"overrides": old.overrides})
        entries[name] = entry
        if entry.state.settled and entry.state is not StageState.BLOCKED:
            continue
        if entry.fw_id is None:
            new[name] = order
        elif fireworks.get(entry.fw_id) in UNSTARTED:
            amend[entry.fw_id] = order
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
    entries = {
        name: entry.model_copy(update={"fw_id": None}) if entry.fw_id in retire else entry
        for name, entry in entries.items()
    }
    return Compiled(entries, new, tuple(sorted(retire)), amend)


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
    campaign: str, row: int, candidate: Candidate, columns: Mapping[str, Any], *, control: bool
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
    )


def all_keys(wanted: Iterable[Mapping[str, StageOrder]]) -> set[str]:
    """Return every key that members want or read."""
    return {order.key for one in wanted for order in one.values()}
