"""Pages and the parts of pages that are renewed, from templates; all text is escaped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from runner.dashboard import charts, words
from runner.dashboard.errands import Errand
from runner.dashboard.questions import Snapshot

HERE = Path(__file__).parent
REGIONS = ("summary", "stages", "rate", "crew", "failures", "funnel", "repairs")
"""Of a campaign's page, each in a template of its own."""


@cache
def environment() -> Environment:
    """Return the templates."""
    templates = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    templates.filters |= {
        "number": words.number,
        "duration": words.duration,
        "span": words.span,
        "moment": words.moment,
        "pieces": lambda counts: list(charts.pieces(counts)),
        "code": code,
        "columns": lambda slices: list(charts.columns(slices)),
    }
    templates.globals |= {
        "later": words.later,
        "states": charts.STATES,
        "history": {"width": charts.HISTORY_WIDTH, "height": charts.HISTORY_HEIGHT},
    }
    return templates


def code(text: str) -> Markup:
    """Return a text in which what stands in backquotes is code."""
    pieces = [escape(one) for one in text.split("`")]
    marked = (
        Markup("<code>{}</code>").format(one) if n % 2 else one for n, one in enumerate(pieces)
    )
    return Markup("").join(marked)


def page(template: str, **values: Any) -> str:
    """Return a whole page."""
    return environment().get_template(template).render(**values)


def campaign_regions(snapshot: Snapshot, errand: Errand | None, *, acts: bool) -> dict[str, str]:
    """Return the parts of a campaign's page that are renewed, by name.

    `acts`: with buttons. They belong to a form outside of these parts, whose key proves who sends
    it: the parts are the same for all viewers.
    """
    values = campaign_values(snapshot) | {"errand": errand, "acts": acts}
    regions = {name: page(f"region_{name}.html", **values) for name in REGIONS}
    return regions | {"announcement": announcement(snapshot)}


def overview_regions(snapshots: Sequence[Snapshot]) -> dict[str, str]:
    """Return the parts of the overview that are renewed, by name."""
    listed = [campaign_values(one) for one in snapshots]
    told = " ".join(announcement(one) for one in snapshots if one.is_moving)
    return {"campaigns": page("region_campaigns.html", campaigns=listed), "announcement": told}


def campaign_values(snapshot: Snapshot) -> dict[str, Any]:
    """Return what templates need to know of a campaign."""
    status = snapshot.status
    total = sum(one.settled + one.unsettled for one in status.stages)
    return {
        "snapshot": snapshot,
        "status": status,
        "name": status.campaign,
        "total": total,
        "settled": total - status.unsettled,
        "done": sum(one.ok for one in status.stages),
        "running": sum(one.running for one in status.stages),
        "troubled": sum(one.failed + one.held for one in status.stages),
        "state": state(snapshot),
        "reasons": reasons(snapshot),
    }


def state(snapshot: Snapshot) -> str:
    """Return in a word how a campaign stands."""
    if snapshot.is_paused:
        return "paused"
    if snapshot.controller:
        return "running"
    if not snapshot.status.unsettled and snapshot.status.state != "new":
        return "settled"
    return "running elsewhere" if snapshot.is_moving else "stopped"


def reasons(snapshot: Snapshot) -> Mapping[str, int]:
    """Return why jobs wait in the queue, the most frequent reason first."""
    jobs = snapshot.status.fleet.jobs if snapshot.status.fleet else ()
    waits = Counter(one.reason or "no reason given" for one in jobs if one.phase == "waiting")
    return dict(waits.most_common())


def announcement(snapshot: Snapshot) -> str:
    """Return what a screen reader says of a campaign now and then."""
    values = campaign_values(snapshot)
    text = f"{values['name']}: {values['settled']} of {values['total']} calculations settled"
    return f"{text}, {values['troubled']} failed or held." if values["troubled"] else f"{text}."
