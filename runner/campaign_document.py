"""A campaign's own document in the store: its revisions, and what workers need to know of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fireworks_ext.database.indexes import make_indexes, make_stage_indexes
from fireworks_ext.store import Store
from runner.analysis_stage import AnalysisStage
from runner.export.address import lake_of
from runner.load import LoadedCampaign
from runner.orders import Machine
from runner.place import Place
from runner.stages import AnyStage
from runner.standing import above
from schemas.clock import utc_now
from schemas.ledger import ANALYSIS

KEPT = ("enrolments", "spent", "paused", "exchange")
"""What of the document goes on from run to run."""


def write_campaign(
    store: Store, loaded: LoadedCampaign, place: Place, funnel: Mapping[str, Any]
) -> None:
    """Write a campaign's document, with a revision when its file has changed; make indexes."""
    name, stages = loaded.campaign.campaign, loaded.stages
    now = utc_now()
    old = store.campaigns.find_one({"_id": name}) or {}
    revisions = _revisions(old, loaded)
    document = {
        "_id": name,
        "schema_version": 1,
        "project": loaded.campaign.project,
        "revision": len(revisions),
        "revisions": revisions,
        "state": "running",
        "file": str(loaded.path),
        "site": place.site.model_dump(mode="json"),
        "artefacts": str(place.artefacts),
        "tables": str(place.tables),
        "lake": None if (lake := lake_of(loaded.campaign.export)) is None else lake.document(),
        "core_hours": loaded.campaign.budget.core_hours,
        "usd": loaded.campaign.budget.usd,
        "stages": [stage.name for stage in stages],
        "tasks": {stage.name: task_of(stage) for stage in stages},
        "barriers": {
            one.name: {"of": one.of, "above": list(above(stages, one.of))}
            for one in loaded.barriers
        },
        **{name: old[name] for name in KEPT if name in old},
        "started_at": old.get("started_at", now),
        "updated_at": now,
        **funnel,
    }
    store.campaigns.replace_one({"_id": name}, document, upsert=True)
    make_indexes(store)
    make_stage_indexes(store, document["stages"])


def _revisions(old: Mapping[str, Any], loaded: LoadedCampaign) -> list[dict[str, Any]]:
    revisions: list[dict[str, Any]] = list(old.get("revisions", ()))
    if revisions and revisions[-1]["sha256"] == loaded.sha256:
        return revisions
    latest = {
        "revision": len(revisions) + 1,
        "sha256": loaded.sha256,
        "text": loaded.text,
        "at": utc_now(),
    }
    return [*revisions, latest]


def task_of(stage: AnyStage) -> dict[str, Any]:
    """Return what a stage computes, as the campaign's document holds it."""
    if isinstance(stage, AnalysisStage):
        return {"engine": ANALYSIS, "task": stage.analysis, "params": stage.settings}
    return {"engine": stage.engine, "task": stage.task}


def machine(place: Place) -> Machine:
    """Return what compiling needs to know of the settings."""
    return Machine(place.site, place.local.cores_per_job)
