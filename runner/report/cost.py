"""What the campaign took: core-hours and time by stage, and results over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runner.report.markup import (
    BLUE,
    ORANGE,
    Figure,
    Section,
    figure,
    layout,
    number,
    paragraph,
    table,
)
from runner.report.published import Published
from schemas.ledger import ANALYSIS

MOST_MOMENTS = 400
_STAGES = """
SELECT stage, sum(core_hours) FILTER (WHERE outcome = 'ok') AS useful,
       sum(core_hours) FILTER (WHERE outcome <> 'ok') AS other,
       count(*) AS attempts, median(walltime_s) AS median_s, max(walltime_s) AS longest_s,
       max(peak_memory_gb) AS memory_gb, {usd} AS usd
FROM attempts WHERE finished_at IS NOT NULL
GROUP BY stage ORDER BY list_position(?::VARCHAR[], stage)
"""
_CACHED = "SELECT stage, count(*) AS n FROM results WHERE cached GROUP BY stage"
_MOMENTS = """
SELECT finished_at, row_number() OVER (ORDER BY finished_at) AS n
FROM results WHERE outcome = 'ok' AND NOT cached AND finished_at IS NOT NULL ORDER BY finished_at
"""
_PAID = """
SELECT sum(core_hours) AS hours, sum(cost_usd) AS usd,
       count(*) FILTER (WHERE core_hours > 0 OR cost_usd IS NOT NULL) AS attempts,
       count(*) FILTER (WHERE core_hours > 0 AND cost_usd IS NULL) AS unpriced
FROM attempts
"""
_USEFUL = """
SELECT count(DISTINCT candidate_id) AS n FROM results
WHERE outcome = 'ok' AND NOT cached AND engine IS DISTINCT FROM ?
"""
"""What the attempts paid for: not what was known before, nor references of analyses."""
CENT_USD = 0.01


def section(published: Published) -> Section:
    """Return the section; what has no price says so."""
    usd = "sum(cost_usd)" if "cost_usd" in published.columns("attempts") else "NULL"
    stages = published.rows(_STAGES.format(usd=usd), [list(published.stages)])
    if not stages:
        text = "No calculation has ended yet."
        return Section("cost", "Cost and time", paragraph(text))
    listed = by_stage(stages, {one["stage"]: one["n"] for one in published.rows(_CACHED)})
    body = paragraph(money(published)) + figure("cost", "Core-hours by stage", listed)
    figures = {"cost": bars(stages)}
    moments = published.rows(_MOMENTS)
    if len(moments) > 1:
        body += figure("progress", "Results over time; times are UTC")
        figures["progress"] = progress(moments)
    return Section("cost", "Cost and time", body, figures)


def by_stage(stages: Sequence[Mapping[str, Any]], known: Mapping[str, int]) -> str:
    """Return the table; it has a column of money where any attempt has a price.

    `known` counts, by stage, the results that were known before.
    """
    headers: tuple[str, ...] = (
        "stage", "core-hours of results", "core-hours of other attempts", "attempts",
        "median time / s", "longest / s", "largest memory / GB", "known before",
    )  # fmt: skip
    rows: list[tuple[object, ...]] = [
        (one["stage"], one["useful"] or 0.0, one["other"] or 0.0, one["attempts"],
         one["median_s"], one["longest_s"], one["memory_gb"], known.get(one["stage"], 0))
        for one in stages
    ]  # fmt: skip
    paid = [one["usd"] for one in stages]
    if any(usd is not None for usd in paid):
        headers = (*headers, "cost of attempts with a price")
        amounts = [None if usd is None else amount(usd) for usd in paid]
        rows = [(*row, text) for row, text in zip(rows, amounts, strict=True)]
    return table("Core-hours and times by stage", headers, rows)


def money(published: Published) -> str:
    """Return what was paid, as far as attempts have a price; per material only where all have."""
    if "cost_usd" not in published.columns("attempts"):
        return _unpriced(published)
    (paid,) = published.rows(_PAID)
    if paid["usd"] is None:
        return _unpriced(published)
    hours, paid_usd = _hours(paid["hours"]), amount(paid["usd"])
    if paid["unpriced"]:
        return (
            f"{hours} Those with a price cost {paid_usd}; {paid['unpriced']:,} of "
            f"{paid['attempts']:,} attempts had no price."
        )
    (useful,) = published.rows(_USEFUL, [ANALYSIS])
    count = useful["n"]
    if not count:
        return f"{hours} They cost {paid_usd}."
    materials = "the one material" if count == 1 else f"each of the {count:,} materials"
    each_usd = paid["usd"] / count
    each = f"{number(100 * each_usd, 3)} cents" if each_usd < 1 else amount(each_usd)
    return f"{hours} They cost {paid_usd}, {each} for {materials} with a new result."


def amount(usd: float) -> str:
    """Return an amount of money for people: dollars, or cents where it is less than one."""
    if 0 < usd < CENT_USD:
        return f"{number(100 * usd, 3)} cents"
    return f"US$ {usd:,.2f}"


def _unpriced(published: Published) -> str:
    (spent,) = published.rows("SELECT sum(core_hours) AS hours FROM attempts")
    return f"{_hours(spent['hours'])} No price is known for the machines that computed them."


def _hours(hours: float | None) -> str:
    return f"All attempts together took {number(hours or 0.0, 3)} core-hours."


def bars(stages: Sequence[Mapping[str, Any]]) -> Figure:
    """Return core-hours by stage: those that gave results, and the others."""
    names = [one["stage"] for one in stages]
    parts = (("ended well", "useful", BLUE), ("failed or interrupted", "other", ORANGE))
    return {
        "data": [
            {
                "type": "bar",
                "name": words,
                "x": names,
                "y": [one[key] or 0.0 for one in stages],
                "marker": {"color": colour, "pattern": {"shape": "/" if key == "other" else ""}},
                "hovertemplate": "%{x}: %{y:.3~g} core h<extra>" + words + "</extra>",
            }
            for words, key, colour in parts
        ],
        "layout": layout(
            barmode="stack",
            height=320,
            xaxis={"type": "category", "title": {"text": "stage"}},
            yaxis={"title": {"text": "core h"}, "automargin": True, "rangemode": "tozero"},
            legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
            margin={"l": 64, "r": 16, "t": 64, "b": 56},
        ),
    }


def progress(moments: Sequence[Mapping[str, Any]]) -> Figure:
    """Return the number of results over time, thinned out where there are many."""
    step = max(1, len(moments) // MOST_MOMENTS)
    kept = [*moments[::step], moments[-1]]
    return {
        "data": [
            {
                "type": "scatter",
                "mode": "lines",
                "x": [one["finished_at"].isoformat() for one in kept],
                "y": [one["n"] for one in kept],
                "line": {"color": BLUE, "shape": "hv"},
                "hovertemplate": "%{x}: %{y} results<extra></extra>",
            }
        ],
        "layout": layout(
            height=300,
            xaxis={"type": "date", "title": {"text": "UTC"}},
            yaxis={"title": {"text": "results"}, "rangemode": "tozero", "automargin": True},
        ),
    }
