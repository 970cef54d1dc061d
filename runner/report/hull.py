"""Convex hulls of two or three elements, from the campaign's own formation energies."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

from runner.report.markup import BLUE, GREEN, GREY, Figure, Section, figure, layout, table
from runner.report.published import Published
from schemas.errors import UserError

MOST_SYSTEMS = 40
BINARY, TERNARY = 2, 3
NEEDED = frozenset({"formation_energy_ev_per_atom", "above_hull_ev_per_atom"})
_PART = re.compile(r"([A-Z][a-z]?)(\d+(?:\.\d+)?)?")
SHARES = [-0.05, 1.05]
SMALLEST_SCALE = 0.1
"""What the scale of colours reaches at least, in eV/atom."""
COLOURS = [[0.0, "#00795b"], [0.5, "#e6c229"], [1.0, "#8c2d04"]]


@dataclass(frozen=True)
class Phase:
    """One phase with its formation energy and its distance to the hull, in eV/atom."""

    formula: str
    formation: float
    above: float

    @cached_property
    def amounts(self) -> dict[str, float]:
        """Amounts by element."""
        return {symbol: float(n or 1) for symbol, n in _PART.findall(self.formula)}

    def share(self, element: str) -> float:
        """Return the share of an element in the atoms."""
        return self.amounts.get(element, 0.0) / sum(self.amounts.values())


def section(published: Published) -> Section | None:
    """Return the diagrams of all systems, or of those with the best compounds; None without any."""
    if not published.columns("results") >= NEEDED:
        return None
    rows = published.rows(
        "SELECT formula, formation_energy_ev_per_atom AS formation, above_hull_ev_per_atom AS above"
        " FROM results WHERE outcome = 'ok' AND above_hull_ev_per_atom IS NOT NULL"
        " AND formation_energy_ev_per_atom IS NOT NULL ORDER BY above, formula"
    )
    phases = [Phase(**row) for row in rows]
    chosen = systems(phases)
    if not chosen:
        return None
    parts = {one: within(phases, one) for one in chosen}
    order = sorted(chosen, key=lambda one: (-len(parts[one]), one))
    figures = {"-".join(one): diagram(one, parts[one]) for one in order}
    stable = [(one.formula, one.formation, one.above) for one in phases if len(one.amounts) > 1]
    body = (
        '<form class="controls" data-controls="hull"></form>'
        + figure("hull", "Formation energy over composition; green phases are on the hull")
        + table(
            "Compounds closest to the hull",
            ("compound", "formation energy / eV/atom", "above hull / eV/atom"),
            stable[:25],
        )
    )
    return Section("hull", "Phase stability", body, data={"hull": figures})


def systems(phases: Sequence[Phase]) -> list[tuple[str, ...]]:
    """Return the chemical systems of two and three elements that hold the best compounds."""
    found: dict[tuple[str, ...], None] = {}
    for phase in phases:
        elements = tuple(sorted(phase.amounts))
        if BINARY <= len(elements) <= TERNARY:
            found.setdefault(elements)
    return list(found)[:MOST_SYSTEMS]


def within(phases: Sequence[Phase], system: Sequence[str]) -> list[Phase]:
    """Return the phases of a chemical system, its elements and subsystems among them."""
    wanted = set(system)
    return [one for one in phases if one.amounts.keys() <= wanted]


def diagram(system: Sequence[str], phases: Sequence[Phase]) -> Figure:
    """Return the diagram of a system of two or three elements."""
    return _binary(system, phases) if len(system) == BINARY else _ternary(system, phases)


def _marker(phases: Sequence[Phase], **more: Any) -> dict[str, Any]:
    return {
        "size": [13 if one.above <= 0 else 9 for one in phases],
        "symbol": ["circle" if one.above <= 0 else "diamond-open" for one in phases],
        "color": [GREEN if one.above <= 0 else BLUE for one in phases],
        **more,
    }


def _texts(phases: Sequence[Phase]) -> list[str]:
    return [
        f"{one.formula}<br>formation {one.formation:.3f} eV/atom"
        f"<br>above hull {one.above:.3f} eV/atom"
        for one in phases
    ]


def _binary(system: Sequence[str], phases: Sequence[Phase]) -> Figure:
    first, second = system
    vertices = {(one.share(second), one.formation) for one in phases if one.above <= 0}
    hull = sorted(vertices | {(0.0, 0.0), (1.0, 0.0)})
    traces = [
        {
            "type": "scatter",
            "mode": "lines",
            "x": [x for x, _ in hull],
            "y": [y for _, y in hull],
            "line": {"color": GREY},
            "hoverinfo": "skip",
        },
        {
            "type": "scatter",
            "mode": "markers+text",
            "x": [one.share(second) for one in phases],
            "y": [one.formation for one in phases],
            "text": [one.formula if one.above <= 0 else "" for one in phases],
            "textposition": "bottom center",
            "cliponaxis": False,
            "hovertext": _texts(phases),
            "hoverinfo": "text",
            "marker": _marker(phases),
        },
    ]
    return {
        "data": traces,
        "layout": layout(
            showlegend=False,
            xaxis={"title": {"text": f"share of {second} in {first}-{second}"}, "range": SHARES},
            yaxis={"title": {"text": "formation energy / eV/atom"}, "automargin": True},
        ),
    }


def _ternary(system: Sequence[str], phases: Sequence[Phase]) -> Figure:
    lines: dict[str, list[float | None]] = {"a": [], "b": [], "c": []}
    for one, other in edges(system, phases):
        for key, element in zip("abc", system, strict=True):
            lines[key] += [one.share(element), other.share(element), None]
    tie_lines = {
        "type": "scatterternary",
        "mode": "lines",
        **lines,
        "line": {"color": GREY, "width": 1},
        "hoverinfo": "skip",
    }
    return {"data": [tie_lines, _ternary_points(system, phases)], "layout": _triangle(system)}


def _ternary_points(system: Sequence[str], phases: Sequence[Phase]) -> dict[str, Any]:
    shares = {
        key: [one.share(element) for one in phases]
        for key, element in zip("abc", system, strict=True)
    }
    bar = {
        "title": {"text": "above hull / eV/atom", "side": "top"},
        "orientation": "h",
        "thickness": 12,
        "len": 0.8,
        "y": -0.2,
        "yanchor": "top",
    }
    above = [one.above for one in phases]
    return {
        "type": "scatterternary",
        "mode": "markers+text",
        **shares,
        "text": [one.formula if one.above <= 0 and len(one.amounts) > 1 else "" for one in phases],
        "textposition": "top center",
        "cliponaxis": False,
        "hovertext": _texts(phases),
        "hoverinfo": "text",
        "marker": _marker(
            phases,
            color=above,
            colorscale=COLOURS,
            cmin=0,
            cmax=max(SMALLEST_SCALE, *above),
            showscale=True,
            colorbar=bar,
        ),
    }


def _triangle(system: Sequence[str]) -> dict[str, Any]:
    axes = {
        f"{key}axis": {"title": {"text": element}, "showticklabels": False, "gridcolor": "#e5e7eb"}
        for key, element in zip("abc", system, strict=True)
    }
    whole = layout(showlegend=False, height=520, ternary={"sum": 1, "bgcolor": "#fff", **axes})
    return whole | {"margin": {"l": 40, "r": 40, "t": 48, "b": 96}}


def edges(system: Sequence[str], phases: Sequence[Phase]) -> list[tuple[Phase, Phase]]:
    """Return the edges of the hull's triangles; none where the phases make no hull."""
    from runner.hull.facets import Entry, Hull

    stable = [one for one in phases if one.above <= 0]
    known = {next(iter(one.amounts)) for one in stable if len(one.amounts) == 1}
    stable += [Phase(element, 0.0, 0.0) for element in system if element not in known]
    entries = [Entry(one.amounts, one.formation, str(at)) for at, one in enumerate(stable)]
    try:
        hull = Hull.of(entries)
    except UserError:
        return []
    found: dict[tuple[int, int], None] = {}
    for triangle in hull.vertices.tolist():
        corners = sorted(int(hull.entries[at].label) for at in triangle)
        for one, other in combinations(corners, 2):
            found.setdefault((one, other))
    return [(stable[one], stable[other]) for one, other in found]
