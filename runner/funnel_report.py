"""`campaign funnel`: what filters did and why, and what control samples say about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fireworks_ext.store import Store
from runner.audit import Sample, false_negative_rate, good_in
from runner.goodness import goodness
from runner.ml.guarded import UNTRAINED
from runner.place import Place
from runner.screenings import last_counts
from schemas.document import read_document
from schemas.errors import UserError
from schemas.screening_reports import Audit, Between, FunnelReport, FunnelStep, Why

if TYPE_CHECKING:
    import duckdb

MOST_REASONS = 8
"""Of one step; the rest are counted together."""
ALARM_SHARE = 0.1
"""Of the survivors: from here on it is worth an alarm."""
ALL_STAGES = "all stages ended well"
# A reason reads "values; rule (note)": the rule is what rows have in common, or the note, which
# says what was not known. Errors are their own reason.
REASONS = r"""
SELECT step, verdict,
       CASE WHEN verdict = 'error' THEN reason
            WHEN verdict = 'unknown' AND reason LIKE '%(%)'
            THEN regexp_extract(reason, '\(([^()]*)\)$', 1)
            ELSE regexp_extract(reason, '([^;]*)$', 1) END AS why,
       count(*) AS n, min_by(formula || ': ' || reason, "row") AS example
FROM screening WHERE step IS NOT NULL GROUP BY ALL ORDER BY n DESC, why
"""


def funnel(place: Place, store: Store | None, campaign: str) -> FunnelReport:
    """Return the funnel of a campaign's last screening on this machine.

    Raises
    ------
    UserError
        When it was not screened here.
    """
    counts = last_counts(place, campaign)
    document = store.campaigns.find_one({"_id": campaign}) if store else None
    good = _good(document)
    folder = place.data / "screening" / campaign
    if not any(folder.glob("*.parquet")):
        raise UserError(f"{folder}: the screening table is gone; screen the campaign again")
    with _table(folder) as table:
        reasons = _reasons(table)
        controls = dict(table.sql(
            "SELECT candidate_id, step FROM screening WHERE control AND candidate_id IS NOT NULL"
        ).fetchall())  # fmt: skip
        alarms = tuple(_outside(table))
    verdicts = dict(goodness(store, campaign, good)) if store and document else {}
    plain = Counter(value for one, value in verdicts.items() if one not in controls)
    passed = Sample(sum(plain.values()), plain[True] + plain[False], plain[True])
    steps = [
        FunnelStep(
            **step,
            reasons=tuple(reasons.get(step["step"], ())),
            audit=_audit(step, controls, verdicts, passed) if step["control"] else None,
        )
        for step in counts["filters"]
    ]
    names = {step.step for step in steps}
    return FunnelReport(
        campaign=campaign,
        screened_at=datetime.fromisoformat(counts["screened_at"]),
        enumerated=counts["enumerated"],
        survivors=counts["survivors"],
        steps=tuple(steps),
        others=tuple(why for name, found in reasons.items() if name not in names for why in found),
        good=good or ALL_STAGES,
        computed=passed.seen,
        good_survivors=passed.good,
        alarms=alarms,
    )


def _good(document: Mapping[str, Any] | None) -> str | None:
    """Return what the campaign's file, as it was last run, calls good."""
    if document is None:
        return None
    data = read_document(document["revisions"][-1]["text"], document["_id"]).data
    block = data.get("screening")
    return str(block["good"]) if isinstance(block, dict) and block.get("good") else None


def _table(folder: Path) -> duckdb.DuckDBPyConnection:
    import duckdb

    connection = duckdb.connect()
    relation = connection.read_parquet([str(path) for path in sorted(folder.glob("*.parquet"))])
    relation.create_view("screening")
    return connection


def _reasons(table: duckdb.DuckDBPyConnection) -> dict[str, list[Why]]:
    found: dict[str, list[Why]] = {}
    for step, verdict, why, count, example in table.sql(REASONS).fetchall():
        listed = found.setdefault(step, [])
        if len(listed) < MOST_REASONS:
            text = " ".join((why or "no reason").split())
            listed.append(Why(verdict=verdict, why=text, count=count, example=example or ""))
        else:
            last = listed[-1]
            more = last.count + count if last.why == "others" else count
            other = Why(verdict=verdict, why="others", count=more, example=example or "")
            listed[-1 if last.why == "others" else len(listed) :] = [other]
    return found


def _audit(
    step: Mapping[str, Any],
    controls: Mapping[str, str],
    verdicts: Mapping[str, bool | None],
    passed: Sample,
) -> Audit:
    """Return what the computed rejects of a step say about all of its rejects."""
    sampled = [one for one, name in controls.items() if name == step["step"]]
    known = [verdicts.get(one) for one in sampled if verdicts.get(one) is not None]
    rejects = Sample(step["rejected"], len(known), sum(map(bool, known)))
    missed, rate = good_in(rejects), false_negative_rate(rejects, passed)
    return Audit(
        rejects=rejects.size,
        sampled=len(sampled),
        computed=rejects.seen,
        good=rejects.good,
        thrown_away=Between(
            low=missed.low, expected=missed.expected if known else None, high=missed.high
        ),
        false_negative_rate=Between(low=rate.low, expected=rate.expected, high=rate.high),
    )


def _outside(table: duckdb.DuckDBPyConnection) -> list[str]:
    """Return an alarm where models judge what is unlike their training data."""
    outside, survivors = table.execute(
        "SELECT count(*) FILTER (WHERE note LIKE ?), count(*) FROM screening "
        "WHERE verdict = 'pass'",
        [f"%{UNTRAINED}%"],
    ).fetchall()[0]
    if not survivors or outside / survivors < ALARM_SHARE:
        return []
    alarm = (
        f"{outside} of {survivors} candidates that go on are unlike what a model was trained on "
        "(column `note`): do not trust its values there; have some of its rejects computed with "
        "`control_sample`"
    )
    return [alarm]
