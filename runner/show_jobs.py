"""What `campaign jobs`, `stop` and `run --detach` print."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from runner.fleet_words import fleet_lines
from runner.show import as_json, print_part, rich_table
from schemas.fleet import ControllerReport, FleetReport

if TYPE_CHECKING:
    from rich.table import Table


def jobs(report: FleetReport, *, json: bool) -> None:
    """Print a campaign's jobs, one a line."""
    if json:
        as_json("jobs", report)
        return
    if report.jobs:
        print_part(_table(report))
    for line in fleet_lines(report):
        typer.echo(line)


def stopped(report: ControllerReport, *, json: bool) -> None:
    """Print who was told to leave."""
    if json:
        as_json("stop", report)
        return
    typer.echo(f"{report.campaign}: told process {report.pid} to leave")


def detached(report: ControllerReport, *, json: bool) -> None:
    """Print how to follow a controller, and how to stop it."""
    if json:
        as_json("run", report)
        return
    name = report.campaign
    typer.echo(f"{name}: process {report.pid} controls it, and writes to {report.log}")
    typer.echo(f"`campaign status {name}` shows how it goes, `campaign stop {name}` ends it")


def _table(report: FleetReport) -> Table:
    table = rich_table("job", "kind", "state", "nodes x cores", "limit", "why it waits")
    for one in report.jobs:
        limit = f"{one.walltime_min:g} min"
        size = f"{one.nodes} x {one.cores}"
        table.add_row(one.id or "?", one.kind, one.state, size, limit, one.reason)
    return table
