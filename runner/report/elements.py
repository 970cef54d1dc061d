"""The periodic table of the search: how often each element was screened, and how it fared."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from runner.crystal.elements import ATOMIC_NUMBERS, SYMBOLS
from runner.report.labels import label
from runner.report.markup import Section, details, table
from runner.report.points import FATES, Points
from runner.report.published import Published

PERIOD_STARTS = (1, 3, 11, 19, 37, 55, 87)
LANTHANUM, ACTINIUM, SERIES = 57, 89, 15
_QUERY = """
SELECT element, count(*) AS screened,
       count(*) FILTER (WHERE verdict = 'pass') AS passed
FROM (SELECT unnest(elements) AS element, verdict FROM screening) GROUP BY element
"""
MOST_COLUMNS = 40


def section(published: Published, points: Points) -> Section | None:
    """Return the heat map; None where no candidate names its elements."""
    counts = {row["element"]: row for row in published.rows(_QUERY)}
    if not counts:
        counts = _of_points(points)
    present = [symbol for symbol in SYMBOLS if symbol in counts]
    if not present:
        return None
    medians = column_medians(points, present)
    rows = [
        (one, ATOMIC_NUMBERS[one], counts[one]["screened"], counts[one]["passed"],
         100 * counts[one]["passed"] / counts[one]["screened"])
        for one in present
    ]  # fmt: skip
    headers = ("element", "atomic number", "screened", "go on", "go on / %")
    data = {
        "cells": [(symbol, *place(number)) for number, symbol in enumerate(SYMBOLS, start=1)],
        "measures": [
            {"name": "candidates screened", "values": {row[0]: row[2] for row in rows}},
            {"name": "share that filters let pass / %", "values": {row[0]: row[4] for row in rows}},
            *medians,
        ],
    }  # fmt: skip
    body = (
        '<form class="controls" data-controls="elements"></form>'
        '<div class="wide" tabindex="0" role="region" aria-label="Periodic table">'
        '<div id="periodic" role="img" aria-label="Heat map of the periodic table; '
        'the table below has the same numbers"></div></div><p id="periodic-scale"></p>'
        + details("The same as a table", table("Elements of the candidates", headers, rows))
    )
    return Section("elements", "Elements", body, data={"elements": data})


def place(number: int) -> tuple[int, int]:
    """Return (row, column) of an element in the long form with 18 columns, both from 1.

    Lanthanides and actinides stand below, in rows 9 and 10.
    """
    for row, start in ((9, LANTHANUM), (10, ACTINIUM)):
        if start <= number < start + SERIES:
            return row, 3 + number - start
    period = sum(number >= start for start in PERIOD_STARTS)
    offset = number - PERIOD_STARTS[period - 1]
    if period == 1:
        return 1, 1 if offset == 0 else 18
    if period <= 3:  # noqa: PLR2004  (periods without d elements)
        return period, offset + 1 if offset < 2 else offset + 11  # noqa: PLR2004  (s, then p)
    long = 15 if number > LANTHANUM else 1
    return period, offset + 1 if offset < 2 else offset + 2 - long  # noqa: PLR2004  (s, then d)


def column_medians(points: Points, present: Sequence[str]) -> list[dict[str, Any]]:
    """Return, for each column of numbers, the median of the candidates that hold an element."""
    where: dict[str, list[int]] = {one: [] for one in present}
    for at, elements in enumerate(points.elements):
        for element in elements:
            if element in where:
                where[element].append(at)
    found = []
    for column in points.numbers[:MOST_COLUMNS]:
        values = {}
        for element, positions in where.items():
            known = [v for at in positions if (v := column.values[at]) is not None]
            if known:
                values[element] = float(f"{median(known):.4g}")
        found.append({"name": f"median of {label(column.name)}", "values": values})
    return found


def _of_points(points: Points) -> dict[str, dict[str, int]]:
    rejected = FATES.index("rejected")
    counts: dict[str, dict[str, int]] = {}
    for elements, fate in zip(points.elements, points.fate, strict=True):
        for element in elements:
            one = counts.setdefault(element, {"screened": 0, "passed": 0})
            one["screened"] += 1
            one["passed"] += fate != rejected
    return counts
