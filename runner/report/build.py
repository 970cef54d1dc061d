"""`campaign report`: from published tables to the page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from uuid import uuid4

from runner.report import (
    best,
    citations,
    compare,
    cost,
    elements,
    failures,
    funnel,
    hull,
    provenance,
    spectra,
)
from runner.report.labels import label
from runner.report.markup import Section, number
from runner.report.objectives import Objective, objectives
from runner.report.page import page
from runner.report.points import FATES, Points, points
from runner.report.published import Published
from runner.report.structures import structures
from schemas.clock import utc_now
from schemas.errors import UserError


def report(folders: Sequence[Path], campaign: str, steps: Sequence[str] = ()) -> str:
    """Return the page about a campaign as HTML.

    Parameters
    ----------
    folders
        Where tables are published.
    steps
        The filters in the order in which they were gone through, as far as that is known.

    Raises
    ------
    UserError
        When nothing is published of the campaign, or the package plotly is not installed.
    """
    with Published(folders, campaign) as published:
        every = points(published)
        by = objectives(every.numbers)
        found = [
            funnel.section(published, steps),
            best.section(every, by),
            compare.scatter_section(every, by),
            compare.distribution_section(every, by),
            spectra.section(published, every, by),
            elements.section(published, every),
            hull.section(published),
            failures.section(published),
            cost.section(published),
            provenance.section(published),
            citations.section(published),
        ]
        sections: list[Section] = [one for one in found if one is not None]
        data = {
            "points": every.data(),
            "structures": structures(published, len(every.formula)),
            "radii": radii(every),
        }
        return page(
            title=f"Campaign {campaign}",
            summary=summary(published),
            facts=facts(published, every, by),
            sections=sections,
            data=data,
            footer=footer(),
            version=own_version(),
        )


def write(path: Path, content: str) -> None:
    """Write a file in one step.

    Raises
    ------
    UserError
        When it cannot be written.
    """
    aside = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        aside.write_text(content, encoding="utf-8")
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise UserError(
            f"{path}: cannot be written: {error.strerror}; name another file with --output"
        ) from error


def summary(published: Published) -> str:
    """Return the lines under the title."""
    about = published.about
    if not about:
        return "<p>Only screened so far: nothing was computed.</p>"
    project = f"Project {escape(about['project'])} · " if about["project"] else ""
    return (
        f"<p>{project}{escape(about['state'])} · revision {about['revision']} · "
        f"{about['started_at']:%Y-%m-%d} to {about['updated_at']:%Y-%m-%d %H:%M} UTC</p>"
    )


def facts(published: Published, every: Points, by: Sequence[Objective]) -> list[tuple[str, str]]:
    """Return the numbers that stand on top."""
    (counted,) = published.rows(
        "SELECT count(*) FILTER (WHERE fate = 0) AS complete, "
        "count(*) FILTER (WHERE fate = 2) AS failed FROM computed"
    )
    (spent,) = published.rows("SELECT coalesce(sum(core_hours), 0.0) AS n FROM attempts")
    found = [
        ("candidates", number(every.total - every.fate.count(FATES.index("reference")))),
        ("passed all stages", number(counted["complete"])),
        ("failed", number(counted["failed"])),
        ("core-hours", number(float(spent["n"]), 3)),
    ]
    ranked = best.ranked(every, by[0]) if by else []
    if ranked:
        value = every.column(by[0].name).values[ranked[0]]
        name = label(by[0].name)
        end = "" if len(ranked) == 1 else "largest " if by[0].largest else "smallest "
        words = f"{end}{name.words} ({name.unit or 'no unit'})"
        found.append((words, f"{every.formula[ranked[0]]} {number(value, 3)}"))
    return found


def radii(every: Points) -> dict[str, Any]:
    """Return the covalent radius of every element that occurs, in angstrom."""
    from runner.crystal.radii import covalent_radius_ang

    symbols = sorted({symbol for elements in every.elements for symbol in elements})
    return {one: covalent_radius_ang(one) for one in symbols}


def footer() -> str:
    """Return the last line of the page."""
    return (
        f"Made by matcampaign {escape(own_version())} on {utc_now():%Y-%m-%d %H:%M} UTC. Figures: "
        "Plotly.js (MIT licence), inside this file. Nothing is fetched from anywhere."
    )


def own_version() -> str:
    """Return the version of this program."""
    try:
        return version("matcampaign")
    except PackageNotFoundError:
        return "(not installed)"
