"""The best candidates as a table: ranked by one column, which readers may change."""

from __future__ import annotations

from runner.report.labels import label
from runner.report.markup import Raw, Section, paragraph, table
from runner.report.objectives import Objective
from runner.report.points import FATES, Points

SHOWN = 25
MOST_COLUMNS = 4


def section(points: Points, objectives: tuple[Objective, ...]) -> Section:
    """Return the table; scripts sort it, and put other candidates in."""
    if not objectives:
        text = "No column of numbers is published yet, so nothing can be ranked."
        return Section("best", "Best candidates", paragraph(text))
    first = objectives[0]
    names = [first.name, *beside(points, first)]
    order = ranked(points, first)
    rows = []
    for at in order[:SHOWN]:
        anchor = f"c-{at}"
        link = f'<a id="{anchor}" href="#{anchor}">{points.formula[at]}</a>'
        values = [points.column(name).values[at] for name in names]
        rows.append((Raw(link), FATES[points.fate[at]], *values))
    headers = ("candidate", "state", *(str(label(name)) for name in names))
    end = "largest" if first.largest else "smallest"
    caption = f"The best {len(rows)} of {len(order):,} by {label(first.name)}, {end} first"
    listed = table(caption, headers, rows, anchor="best-table")
    card = '<div id="best-card" class="card" aria-live="polite" hidden></div>'
    body = (
        '<form class="controls" data-controls="best"></form>'
        f'<div class="beside">{listed}{card}</div>'
    )
    data = {"by": first.name, "largest": first.largest, "columns": names, "shown": SHOWN}
    return Section("best", "Best candidates", body, data={"best": data})


def ranked(points: Points, by: Objective) -> list[int]:
    """Return the positions of candidates that have a value, the best first; rejects are left out.

    References are phases to compare with, and are left out too.
    """
    values = points.column(by.name).values
    rejected, reference = FATES.index("rejected"), FATES.index("reference")
    known = [
        (value, at)
        for at, value in enumerate(values)
        if value is not None and points.fate[at] not in {rejected, reference}
    ]
    sign = -1 if by.largest else 1
    return [at for value, at in sorted(known, key=lambda one: (sign * one[0], one[1]))]


def beside(points: Points, by: Objective) -> list[str]:
    """Return the columns to show beside: of each quantity the one that was computed last."""
    wanted = (
        "band_gap_ev", "above_hull_ev_per_atom", "formation_energy_ev_per_atom",
        "hull_distance_ev_per_atom", "volume_ang3_per_atom", "a_ang", "tolerance_factor",
        "energy_ev_per_atom",
    )  # fmt: skip
    found: list[str] = []
    for name in wanted:
        named = [one.name for one in points.numbers if one.name.rpartition(".")[2] == name]
        found += [one for one in named[:1] if one != by.name]
    return found[:MOST_COLUMNS]
