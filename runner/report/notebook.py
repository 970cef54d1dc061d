"""`campaign report --notebook`: the same analyses as a Jupyter notebook, in code to go on from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from runner.report.labels import label
from runner.report.objectives import objectives
from runner.report.points import Points, points
from runner.report.published import Published

CELLS: tuple[tuple[str, str], ...] = (
    ("markdown", """# Campaign $campaign

The analyses of `campaign report $campaign`, in code. The first cell opens the published tables; the
others can be changed and run again. Needed beside this package: plotly, pandas."""),
    ("code", """from pathlib import Path

import plotly.express as px
from runner.api import Tables

tables = Tables([Path(folder) for folder in $folders], "$campaign")
tables.names()"""),
    ("markdown", "## The funnel"),
    ("code", """funnel = tables.sql(
    "SELECT coalesce(step, 'passed all filters') AS step, verdict, count(*) AS candidates "
    "FROM screening GROUP BY 1, 2 ORDER BY candidates DESC"
).to_pandas()
funnel"""),
    ("code", """outcomes = tables.sql(
    "SELECT stage, outcome, count(*) AS candidates FROM results GROUP BY stage, outcome "
    "ORDER BY stage, outcome"
).to_pandas()
px.bar(outcomes, x="stage", y="candidates", color="outcome")"""),
    ("markdown", "## Best candidates\n\nA row per candidate; columns of stages: `stage.column`."),
    ("code", """candidates = tables.candidates().to_pandas()
by, largest = $by, $largest
best = candidates.sort_values(by, ascending=not largest) if by else candidates
best[["formula", "fate", *([by] if by else [])]].head(25)"""),
    ("markdown", "## Compare two properties, and their Pareto front"),
    ("code", """from runner.api import pareto_front

x, y = $x, by
if x and y:
    on_front = pareto_front(candidates, x, y, xlargest=$xlargest, ylargest=largest)
    figure = px.scatter(candidates, x=x, y=y, color="fate", hover_name="formula", labels=$labels)
    figure.add_scatter(
        x=on_front[x], y=on_front[y], mode="lines", name="Pareto front", line={"dash": "dot"}
    )
else:
    figure = None
figure"""),
    ("markdown", "## Distributions"),
    ("code", """px.histogram(candidates, x=by, color="fate", labels=$labels) if by else None"""),
    ("markdown", "## Elements"),
    ("code", """elements = candidates.explode("elements").groupby("elements")
by_element = elements.size().rename("candidates").to_frame()
if by:
    by_element[f"median of {by}"] = elements[by].median()
by_element.sort_values("candidates", ascending=False)"""),
    ("markdown", "## Phase stability\n\nWhere the campaign has an analysis `hull`."),
    ("code", """hull = (
    tables.sql(
        "SELECT formula, formation_energy_ev_per_atom, above_hull_ev_per_atom FROM results "
        "WHERE above_hull_ev_per_atom IS NOT NULL ORDER BY above_hull_ev_per_atom"
    ).to_pandas()
    if "above_hull_ev_per_atom" in tables.columns("results")
    else None
)
hull"""),
    ("markdown", """## Bands and densities of states

Where the campaign has the tasks `bands` or `dos`: the curves of one candidate, and by
`curve(column, formula)` those of another. Energies are from `zero`: the top of the valence band
(`vbm`) or the Fermi energy."""),
    ("code", """import json

import plotly.graph_objects as go


def curve(column, formula=None):
    if column not in tables.columns("results"):
        return None
    found = tables.sql(
        f"SELECT formula, {column} FROM results WHERE {column} IS NOT NULL ORDER BY formula"
    ).to_pylist()
    chosen = [row for row in found if formula in (None, row["formula"])]
    return (chosen[0]["formula"], json.loads(chosen[0][column])) if chosen else None


