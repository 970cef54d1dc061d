"""The ledger as published tables: a row per candidate and stage, per attempt, per campaign."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fireworks_ext import ledger
from fireworks_ext.store import Store
from runner.export.parquet import publish
from schemas.columns import NOTE, Column
from schemas.ledger import ANALYSIS, ResultRecord, StageState
from schemas.registry import analyses, engines
from schemas.tables import fixed_columns


def publish_ledger(store: Store, campaign: str, root: Path) -> None:
    """Publish everything of a campaign but its screening table; unchanged parts are left alone."""
    document = ledger.find_campaign(store, campaign)
    partition = {"campaign": campaign}
    publish(root, "campaigns", partition, [_campaign_row(store, document)], _fixed("campaigns"))
    attempts = [_attempt_row(one) for one in store.attempts.find({"campaign": campaign})]
    publish(root, "attempts", partition, attempts, _fixed("attempts"))
    by_stage: dict[str, list[dict[str, object]]] = defaultdict(list)
    for row in result_rows(store, campaign):
        by_stage[str(row.pop("stage"))].append(row)
    for stage, task in document["tasks"].items():
        columns = (*_fixed("results"), *task_columns(task))
        rows = by_stage.get(stage, [])
        publish(root, "results", {**partition, "stage": stage}, rows, columns)


def task_columns(task: Mapping[str, Any]) -> tuple[Column, ...]:
    """Return the columns of what a stage computes, by its engine and task or its analysis."""
    if task["engine"] == ANALYSIS:
        plugin = analyses.get(task["task"])
        return (*plugin.columns(plugin.params.model_validate(task["params"])), NOTE)
    return tuple(engines.get(task["engine"]).columns(task["task"]))


def _fixed(table: str) -> Any:
    return fixed_columns(table)


def _campaign_row(store: Store, document: Mapping[str, Any]) -> dict[str, object]:
    latest = document["revisions"][-1]
    return {
        "project": document.get("project"),
        "revision": document["revision"],
        "spec_sha256": latest["sha256"],
        "started_at": document["started_at"],
        "updated_at": document["updated_at"],
        "enumerated": document["enumerated"],
        "survivors": document["survivors"],
        "spent_core_hours": ledger.spent_core_hours(store, document["_id"]),
        "state": document["state"],
        "spec": latest["text"],
    }


def _attempt_row(document: Mapping[str, Any]) -> dict[str, object]:
    names = {column.name for column in fixed_columns("attempts")} - {"campaign", "candidate_id"}
    row: dict[str, object] = {name: document.get(name) for name in names}
    row["candidate_id"] = document["candidate"]
    row["attempt"] = str(document["attempt"])
    return row


def result_rows(store: Store, campaign: str) -> Iterator[dict[str, object]]:
    """Yield a row for every settled stage of every member, joined with the result of its key."""
    members = list(store.candidates.find({"campaign": campaign, "member": True}))
    keys = {entry["key"] for one in members for entry in one["stages"].values()}
    results = ledger.find_results(store, keys, campaign)
    tasks = ledger.find_campaign(store, campaign)["tasks"]
    failed = _failed_attempts(store, campaign)
    for document in members:
        for stage, entry in document["stages"].items():
            if not StageState(entry["state"]).settled:
                continue
            yield {
                **_member_columns(document),
                **_entry_columns(entry),
                **_task_names(tasks.get(stage, {})),
                **_computed_columns(entry, results.get(entry["key"])),
                **_attempt_columns(entry, failed.get(entry["key"])),
                "stage": stage,
            }


def _task_names(task: Mapping[str, Any]) -> dict[str, object]:
    return {name: task[name] for name in ("engine", "task") if name in task}


def _failed_attempts(store: Store, campaign: str) -> dict[str, Mapping[str, Any]]:
    """Return the last failed attempt by key."""
    found = store.attempts.find({"campaign": campaign, "outcome": "failed"}).sort("attempt", 1)
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
    return {
        "engine": result.engine,
        "task": result.task,
        "recovery": [one.model_dump(mode="json") for one in result.recovery],
        "structure": structure,
        "program": result.program,
        "started_at": result.started_at,
        "finished_at": result.finished_at,
        "walltime_s": result.walltime_s,
        "core_hours": ledger.core_hours(result.cores, result.walltime_s),
        "cores": result.cores,
        "attempt": str(result.attempt),
        "artefacts": result.artefacts,
        "schema_version": result.schema_version,
        **result.values,
    }
