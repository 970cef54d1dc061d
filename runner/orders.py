"""What every stage of a candidate is: complete orders, with all keys known before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from runner.overrides import overridden
from runner.stages import STRUCTURE, AnyStage, Stage
from schemas.errors import UserError
from schemas.identity import stage_key
from schemas.ledger import StageEntry
from schemas.profile import Site
from schemas.resources import Resources
from schemas.retention import Retention
from schemas.structure import Structure
from schemas.work import Input, StageOrder

NOT_KNOWN = ""
"""The key of a row of an analysis as long as it waits for other candidates."""


@dataclass(frozen=True)
class Machine:
    """What compiling needs to know of where the campaign runs."""

    site: Site
    cores: int
    """Cores of a job whose stage does not say how many."""


def orders(
    campaign: str,
    candidate: str,
    structure: Structure,
    stages: Sequence[AnyStage],
    machine: Machine,
    before: Mapping[str, StageEntry] | None = None,
) -> dict[str, StageOrder]:
    """Return the order of every calculation of a candidate, parents first, with all keys known.

    But for the keys of analyses that `when` reads, which only the results of all candidates tell.
    What `campaign retry --set` wrote about a stage (in `before`) holds as long as its key does.

    Raises
    ------
    UserError
        When a stage cannot be done for this candidate: no pseudopotential of an element.
    """
    made: dict[str, StageOrder] = {}
    calculations = [stage for stage in stages if isinstance(stage, Stage)]
    formula = structure.formula
    for stage, params, files in resolved(structure, calculations, machine):
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
            formula=formula,
            stage=stage.name,
            key=key,
            engine=stage.engine,
            task=stage.task,
            params=params.model_dump(mode="json", exclude_unset=True),
            resources=_resources(stage, structure, params, machine),
            inputs=inputs,
            reads={
                name: made[name].key if name in made else NOT_KNOWN for name in stage.dependencies
            },
            when=stage.when.text if stage.when else None,
            on_unrepaired=stage.on_unrepaired,
            protected=stage.protected,
            checkpoint=stage.checkpoint,
            retention=_retention(stage, calculations),
        )
        old = (before or {}).get(stage.name)
        made[stage.name] = overridden(order, old.overrides if old and old.key == key else {})
    return made


def resolved(
    structure: Structure, stages: Sequence[AnyStage], machine: Machine
) -> Iterator[tuple[Stage, Any, Mapping[str, str]]]:
    """Yield every calculation of a candidate with its params, nothing left open, and its files.

    Raises
    ------
    UserError
        When a stage cannot be done for this candidate.
    """
    for stage in stages:
        if not isinstance(stage, Stage):
            continue
        try:
            params = stage.plugin.resolve(structure, stage.task, stage.params, machine.site)
            files = stage.plugin.files(structure, params, machine.site)
        except UserError as error:
            raise UserError(f"stages.{stage.name}, {structure.formula}: {error}") from error
        yield stage, params, files


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
    return _keeping(stage.retention, frozenset(used))


@cache
def _keeping(retention: Retention, used: frozenset[str]) -> Retention:
    """Return what becomes of files when classes of them are kept: one object for all orders."""
    return retention.model_copy(update=dict.fromkeys(sorted(used), "keep"))


def _resources(stage: Stage, structure: Structure, params: Any, machine: Machine) -> Resources:
    """Return the engine's estimate on the cores that there are, and the stage's own words."""
    guess = stage.plugin.resources(structure, stage.task, params)
    longer = max(guess.cores / machine.cores, 1.0)
    here = {"cores": machine.cores, "walltime_min": round(guess.walltime_min * longer, 1)}
    return Resources.model_validate({**guess.model_dump(), **here, **stage.resources})
