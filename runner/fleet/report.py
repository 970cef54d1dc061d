"""What is shown of a campaign's jobs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fireworks_ext.folders.exchange import Report
from runner.fleet.records import JobRecord
from schemas.clock import SECONDS_PER_HOUR, utc_now
from schemas.fleet import FleetReport, JobReport, Use


def fleet_report(
    scheduler: str,
    jobs: Iterable[JobRecord],
    *,
    handed_over: int,
    taken: int,
    use: Use,
    note: str | None,
) -> FleetReport:
    """Return how a campaign's jobs stand."""
    return FleetReport(
        at=utc_now(),
        scheduler=scheduler,
        jobs=tuple(one for job in jobs for one in _reports(job)),
        handed_over=handed_over,
        taken=taken,
        use=use,
        note=note,
    )


def use_of(reports: Iterable[Report]) -> Use:
    """Add up what pilots say of their cores."""
    total = Use()
    for one in reports:
        total = add(
            total,
            Use(
                allocated_core_hours=one.cores * one.seconds / SECONDS_PER_HOUR,
                busy_core_hours=one.busy_core_s / SECONDS_PER_HOUR,
                program_core_hours=one.program_cpu_s / SECONDS_PER_HOUR,
            ),
        )
    return total


def add(one: Use, other: Use) -> Use:
    """Add two sums."""
    return Use(
        allocated_core_hours=one.allocated_core_hours + other.allocated_core_hours,
        busy_core_hours=one.busy_core_hours + other.busy_core_hours,
        program_core_hours=one.program_core_hours + other.program_core_hours,
    )


def _reports(job: JobRecord) -> Iterator[JobReport]:
    shape = job.request.shape
    common = {
        "name": job.name,
        "kind": job.kind,
        "nodes": shape.nodes,
        "cores": shape.cores,
        "walltime_min": shape.walltime_min,
    }
    alive = [one for one in job.seen.values() if one.phase != "ended"]
    if not alive:
        asked = {"id": job.id, "phase": "waiting", "state": "ASKED FOR"}
        yield JobReport.model_validate({**common, **asked})
    for one in alive:
        seen = one.model_dump(include={"id", "phase", "state", "reason", "began_at"})
        yield JobReport.model_validate({**common, **seen})
