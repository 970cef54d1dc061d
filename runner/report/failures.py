"""What failed and what recovery repaired."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.advice import advice, kind
from runner.report.markup import Section, paragraph, table
from runner.report.published import Published

MOST_REPAIRS = 40
_FAILED = """
SELECT stage, failure, count(*) AS n, min(formula) AS example, min(candidate_id) AS candidate
FROM results WHERE failure IS NOT NULL AND outcome IN ('failed', 'held')
GROUP BY ALL ORDER BY n DESC, failure, stage
"""
_REPAIRED = """
SELECT stage, fix ->> 'failure' AS failure, fix ->> 'action' AS action,
       count(*) AS times, count(DISTINCT candidate_id) AS candidates
FROM (SELECT stage, candidate_id, unnest(from_json(recovery, '["json"]')) AS fix
      FROM results WHERE recovery IS NOT NULL AND outcome = 'ok' AND NOT cached)
GROUP BY ALL ORDER BY times DESC, failure, action LIMIT {most}
"""
_ATTEMPTS = """
SELECT stage, count(*) AS attempts, count(*) FILTER (WHERE outcome = 'ok') AS ok,
       count(*) FILTER (WHERE outcome = 'failed') AS failed,
       count(*) FILTER (WHERE outcome IN ('interrupted', 'lost')) AS interrupted,
       count(*) FILTER (WHERE outcome = 'ok' AND corrections NOT IN ('[]', 'null')) AS repaired,
       sum(core_hours) FILTER (WHERE outcome = 'failed') AS lost_core_hours
FROM attempts GROUP BY stage ORDER BY list_position(?::VARCHAR[], stage)
"""


def section(published: Published) -> Section:
    """Return the tables; a campaign without failures says so."""
    body = _attempts(published) + _repaired(published) + _failed(published)
    return Section("failures", "Failures and recovery", body)


def _attempts(published: Published) -> str:
    headers = (
        "stage", "attempts", "ended well", "of these after repair", "failed",
        "interrupted or lost", "core-hours of failed attempts",
    )  # fmt: skip
    rows = [
        (one["stage"], one["attempts"], one["ok"], one["repaired"], one["failed"],
         one["interrupted"], one["lost_core_hours"] or 0.0)
        for one in published.rows(_ATTEMPTS, [list(published.stages)])
    ]  # fmt: skip
    return table("Attempts at calculations", headers, rows) if rows else ""


def _repaired(published: Published) -> str:
    headers = ("failure", "stage", "what recovery did", "times", "candidates")
    rows = [
        (named(one["failure"]), one["stage"], one["action"], one["times"], one["candidates"])
        for one in published.rows(_REPAIRED.format(most=MOST_REPAIRS))
    ]
    return table("Repaired without help", headers, rows) if rows else ""


def _failed(published: Published) -> str:
    headers = ("failure", "stage", "candidates", "for example", "meaning", "what to do")
    rows = [
        (
            named(one["failure"]),
            one["stage"],
            one["n"],
            one["example"],
            kind(one["failure"]).meaning,
            _advice(published.campaign, one),
        )
        for one in published.rows(_FAILED)
    ]
    if not rows:
        return paragraph("No calculation is left that failed.")
    return table("Left for a person", headers, rows)


def _advice(campaign: str, row: Mapping[str, Any]) -> str:
    values = {"name": campaign, "stage": row["stage"], "candidate": row["candidate"][:12]}
    return advice(row["failure"], values).text.replace("`", "")


def named(failure: str) -> str:
    """Return the name of a failure in words."""
    return failure.replace("_", " ")