bands_figure = None
if found := curve("band_structure"):
    bands_figure = go.Figure(
        layout={"title": {"text": f"Bands of {found[0]}"}, "showlegend": False}
    )
    along = found[1]["distances_per_ang"]
    for channel, colour in zip(found[1]["energies_ev"], ("#0072B2", "#D55E00")):
        for band in channel:
            bands_figure.add_scatter(x=along, y=band, mode="lines", line={"color": colour})
    at, names = zip(*found[1]["ticks"])
    bands_figure.update_xaxes(tickvals=[along[one] for one in at], ticktext=names)
    bands_figure.update_yaxes(title_text="energy / eV")
bands_figure"""),
    ("code", """dos_figure = None
if found := curve("density_of_states"):
    dos_figure = go.Figure(layout={"title": {"text": f"Density of states of {found[0]}"}})
    for number, channel in enumerate(found[1]["states_per_ev"]):
        energies = [found[1]["start_ev"] + n * found[1]["step_ev"] for n in range(len(channel))]
        dos_figure.add_scatter(x=energies, y=channel, mode="lines", name=f"spin {number + 1}")
    dos_figure.update_xaxes(title_text="energy / eV")
    dos_figure.update_yaxes(title_text="states / eV")
dos_figure"""),
    ("markdown", "## Failures and recovery"),
    ("code", """tables.sql(
    "SELECT stage, failure, count(*) AS candidates FROM results WHERE failure IS NOT NULL "
    "GROUP BY stage, failure ORDER BY candidates DESC"
).to_pandas()"""),
    ("code", """from collections import Counter

repaired = tables.sql(
    "SELECT recovery FROM results WHERE recovery IS NOT NULL AND outcome = 'ok' AND NOT cached"
).to_pylist()
Counter(
    (fix["failure"], fix["action"]) for row in repaired for fix in json.loads(row["recovery"])
).most_common()"""),
    ("markdown", "## Cost and time"),
    ("code", """cost = tables.sql(
    "SELECT stage, outcome, sum(core_hours) AS core_hours, count(*) AS attempts FROM attempts "
    "GROUP BY stage, outcome ORDER BY stage, outcome"
).to_pandas()
px.bar(cost, x="stage", y="core_hours", color="outcome", labels={"core_hours": "core h"})"""),
    ("markdown", "## Structures\n\nThe last computed one of every candidate, by pymatgen."),
    ("code", """structures = tables.structures()
len(structures)"""),
    ("markdown", "## Provenance"),
    ("code", """tables.sql(
    "SELECT program, stage, count(*) AS results, min(started_at) AS first, "
    "max(finished_at) AS last FROM results WHERE outcome = 'ok' GROUP BY program, stage"
).to_pandas()"""),
)  # fmt: skip


def notebook(folders: Sequence[Path], campaign: str) -> str:
    """Return the notebook as JSON of nbformat 4.

    Raises
    ------
    UserError
        When nothing is published of the campaign.
    """
    with Published(folders, campaign) as published:
        values = _values([one.absolute() for one in folders], campaign, points(published))
    cells = [
        _cell(number, kind, _filled(text, values)) for number, (kind, text) in enumerate(CELLS)
    ]
    document = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "language_info": {"name": "python"},
        },
        "cells": cells,
    }
    return json.dumps(document, indent=1) + "\n"


def _values(folders: Sequence[Path], campaign: str, found: Points) -> dict[str, str]:
    """Return what stands for `$name` in the cells, as Python."""
    by = objectives(found.numbers)
    first = by[0] if by else None
    second = by[1] if len(by) > 1 else None
    labels = {one.name: str(label(one.name)) for one in (first, second) if one}
    return {
        "campaign": campaign,
        "folders": repr([str(one) for one in folders]),
        "by": repr(first.name if first else None),
        "largest": repr(first.largest if first else True),
        "x": repr(second.name if second else None),
        "xlargest": repr(second.largest if second else True),
        "labels": repr(labels),
    }


def _filled(text: str, values: dict[str, str]) -> str:
    for name in sorted(values, key=len, reverse=True):
        text = text.replace(f"${name}", values[name])
    return text


def _cell(number: int, kind: str, text: str) -> dict[str, object]:
    cell: dict[str, object] = {
        "id": f"cell-{number:02d}",
        "cell_type": kind,
        "metadata": {},
        "source": text.splitlines(keepends=True),
    }
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})
