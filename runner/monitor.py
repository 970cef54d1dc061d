"""Where a campaign stands, counted from its ledger."""

from __future__ import annotations

from fireworks_ext import ledger
from fireworks_ext.spending import Meter
from fireworks_ext.store import Store
from fireworks_ext.worker.presence import paused
from runner.counting import Members
from schemas.fleet import FleetReport
from schemas.reports import FilterCounts, Status


def status(store: Store, campaign: str, meter: Meter | None = None) -> Status:
    """Return the funnel and the counts of every stage.

    Parameters
    ----------
    meter
        What the campaign has spent, of one who asks again and again.

    Raises
    ------
    UserError
        When the store knows no such campaign.
    """
    document = ledger.find_campaign(store, campaign)
    members = Members(store, campaign)
    counts = {name: members.stage(name) for name in document["stages"]}
    spent = (meter or Meter(store, campaign)).spent()
    barriers = document.get("barriers", {})
    return Status(
        campaign=campaign,
        project=document.get("project"),
        state=document["state"],
        revision=document["revision"],
        enumerated=document["enumerated"],
        filters=tuple(FilterCounts.model_validate(one) for one in document["filters"]),
        survivors=document["survivors"],
        references=members.references() if barriers else 0,
        pending=members.pending(),
        stages=tuple(counts.values()),
        failures=members.failures(counts.values()),
        barriers=tuple(members.barriers(barriers, counts)),
        paused=paused(store, campaign),
        paused_at=document.get("paused"),
        core_hours=spent.core_hours,
        core_hours_limit=document.get("core_hours"),
        usd=spent.usd,
        usd_limit=document.get("usd"),
        fleet=FleetReport.model_validate(document["fleet"]) if document.get("fleet") else None,
        updated_at=document["updated_at"],
    )
