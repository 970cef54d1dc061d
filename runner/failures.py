"""What went wrong in a campaign, by cause: how often, an example, why, and what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from fireworks_ext import ledger
from fireworks_ext.store import Store
from runner.advice import advice, kind
from runner.members import Member, id_length, members_of
from runner.remedies import remedies_of
from schemas.failure import FailureName
from schemas.failure_reports import Example, FailureGroup, Failures, Repair
from schemas.ledger import StageState
from schemas.registry import engines
from schemas.result import Correction

GIVEN_UP = frozenset({StageState.FAILED, StageState.HELD})


def failures(store: Store, campaign: str) -> Failures:
    """Return the failed and held calculations of a campaign by cause, most frequent first.

    Raises
    ------
    UserError
        When the store knows no such campaign.
    """
    ledger.find_campaign(store, campaign)
    members = members_of(store, campaign)
    length = id_length(member.id for member in members)
    tallies: dict[str, _Tally] = {}
    for member in members:
        _count(member, tallies)
    states = Counter(entry.state for member in members for entry in member.stages.values())
    repaired, repairs = _repairs(store, members)
    ordered = sorted(tallies.values(), key=lambda tally: (-tally.count, tally.cause))
    return Failures(
        campaign=campaign,
        failed=states[StageState.FAILED],
        held=states[StageState.HELD],
        blocked=states[StageState.BLOCKED],
        groups=tuple(tally.group(campaign, length) for tally in ordered),
        repaired=repaired,
        repairs=repairs,
    )


def failed_by_cause(store: Store, campaign: str) -> dict[str, int]:
    """Return how many calculations of a campaign have failed or are held, by cause."""
    tallies: dict[str, _Tally] = {}
    for member in members_of(store, campaign):
        _count(member, tallies)
    return {cause: tally.count for cause, tally in sorted(tallies.items())}


@dataclass
class _Tally:
    """What is counted of one cause."""

    cause: str
    first: Member
    first_stage: str
    stages: Counter[str] = field(default_factory=Counter)
    held: int = 0
    blocked: int = 0
    skipped: int = 0

    @property
    def count(self) -> int:
        return self.stages.total()

    def group(self, campaign: str, length: int) -> FailureGroup:
        member, stage = self.first, self.first_stage
        short = member.id[:length]
        told = advice(self.cause, {"name": campaign, "candidate": short, "stage": stage})
        return FailureGroup(
            cause=self.cause,
            count=self.count,
            stages=dict(self.stages.most_common()),
            held=self.held,
            blocked=self.blocked,
            skipped=self.skipped,
            meaning=kind(self.cause).meaning,
            likely=kind(self.cause).likely,
            advice=told.text,
            commands=told.commands,
            example=Example(
                candidate=member.id,
                short_id=short,
                formula=member.formula,
                stage=stage,
                message=member.stages[stage].reason or "",
            ),
        )


def _count(member: Member, tallies: dict[str, _Tally]) -> None:
    """Count what failed of a member, and what stands still for it.

    The reason of a stage that stands still begins with the stage above that it stands still for.
    """
    causes: dict[str, str] = {}
    for stage, entry in member.stages.items():
        if entry.state not in GIVEN_UP:
            continue
        cause = causes[stage] = entry.failure or FailureName.UNRECOGNISED.value
        tally = tallies.setdefault(cause, _Tally(cause, member, stage))
        tally.stages[stage] += 1
        tally.held += entry.state is StageState.HELD
    standing = frozenset({StageState.BLOCKED, StageState.SKIPPED})
    for _ in member.stages if causes else ():  # as deep as it can be
        for stage, entry in member.stages.items():
            above = (entry.reason or "").partition(" ")[0]
            if stage in causes or entry.state not in standing or above not in causes:
                continue
            tally = tallies[causes.setdefault(stage, causes[above])]
            tally.blocked += entry.state is StageState.BLOCKED
            tally.skipped += entry.state is StageState.SKIPPED


def _repairs(store: Store, members: Sequence[Member]) -> tuple[int, tuple[Repair, ...]]:
    """Return how many results recovery reached, and by which remedies.

    What a remedy brings along ("from the beginning") is counted only where no remedy is declared.
    """
    keys = {
        entry.key
        for member in members
        for entry in member.stages.values()
        if entry.state is StageState.OK
    }
    calculations: Counter[str] = Counter()
    actions: dict[str, Counter[str]] = {}
    repaired = 0
    for corrections in _recoveries(store, keys):
        repaired += 1
        calculations.update({one.failure for one in corrections})
        for one in corrections:
            actions.setdefault(one.failure, Counter())[one.action] += 1
    declared = _declared()
    repairs = tuple(
        Repair(failure=name, calculations=count, actions=_remedies(actions[name], declared))
        for name, count in calculations.most_common()
    )
    return repaired, repairs


def _declared() -> frozenset[str]:
    """Return the remedies that the installed engines declare."""
    return frozenset(
        remedy
        for name in engines.names()
        for remedies in remedies_of(name).values()
        for remedy in remedies
    )


def _remedies(actions: Counter[str], declared: frozenset[str]) -> dict[str, int]:
    ordered = dict(actions.most_common())
    return {name: count for name, count in ordered.items() if name in declared} or ordered


def _recoveries(store: Store, keys: Iterable[str]) -> Iterable[list[Correction]]:
    """Yield the corrections of every result of some keys that has any."""
    ordered = sorted(keys)
    for start in range(0, len(ordered), ledger.KEYS_PER_QUERY):
        some = ordered[start : start + ledger.KEYS_PER_QUERY]
        query = {"key": {"$in": some}, "recovery": {"$ne": []}}
        for document in store.results.find(query, {"recovery": 1}):
            found = [Correction.model_validate(one) for one in document["recovery"]]
            if found:
                yield found
