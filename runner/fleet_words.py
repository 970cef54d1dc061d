"""A campaign's jobs in a few words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from schemas.fleet import FleetReport


def fleet_lines(report: FleetReport) -> Iterator[str]:
    """Yield a campaign's jobs in a few words."""
    phases = Counter(one.phase for one in report.jobs)
    counted = ", ".join(f"{phases[one]} {one}" for one in ("running", "waiting") if phases[one])
    jobs = "job" if sum(phases[one] for one in ("running", "waiting")) == 1 else "jobs"
    stages = f"{report.handed_over} stages handed over, {report.taken} of them run"
    handed = f"; {stages}" if report.handed_over else ""
    yield f"{report.scheduler}: {counted or 'no'} {jobs}{handed}"
    waits = Counter(one.reason for one in report.jobs if one.phase == "waiting" and one.reason)
    if waits:
        yield "waiting for " + ", ".join(f"{why} ({many})" for why, many in waits.most_common())
    if report.note:
        yield report.note
    used = report.use.utilisation
    if used is not None:
        yield (
            f"{used:.0%} of {report.use.allocated_core_hours:.3g} allocated core-hours were CPU "
            "time of programs"
        )
