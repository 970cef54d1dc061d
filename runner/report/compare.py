"""Two columns against each other, with the Pareto front of both; and how one is distributed."""

from __future__ import annotations

from runner.report.markup import Section, figure, paragraph
from runner.report.objectives import Objective
from runner.report.points import Numbers, Points


def scatter_section(points: Points, objectives: tuple[Objective, ...]) -> Section | None:
    """Return the place where scripts draw any two columns; None where there are no two."""
    if len(points.numbers) < 2 or not objectives:  # noqa: PLR2004  (two axes)
        return None
    x, y = (*objectives, *objectives)[1], objectives[0]
    first = {"x": x.name, "y": y.name, "xlargest": x.largest, "ylargest": y.largest}
    body = (
        '<form class="controls" data-controls="scatter"></form>'
        '<div class="beside">'
        + figure("scatter", "Each point is a candidate; the line joins those of the Pareto front")
        + '<div id="scatter-card" class="card" aria-live="polite">'
        "<p>Touch or point at a candidate to see its structure and values.</p></div></div>"
        '<div id="pareto"></div>' + _part(points)
    )
    return Section("compare", "Compare", body, data={"scatter": first})


def distribution_section(points: Points, objectives: tuple[Objective, ...]) -> Section | None:
    """Return the place where scripts draw how a column is distributed.

    None where no column has two values: one alone has no distribution. Of a stage that has one
    result so far, the next column that has more is drawn first.
    """
    names = [*(one.name for one in objectives), *(one.name for one in points.numbers)]
    several = [name for name in names if _known(points.column(name)) > 1]
    if not several:
        return None
    body = (
        '<form class="controls" data-controls="distribution"></form>'
        + figure("distribution", "How many candidates have which value")
        + '<div id="distribution-table"></div>'
        + _part(points)
    )
    return Section("distributions", "Distributions", body, data={"distribution": {"x": several[0]}})


def _known(numbers: Numbers) -> int:
    return sum(value is not None for value in numbers.values)


def _part(points: Points) -> str:
    shown = len(points.formula)
    if points.total == shown:
        return ""
    return paragraph(
        f"Shown are {shown:,} of {points.total:,} candidates: all that were computed first, and a "
        "sample of the others.",
        "small",
    )


def pareto_front(
    x: list[float | None], y: list[float | None], *, xlargest: bool, ylargest: bool
) -> list[int]:
    """Return the positions of points that no other is better than in both, from the best x on."""
    sx, sy = -1 if xlargest else 1, -1 if ylargest else 1
    known = sorted(
        (sx * a, sy * b, at)
        for at, (a, b) in enumerate(zip(x, y, strict=True))
        if a is not None and b is not None
    )
    front: list[int] = []
    lowest = None
    last = None
    for a, b, at in known:
        if lowest is None or b < lowest or (a, b) == last:
            front.append(at)
            lowest, last = b, (a, b)
    return front
