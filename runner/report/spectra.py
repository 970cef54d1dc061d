"""Band structures and densities of states of the best candidates that have them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from runner.report.best import ranked
from runner.report.markup import NOTHING, Section, figure, number, paragraph, table
from runner.report.objectives import Objective
from runner.report.points import Points
from runner.report.published import Published

MOST_CANDIDATES = 60
MOST_CHARACTERS = 2_500_000
"""Of all curves together, before they are compressed some three times."""
CURVES = {"bands": "band_structure", "dos": "density_of_states"}
"""What a curve is called on the page -> the column that holds it."""
VALUES = ("band_gap_ev", "direct_gap_ev", "is_metal", "vbm_kpoint", "cbm_kpoint", "lattice_type")

_QUERY = """
SELECT p.i, t.stage, {columns}
FROM points AS p
JOIN (SELECT *, list_position(?::VARCHAR[], stage) AS position FROM results
      WHERE outcome = 'ok' AND {curve} IS NOT NULL) AS t
ON t.candidate_id = p.candidate_id AND p.fate <> 4
QUALIFY row_number() OVER (PARTITION BY p.i ORDER BY position DESC) = 1
ORDER BY p.i
"""
"""Of each candidate the one of the last stage in the campaign file."""


def section(published: Published, points: Points, by: Sequence[Objective]) -> Section | None:
    """Return the figure with a choice of candidates, the best first; None without any curve.

    Needs the table `points`.
    """
    found = _found(published)
    if not found:
        return None
    order = ranked(points, by[0]) if by else []
    place = {at: rank for rank, at in enumerate(order)}
    chosen = sorted(found, key=lambda at: (place.get(at, len(order)), at))
    shown = _that_fit([(at, found[at]) for at in chosen])
    words = f"Of {_counted(len(found), 'candidate')} with bands or a density of states, "
    if len(shown) == len(found):
        words += "all are in this page."
    else:
        words += (
            f"the {len(shown)} best are in this page, so that it stays small; all are in the "
            "column band_structure and density_of_states of the table results."
        )
    data = [{"at": at, "formula": points.formula[at], **curves} for at, curves in shown]
    body = (
        paragraph(words)
        + '<form class="controls" data-controls="spectra"></form>'
        + '<p id="spectra-words" aria-live="polite"></p>'
        + figure(
            "spectra",
            "Bands along the lines of high symmetry, and density of states. Zero is the highest "
            "filled energy, in metals the Fermi energy; the gap is shaded. Spin down is dashed. "
            "The density ends where not all bands were computed.",
        )
        + table(
            "Gaps and where their edges are",
            (
                "candidate",
                "lattice",
                "gap / eV",
                "direct gap / eV",
                "highest filled",
                "lowest empty",
            ),
            [_row(points.formula[at], curves) for at, curves in shown],
        )
    )
    return Section("spectra", "Bands and densities of states", body, data={"spectra": data})


def _found(published: Published) -> dict[int, dict[str, Any]]:
    """Return the curves of every candidate that has any, as they are in the tables."""
    there = published.columns("results")
    found: dict[int, dict[str, Any]] = {}
    for kind, column in CURVES.items():
        if column not in there:
            continue
        columns = ", ".join(f"t.{name}" for name in (*VALUES, column) if name in there)
        query = _QUERY.format(columns=columns, curve=column)
        for row in published.rows(query, [list(published.stages)]):
            about = {name: row.get(name) for name in VALUES}
            curve = {"stage": row["stage"], "text": row[column], **about}
            found.setdefault(row["i"], {})[kind] = curve
    return found


def _that_fit(
    every: Sequence[tuple[int, Mapping[str, Any]]],
) -> list[tuple[int, dict[str, Any]]]:
    """Return the first ones that there is room for, their curves as data."""
    shown: list[tuple[int, dict[str, Any]]] = []
    room = MOST_CHARACTERS
    for at, curves in every[:MOST_CANDIDATES]:
        room -= sum(len(curve["text"]) for curve in curves.values())
        if room < 0 and shown:
            break
        shown.append((at, {kind: _unpacked(curve) for kind, curve in curves.items()}))
    return shown


def _unpacked(curve: Mapping[str, Any]) -> dict[str, Any]:
    about = {name: value for name, value in curve.items() if name != "text"}
    return {**json.loads(curve["text"]), **about}


def _row(formula: str, curves: Mapping[str, Any]) -> tuple[object, ...]:
    about = curves.get("bands") or curves["dos"]
    if about["is_metal"]:
        return (formula, about["lattice_type"], "metal", NOTHING, NOTHING, NOTHING)
    gaps = (number(about[name], 3) for name in ("band_gap_ev", "direct_gap_ev"))
    return (formula, about["lattice_type"], *gaps, about["vbm_kpoint"], about["cbm_kpoint"])


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
