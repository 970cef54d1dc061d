"""The ledger as rows for people and messages: one per candidate and stage, one per campaign.

Tables are published from the bytes of the same documents, by `runner.ledger_tables`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from fireworks_ext import ledger, pages
from fireworks_ext.spending import spent
from fireworks_ext.store import Store
from schemas.columns import NOTE, Column
from schemas.ledger import ANALYSIS, ResultRecord, StageState
from schemas.registry import analyses, engines

MEMBER_FIELDS = {"id": 1, "formula": 1, "structure.species": 1, "member": 1, "stages": 1}


def task_columns(task: Mapping[str, Any]) -> tuple[Column, ...]:
    """Return the columns of what a stage computes, by its engine and task or its analysis."""
    if task["engine"] == ANALYSIS:
        plugin = analyses.get(task["task"])
        return (*plugin.columns(plugin.params.model_validate(task["params"])), NOTE)
    return tuple(engines.get(task["engine"]).columns(task["task"]))


def campaign_row(store: Store, document: Mapping[str, Any]) -> dict[str, object]:
    """Return the row of a campaign."""
    latest = document["revisions"][-1]
    total = spent(store, document["_id"])
    return {
        "project": document.get("project"),
        "revision": document["revision"],
        "spec_sha256": latest["sha256"],
        "started_at": document["started_at"],
        "updated_at": document["updated_at"],
        "enumerated": document["enumerated"],
        "survivors": document["survivors"],
        "spent_core_hours": total.core_hours,
        "spent_usd": total.usd,
        "state": document["state"],
        "spec": latest["text"],
    }


def result_rows(store: Store, campaign: str) -> Iterator[dict[str, object]]:
    """Yield a row for every settled stage of every member, joined with the result of its key.

    They come by candidate id; memory holds a page of candidates.
    """
    tasks = ledger.find_campaign(store, campaign)["tasks"]
    for page in pages.candidates(store, campaign, MEMBER_FIELDS):
        yield from page_rows(store, campaign, page, tasks)


def page_rows(
    store: Store,
    campaign: str,
    page: Iterable[Mapping[str, Any]],
    tasks: Mapping[str, Mapping[str, Any]],
) -> Iterator[dict[str, object]]:
    """Yield the rows of some candidates for the stages of `tasks`, and those of no task at all."""
    entries = [
        (one, stage, entry)
        for one in page
        if one["member"]
        for stage, entry in one["stages"].items()
        if StageState(entry["state"]).settled
    ]
    ok = {entry["key"] for *_, entry in entries if entry["state"] == StageState.OK}
    results = ledger.find_results(store, ok, campaign)
    bad = {entry["key"] for *_, entry in entries if entry["failure"] is not None}
    failed = _failed_attempts(store, campaign, bad)
    for one, stage, entry in entries:
        yield {
            **_member_columns(one),
            **_entry_columns(entry),
            **_task_names(tasks.get(stage, {})),
            **_computed_columns(entry, results.get(entry["key"])),
            **_attempt_columns(entry, failed.get(entry["key"])),
            "stage": stage,
        }


def _task_names(task: Mapping[str, Any]) -> dict[str, object]:
    return {name: task[name] for name in ("engine", "task") if name in task}


def _failed_attempts(
    store: Store, campaign: str, keys: Collection[str]
) -> dict[str, Mapping[str, Any]]:
    """Return the last failed attempt by key."""
    if not keys:
        return {}
    mine = {"key": {"$in": sorted(keys)}, "campaign": campaign, "outcome": "failed"}
    found = sorted(store.attempts.find(mine), key=lambda one: int(one["attempt"]))
    return {document["key"]: document for document in found}


def _attempt_columns(
    entry: Mapping[str, Any], attempt: Mapping[str, Any] | None
) -> dict[str, object]:
    """Return what is known of a failure beside its name: where to look, and what it took."""
    if attempt is None or entry["failure"] is None:
        return {}
    names = ("started_at", "finished_at", "walltime_s", "core_hours", "cores")
    return {
        **{name: attempt[name] for name in names},
        "cost_usd": ledger.usd(attempt["core_hours"], attempt.get("usd_per_core_hour")),
        "attempt": str(attempt["attempt"]),
        "artefacts": attempt["directory"],
    }


def _member_columns(document: Mapping[str, Any]) -> dict[str, object]:
    species = document["structure"]["species"]
    return {
        "candidate_id": document["id"],
        "formula": document["formula"],
        "elements": sorted(set(species)),
        "n_atoms": len(species),
    }


def _entry_columns(entry: Mapping[str, Any]) -> dict[str, object]:
    failed = entry["failure"] is not None
    return {
        "key": entry["key"],
        "outcome": entry["state"],
        "failure": entry["failure"],
        "failure_message": entry["reason"] if failed else None,
        "reason": None if failed else entry["reason"],
        "cached": entry["cached"],
        "deviation": entry["deviation"] or None,
    }


def _computed_columns(entry: Mapping[str, Any], result: ResultRecord | None) -> dict[str, object]:
    if result is None or entry["state"] != StageState.OK:
        return {}
    structure = result.structure.model_dump(mode="json") if result.structure else None
    core_hours = ledger.core_hours(result.cores, result.walltime_s)
    return {
        "engine": result.engine,
        "task": result.task,
        "recovery": [one.model_dump(mode="json") for one in result.recovery],
        "structure": structure,
        "program": result.program,
        "started_at": result.started_at,
        "finished_at": result.finished_at,
        "walltime_s": result.walltime_s,
        "core_hours": core_hours,
        "cost_usd": ledger.usd(core_hours, result.usd_per_core_hour),
        "cores": result.cores,
        "attempt": str(result.attempt),
        "artefacts": result.artefacts,
        "schema_version": result.schema_version,
        **result.values,
    }
