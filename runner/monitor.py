"""Where a campaign stands, counted from its ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from fireworks_ext import ledger
from fireworks_ext.store import Store
from runner.standing import Standing
from schemas.candidate import REFERENCES
from schemas.ledger import StageState
from schemas.reports import BarrierStatus, FilterCounts, StageCounts, Status


def status(store: Store, campaign: str) -> Status:
    """Return the funnel and the counts of every stage.

    Raises
    ------
    UserError
        When the store knows no such campaign.
    """
    document = ledger.find_campaign(store, campaign)
    wanted = {"id": 1, "formula": 1, "generator": 1, "stages": 1, "_id": 0}
    members = list(store.candidates.find({"campaign": campaign, "member": True}, wanted))
    counts, failures = count_stages(document["stages"], members)
    return Status(
        campaign=campaign,
        project=document.get("project"),
        state=document["state"],
        revision=document["revision"],
        enumerated=document["enumerated"],
        filters=tuple(FilterCounts.model_validate(one) for one in document["filters"]),
        survivors=document["survivors"],
        references=sum(one["generator"] == REFERENCES for one in members),
        stages=counts,
        failures=failures,
        barriers=tuple(_barriers(document.get("barriers", {}), members)),
        core_hours=ledger.spent_core_hours(store, campaign),
        core_hours_limit=document.get("core_hours"),
        updated_at=document["updated_at"],
    )


def _barriers(
    barriers: Mapping[str, Any], members: Sequence[Mapping[str, Any]]
) -> Iterator[BarrierStatus]:
    """Yield the analyses that wait for candidates, still on their way or held."""
    formulas = {one["id"]: one["formula"] for one in members}
    states = (
        {
            one["id"]: {name: StageState(entry["state"]) for name, entry in one["stages"].items()}
            for one in members
        }
        if barriers
        else {}
    )
    for stage, words in barriers.items():
        standing = Standing(words["of"], tuple(words["above"]), states)
        if not standing.is_closed:
            yield BarrierStatus(
                stage=stage,
                of=words["of"],
                waits_for=len(standing.moving),
                held_by=tuple(formulas[one] for one in standing.held),
            )


def count_stages(
    names: Iterable[str], members: Iterable[Mapping[str, Any]]
) -> tuple[tuple[StageCounts, ...], dict[str, int]]:
    """Return the counts by stage, and the failures by name."""
    tallies: dict[str, Counter[str]] = {name: Counter() for name in names}
    failures: Counter[str] = Counter()
    for document in members:
        for name, entry in document["stages"].items():
            if name not in tallies:
                continue
            tallies[name][entry["state"]] += 1
            tallies[name]["cached"] += bool(entry["cached"])
            if entry["state"] == StageState.FAILED and entry["failure"]:
                failures[entry["failure"]] += 1
    counts = tuple(StageCounts(stage=name, **tally) for name, tally in tallies.items())
    return counts, dict(failures.most_common())
