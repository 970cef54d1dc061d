"""The funnel: how many candidates were left after each filter and each stage, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.funnel_report import REASONS
from runner.report.markup import BLUE, GREEN, Figure, Section, figure, layout, paragraph, table
from runner.report.published import Published

MOST_REASONS = 12
BAR_PX = 44
WORDS = {"reject": "rejected", "error": "not scored, an error"}
"""Verdicts of filters as they are said of several candidates."""
# References, which analyses gather too, are not in the screening.
_OUTCOMES = """
SELECT stage, outcome, count(*) AS n FROM results
WHERE candidate_id IN (SELECT candidate_id FROM screening) OR (SELECT count(*) = 0 FROM screening)
GROUP BY ALL
"""


@dataclass(frozen=True)
class Level:
    """One bar: how many candidates were there after it, and what became of the others."""

    name: str
    kind: str
    """space, filter or stage."""
    left: int
    others: str


def section(published: Published, steps: Sequence[str]) -> Section:
    """Return the funnel; `steps` are the filters in the order in which they were gone through."""
    rejects = published.rows(
        "SELECT step, verdict, count(*) AS n FROM screening WHERE step IS NOT NULL GROUP BY ALL"
    )
    (counted,) = published.rows(
        "SELECT count(*) AS n, count(*) FILTER (WHERE verdict = 'pass') AS passed FROM screening"
    )
    outcomes = published.rows(_OUTCOMES)
    levels = [
        *filter_levels(counted["n"], rejects, steps),
        *stage_levels(published.stages, outcomes),
    ]
    rows = [(one.name, one.kind, one.left, one.others) for one in levels]
    caption = "Candidates left after each filter, and with a result of each stage"
    body = figure("funnel", caption) + table(
        "The funnel in numbers", ("step", "kind", "left", "the others"), rows
    )
    reasons = published.rows(f"{REASONS} LIMIT {MOST_REASONS}")
    if reasons:
        listed = [
            (one["step"], one["verdict"], one["n"], one["why"], one["example"]) for one in reasons
        ]
        headers = ("filter", "verdict", "candidates", "reason", "for example")
        body += table("Most frequent reasons of filters", headers, listed)
    if not counted["n"]:
        body += paragraph("The table of the screening is not published, so filters are not shown.")
    return Section("funnel", "The funnel", body, {"funnel": plot(levels)})


def filter_levels(
    enumerated: int, rejects: Sequence[Mapping[str, Any]], steps: Sequence[str]
) -> list[Level]:
    """Return the space and its filters; those whose place is not known come last."""
    if not enumerated:
        return []
    by_step: dict[str, dict[str, int]] = {}
    for one in rejects:
        by_step.setdefault(one["step"], {})[one["verdict"]] = one["n"]
    order = [*steps, *sorted(by_step.keys() - set(steps))]
    left = enumerated
    levels = [Level("all candidates", "space", enumerated, "")]
    for step in order:
        gone = by_step.get(step, {})
        left -= sum(gone.values())
        others = ", ".join(f"{n:,} {WORDS.get(one, one)}" for one, n in sorted(gone.items()))
        levels.append(Level(step, "filter", left, others))
    return levels


def stage_levels(stages: Sequence[str], outcomes: Sequence[Mapping[str, Any]]) -> list[Level]:
    """Return a level for each stage: how many have a result of it."""
    levels = []
    for stage in stages:
        counts = {one["outcome"]: one["n"] for one in outcomes if one["stage"] == stage}
        others = ", ".join(f"{n:,} {name}" for name, n in sorted(counts.items()) if name != "ok")
        levels.append(Level(stage, "stage", counts.get("ok", 0), others))
    return levels


def plot(levels: Sequence[Level]) -> Figure:
    """Return the bars, the first on top."""
    return {
        "data": [
            {
                "type": "bar",
                "orientation": "h",
                "y": [one.name for one in levels],
                "x": [one.left for one in levels],
                "text": [f"{one.left:,}" for one in levels],
                "textposition": "auto",
                "insidetextfont": {"color": "#ffffff"},
                "hovertemplate": "%{y}: %{x:,}<br>%{customdata}<extra></extra>",
                "customdata": [one.others or " " for one in levels],
                "marker": {"color": [GREEN if one.kind == "stage" else BLUE for one in levels]},
            }
        ],
        "layout": layout(
            height=96 + BAR_PX * len(levels),
            xaxis={"title": {"text": "candidates"}, "rangemode": "tozero"},
            yaxis={"autorange": "reversed", "automargin": True, "type": "category"},
        ),
    }
