"""Where everything came from: programs, machines, the campaign file, the published versions."""

from __future__ import annotations

from html import escape
from importlib.metadata import PackageNotFoundError, version

from runner.report.markup import Section, details, table
from runner.report.published import Published

PACKAGES = ("matcampaign", "fireworks", "custodian", "pymatgen", "duckdb", "pyarrow")
_PROGRAMS = """
SELECT coalesce(program, engine) AS program, stage, task, count(*) AS n,
       count(*) FILTER (WHERE cached) AS cached, min(started_at) AS first, max(finished_at) AS last
FROM results WHERE outcome = 'ok' GROUP BY coalesce(program, engine), stage, task
ORDER BY list_position(?::VARCHAR[], stage), 1
"""
_MACHINES = """
SELECT machine, count(*) AS attempts, sum(core_hours) AS core_hours FROM attempts
GROUP BY machine ORDER BY attempts DESC
"""


def section(published: Published) -> Section:
    """Return the section."""
    body = (
        _programs(published)
        + _machines(published)
        + table("Software that made this page", ("package", "version"), versions())
        + _file(published)
    )
    return Section("provenance", "Provenance", body)


def _programs(published: Published) -> str:
    found = published.rows(_PROGRAMS, [list(published.stages)])
    names = ("program", "stage", "task", "n", "cached", "first", "last")
    headers = ("program", "stage", "task", "results", "known before", "first", "last")
    rows = [tuple(one[name] for name in names) for one in found]
    return table("Programs, as they named themselves", headers, rows) if rows else ""


def _machines(published: Published) -> str:
    rows = [
        (one["machine"], one["attempts"], one["core_hours"]) for one in published.rows(_MACHINES)
    ]
    return table("Machines", ("machine", "attempts", "core h"), rows) if rows else ""


def _file(published: Published) -> str:
    about = published.about
    if not about:
        return ""
    facts = [
        ("revision of the campaign file", str(about["revision"])),
        ("SHA-256 of the campaign file", about["spec_sha256"]),
        ("first run", about["started_at"]),
        ("last change", about["updated_at"]),
    ]
    text = f'<pre tabindex="0">{escape(about["spec"])}</pre>'
    folded = details("Text of the campaign file", text)
    return table("The campaign file", ("what", "value"), facts) + folded


def versions() -> list[tuple[str, str]]:
    """Return the versions of the packages that took part."""
    found = []
    for name in PACKAGES:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            found.append((name, "not installed as a distribution"))
    return found
