"""What went wrong in a campaign, by cause: how often, an example, why, and what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from fireworks_ext import ledger, pages
from fireworks_ext.store import Store
from runner.advice import advice, kind
from runner.counting import Members
from runner.members import SHORTEST, Member, member_in
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
    stages = ledger.find_campaign(store, campaign)["stages"]
    counts = [Members(store, campaign).stage(name) for name in stages]
    tallies = _tallies(store, campaign, stages)
    length = _id_length(store, campaign, [tally.first.id for tally in tallies.values()])
    repaired, repairs = _repairs(store, campaign)
    ordered = sorted(tallies.values(), key=lambda tally: (-tally.count, tally.cause))
    return Failures(
        campaign=campaign,
        failed=sum(one.failed for one in counts),
        held=sum(one.held for one in counts),
        blocked=sum(one.blocked for one in counts),
        groups=tuple(tally.group(campaign, length) for tally in ordered),
        repaired=repaired,
        repairs=repairs,
    )


def failed_by_cause(store: Store, campaign: str) -> dict[str, int]:
    """Return how many calculations of a campaign have failed or are held, by cause."""
    stages = ledger.find_campaign(store, campaign)["stages"]
    tallies = _tallies(store, campaign, stages)
    return {cause: tally.count for cause, tally in sorted(tallies.items())}


def _tallies(store: Store, campaign: str, stages: Iterable[str]) -> dict[str, _Tally]:
    """Count what failed and what stands still for it; only members that are concerned are read."""
    concerned: dict[str, int] = {}
    given_up = {"$in": sorted(state.value for state in GIVEN_UP)}
    for name in stages:
        query = {"campaign": campaign, "member": True, f"stages.{name}.state": given_up}
        concerned |= {one["_id"]: one["row"] for one in store.candidates.find(query, {"row": 1})}
    tallies: dict[str, _Tally] = {}
    ordered = sorted(concerned, key=concerned.__getitem__)
    for some in pages.chunks(ordered):
        found = store.candidates.find(
            {"_id": {"$in": list(some)}}, {"id": 1, "formula": 1, "row": 1, "stages": 1}
        )
        for one in sorted(found, key=lambda one: int(one["row"])):
            _count(member_in(one), tallies)
    return tallies


def _id_length(store: Store, campaign: str, ids: Iterable[str]) -> int:
    """Return how many characters tell some candidates from all others of the campaign."""
    length = SHORTEST
    for one in ids:
        while length < len(one) and _is_shared(store, f"{campaign}/{one[:length]}"):
            length += 1
    return length


def _is_shared(store: Store, beginning: str) -> bool:
    """Tell whether several candidates' names begin so."""
    begins_so = {"_id": {"$gte": beginning, "$lt": f"{beginning}g"}}  # ids are hexadecimal
    return len(list(store.candidates.find(begins_so, {"member": 1}).limit(2))) > 1


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


def _repairs(store: Store, campaign: str) -> tuple[int, tuple[Repair, ...]]:
    """Return how many results recovery reached, and by which remedies.

    What a remedy brings along ("from the beginning") is counted only where no remedy is declared.
    """
    calculations: Counter[str] = Counter()
    actions: dict[str, Counter[str]] = {}
    repaired = 0
    for corrections in _recoveries(store, campaign):
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


def _recoveries(store: Store, campaign: str) -> Iterator[list[Correction]]:
    """Yield the corrections of every result of a campaign that has any."""
    seen: set[str] = set()
    for page in pages.candidates(store, campaign, {"member": 1, "stages": 1}):
        keys = {
            entry["key"]
            for one in page
            if one["member"]
            for entry in one["stages"].values()
            if entry["state"] == StageState.OK
        }
        query = {"key": {"$in": sorted(keys)}, "recovery": {"$ne": []}}
        for document in store.results.find(query, {"recovery": 1}):
            if document["recovery"] and document["_id"] not in seen:
                seen.add(document["_id"])
                yield [Correction.model_validate(one) for one in document["recovery"]]
