"""Which calculations a retry is about, and which stages follow them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fireworks_ext.store import Store
from runner.failures import GIVEN_UP
from runner.members import Member, members_of, named
from schemas.errors import UserError, suggestion
from schemas.failure import FailureName
from schemas.ledger import StageState
from schemas.work import StageOrder


@dataclass(frozen=True)
class Request:
    """Which calculations, and what is to be changed of them."""

    cause: str | None = None
    stage: str | None = None
    candidate: str | None = None
    settings: tuple[str, ...] = ()
    """`PATH=VALUE`, as on the command line."""
    dry_run: bool = False
    spec: str | None = None
    """The campaign's file, for the command that comes next."""


@dataclass(frozen=True)
class Case:
    """A member with stages that are to be sent on their way again."""

    member: Member
    stages: tuple[str, ...]
    fireworks: Mapping[str, Mapping[str, Any]]
    """The firework of every stage of the member that has one."""

    def order(self, stage: str) -> StageOrder | None:
        """Return the order in a stage's firework."""
        firework = self.fireworks.get(stage)
        return StageOrder.model_validate(firework["spec"]["order"]) if firework else None


def cases_of(
    store: Store, document: Mapping[str, Any], request: Request
) -> tuple[list[Case], list[str]]:
    """Return what a request chooses, and its names that nothing bears."""
    members = members_of(store, document["_id"])
    mistakes = []
    causes = {one.failure for member in members for one in member.stages.values() if one.failure}
    known = sorted(causes | set(FailureName))
    if request.cause is not None and request.cause not in known:
        nearest = suggestion(request.cause, known)
        if nearest.startswith("; known"):
            nearest = f"; here there are: {', '.join(sorted(causes)) or 'none'}"
        mistakes.append(f"--cause: no failure '{request.cause}'{nearest}")
    if request.stage is not None and request.stage not in document["stages"]:
        nearest = suggestion(request.stage, document["stages"])
        mistakes.append(
            f"--stage: campaign '{document['_id']}' has no stage '{request.stage}'{nearest}"
        )
    if request.candidate is not None:
        try:
            members = named(members, request.candidate)
        except UserError as error:
            mistakes.append(f"--candidate: {error}")
    if mistakes:
        return [], mistakes
    chosen = ((member, tuple(_chosen(member, request))) for member in members)
    return [Case(one, stages, _fireworks(store, one)) for one, stages in chosen if stages], []


def _chosen(member: Member, request: Request) -> Iterator[str]:
    for stage, entry in member.stages.items():
        if entry.state not in GIVEN_UP or request.stage not in {None, stage}:
            continue
        if request.cause in {None, entry.failure}:
            yield stage


def _fireworks(store: Store, member: Member) -> dict[str, Mapping[str, Any]]:
    ids = {entry.fw_id: stage for stage, entry in member.stages.items() if entry.fw_id is not None}
    wanted = {"fw_id": 1, "state": 1, "spec.order": 1}
    found = store.fireworks.find({"fw_id": {"$in": sorted(ids)}}, wanted)
    return {ids[one["fw_id"]]: one for one in found}


def below(case: Case, again: Sequence[str]) -> list[str]:
    """Return the stages that wait for some again: the blocked ones, and those skipped with them.

    One that another failed stage blocks stays blocked.
    """
    orders = {stage: case.order(stage) for stage in case.fireworks}
    states_now = {stage: entry.state for stage, entry in case.member.stages.items()}
    states_now |= dict.fromkeys(again, StageState.READY)
    revived = {
        stage
        for stage in again
        if (order := orders.get(stage)) is not None and order.on_unrepaired == "drop"
    }
    found: list[str] = []
    for _ in orders:  # as deep as it can be
        for stage, order in orders.items():
            if order is None or stage in found:
                continue
            if states_now[stage] is StageState.BLOCKED:
                stopping = GIVEN_UP | {StageState.BLOCKED}
                follows = not any(states_now.get(above) in stopping for above in order.reads)
            else:
                skipped = states_now[stage] is StageState.SKIPPED
                follows = skipped and not revived.isdisjoint(order.reads)
            if follows:
                revived |= {stage} if states_now[stage] is StageState.SKIPPED else set()
                states_now[stage] = StageState.WAITING
                found.append(stage)
    return found


def lost(case: Case, again: Sequence[str]) -> list[str]:
    """Return stages without a firework that run again: `campaign run` makes new ones."""
    return [
        stage
        for stage, entry in case.member.stages.items()
        if stage not in case.fireworks
        and (
            stage in again
            or (
                entry.state is StageState.SKIPPED
                and (entry.reason or "").partition(" ")[0] in again
            )
        )
    ]
