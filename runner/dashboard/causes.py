"""What failed, by cause, counted by index; one example of each is read, and nothing else.

`campaign failures` reads every member that is concerned, which is too much for a page that
renews itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fireworks_ext.store import Store
from runner.advice import advice, kind
from runner.counting import Members
from runner.members import SHORTEST
from runner.remedies import remedies_of
from schemas.failure import FailureName
from schemas.ledger import StageState
from schemas.reports import StageCounts

NAMES = tuple(sorted(name.value for name in FailureName))
STATES = (StageState.FAILED.value, StageState.HELD.value)


@dataclass(frozen=True)
class Cause:
    """All calculations of a campaign that failed, or are held, for one cause."""

    name: str
    count: int
    held: int
    stages: Mapping[str, int]
    meaning: str
    likely: str
    advice: str
    commands: tuple[str, ...]
    remedies: tuple[str, ...]
    """What recovery tried, in this order."""
    candidate: str
    formula: str
    stage: str
    message: str


@dataclass
class _Found:
    stages: Counter[str] = field(default_factory=Counter)
    held: int = 0
    where: tuple[str, str] = ("", "")


def causes(
    store: Store, campaign: str, stages: Iterable[StageCounts], tasks: Mapping[str, Any]
) -> tuple[Cause, ...]:
    """Return what failed and is held by cause, the most frequent first."""
    members = Members(store, campaign)
    found: dict[str, _Found] = {}
    for stage, state, name, count in _counted(members, stages):
        one = found.setdefault(name, _Found(where=(stage, state)))
        one.stages[stage] += count
        one.held += count if state == StageState.HELD.value else 0
    ordered = sorted(found.items(), key=lambda item: (-item[1].stages.total(), item[0]))
    return tuple(_cause(store, campaign, name, one, tasks) for name, one in ordered)


def _counted(
    members: Members, stages: Iterable[StageCounts]
) -> Iterator[tuple[str, str, str, int]]:
    """Yield (stage, state, cause, how many); names are asked for until all are accounted for."""
    for stage in stages:
        for state, expected in zip(STATES, (stage.failed, stage.held), strict=True):
            left = expected
            for name in NAMES if left else ():
                if left <= 0:
                    break
                count = members.count(_given_up(stage.stage, state, name))
                left -= count
                if count:
                    yield stage.stage, state, name, count
            if left > 0:  # a name of another version, or of none
                yield stage.stage, state, FailureName.UNRECOGNISED.value, left


def _given_up(stage: str, state: str, name: str) -> dict[str, Any]:
    return {
        f"stages.{stage}.state": state,
        # Fixed too, so that the index is used up to the last of its fields.
        f"stages.{stage}.cached": False,
        f"stages.{stage}.failure": name,
    }


def _cause(
    store: Store, campaign: str, name: str, found: _Found, tasks: Mapping[str, Any]
) -> Cause:
    stage, state = found.where
    mine = {"campaign": campaign, "member": True, **_given_up(stage, state, name)}
    wanted = {"id": 1, "formula": 1, f"stages.{stage}.reason": 1}
    example = store.candidates.find_one(mine, wanted) or {}
    candidate = example.get("id", "")
    told = advice(name, {"name": campaign, "candidate": candidate[:SHORTEST], "stage": stage})
    engine = tasks.get(stage, {}).get("engine", "")
    return Cause(
        name=name,
        count=found.stages.total(),
        held=found.held,
        stages=dict(found.stages.most_common()),
        meaning=kind(name).meaning,
        likely=kind(name).likely,
        advice=told.text,
        commands=told.commands,
        remedies=tuple(remedies_of(engine).get(FailureName(name), ())),
        candidate=candidate,
        formula=example.get("formula", ""),
        stage=stage,
        message=example.get("stages", {}).get(stage, {}).get("reason") or "",
    )
