"""What `campaign screen` and `campaign funnel` print for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import typer

from runner.show import as_json, header, print_part, rich_table, table
from schemas.reports import FilterCounts, Table
from schemas.screening_reports import Audit, Between, FunnelReport, FunnelStep, Screened, Why

if TYPE_CHECKING:
    from rich.table import Table as RichTable

MOST_SHOWN = 20
MOST_COLUMNS = 6


def screened(report: Screened, *, csv: bool, json: bool) -> None:
    """Print the funnel, and the first of the candidates that go on."""
    if json:
        as_json("screen", report)
        return
    if csv:
        table("screen", Table(columns=report.columns, rows=report.rows), csv=True)
        return
    if report.filters:
        print_part(_steps(report.filters))
    typer.echo(
        f"{report.enumerated:,} enumerated, {report.survivors:,} go on, "
        f"{report.wall_s:,.1f} s ({report.enumerated / max(report.wall_s, 1e-9):,.0f}/s)"
    )
    if not report.enumerated:
        typer.echo("the generators of `space` made no candidate; see what they are given")
    if report.rows:
        print_part(_best(report))
    more = len(report.rows) - MOST_SHOWN
    if more > 0:
        typer.echo(f"... and {more:,} more (--csv shows all)")
    typer.echo(f"tables: {report.tables}")
    if report.lake is not None:
        typer.echo(f"to {report.lake}: campaign export {report.campaign}")
    typer.echo(f"why rows did not go on: campaign funnel {report.campaign}")


def _steps(steps: Sequence[FilterCounts]) -> RichTable:
    shown = rich_table("filter", "entered", "passed", "rejected", "unknown", "errors", "time", "")
    for step in steps:
        counts = (step.entered, step.passed, step.rejected, step.unknown, step.errors)
        known = f"{step.found:,} were known" if step.found else ""
        shown.add_row(step.step, *(f"{one:,}" for one in counts), _time(step.seconds), known)
    return shown


def _time(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds else "·"


def _best(report: Screened) -> RichTable:
    """Return the first rows: formula, what filters looked at, and other numbers as room allows."""
    values = {name: [row[at] for row in report.rows] for at, name in enumerate(report.columns)}
    numbers = [
        name
        for name in (*report.decisive, *report.columns)
        if any(isinstance(one, float) for one in values.get(name, ()))
    ]
    kept = ["formula", *list(dict.fromkeys(numbers))[:MOST_COLUMNS]]
    shown = rich_table(*map(header, kept))
    for at, control in enumerate(values["control"][:MOST_SHOWN]):
        formula, *cells = (_cell(values[name][at]) for name in kept)
        shown.add_row(f"{formula} (control)" if control else formula, *cells)
    return shown


def _cell(value: object) -> str:
    if value is None:
        return "·"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def funnel(report: FunnelReport, *, json: bool) -> None:
    """Print what the filters did, step by step, and what control samples say."""
    if json:
        as_json("funnel", report)
        return
    when = f"{report.screened_at:%Y-%m-%d %H:%M} UTC"
    typer.echo(f"{report.campaign}: {report.enumerated:,} candidates, screened {when}")
    if report.steps:
        print_part(_steps(report.steps))
    for step in report.steps:
        typer.echo("\n".join(_step(step)), nl=bool(step.reasons or step.audit))
    for why in report.others:
        typer.echo(_why(why))
    typer.echo(f"{report.survivors:,} go on")
    if report.computed:
        typer.echo(f"{report.good_survivors} of {report.computed} computed are good: {report.good}")
    for alarm in report.alarms:
        typer.echo(f"ALARM: {alarm}")


def _step(step: FunnelStep) -> Iterator[str]:
    if step.reasons or step.audit:
        yield f"{step.step}"
    for why in step.reasons:
        yield _why(why)
    if step.audit:
        yield from _audited(step.audit)


def _why(why: Why) -> str:
    """Return a reason with an example; rows that could not be read have none."""
    example = f"\n    such as {why.example}" if why.example else ""
    return f"  {why.count:,} {why.verdict}: {why.why}{example}"


def _audited(audit: Audit) -> Iterator[str]:
    if not audit.computed:
        yield f"  control sample: {audit.sampled} of {audit.rejects:,} rejects, none computed yet"
        return
    yield (
        f"  control sample: {audit.good} of {audit.computed} computed rejects are good "
        f"({audit.sampled} of {audit.rejects:,} rejects were sent on)"
    )
    yield f"    good ones thrown away: {_between(audit.thrown_away, 1, '')}"
    rate = _between(audit.false_negative_rate, 100, " %")
    yield f"    false-negative rate: {rate} of all good candidates"


def _between(value: Between, scale: float, unit: str) -> str:
    """Return an estimate as `12 (3 to 40)`; the bounds hold 95 times out of 100."""
    expected = "not known" if value.expected is None else f"{scale * value.expected:.3g}{unit}"
    return f"{expected} ({scale * value.low:.3g} to {scale * value.high:.3g}{unit}, 95 %)"
