"""What commands print: tables for people, JSON for programs."""

from __future__ import annotations

import csv as csv_format
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from runner.fleet_words import fleet_lines
from runner.standing import named
from schemas.model import JsonValue, Model
from schemas.reports import (
    Answer,
    BarrierStatus,
    Diagnosis,
    Interval,
    Plan,
    RunSummary,
    Shipped,
    StageCounts,
    Status,
    Table,
    Validation,
)

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table as RichTable

    from runner.load import LoadedCampaign

MARKS = {"ok": "ok", "warning": "!", "missing": "missing"}
HEADER_WIDTH = 12
STAGE_STATES = (
    "waiting", "ready", "running", "ok", "skipped", "failed", "held", "blocked",
)  # fmt: skip


def as_json(command: str, data: Model | Sequence[Model]) -> None:
    """Print the envelope that every `--json` answer has."""
    plain = (
        data.model_dump(mode="json")
        if isinstance(data, Model)
        else [one.model_dump(mode="json") for one in data]
    )
    typer.echo(Answer[JsonValue](command=command, data=plain).model_dump_json(indent=2))


def shipped(entries: Sequence[Shipped], *, json: bool) -> None:
    """Print the campaign files that ship."""
    if json:
        as_json("init", entries)
        return
    table = rich_table("name", "what it is")
    for entry in entries:
        table.add_row(entry.name, entry.title)
    print_part(table)
    typer.echo("`campaign init NAME` writes one to start from.")


def written(path: Path, *, json: bool) -> None:
    """Say which file was written and what comes next."""
    if json:
        as_json("init", [Shipped(name=path.stem, title="", file=str(path))])
        return
    typer.echo(f"{path} written. Next: campaign plan {path}; campaign run {path}")


def validation(loaded: LoadedCampaign, *, json: bool) -> None:
    """Say that a file is right, and what it holds."""
    campaign = loaded.campaign
    found = Validation(
        campaign=campaign.campaign,
        generators=tuple(entry.kind for entry in campaign.space),
        filters=len(campaign.filters),
        stages=tuple(campaign.stages),
    )
    if json:
        as_json("validate", found)
        return
    typer.echo(
        f"{loaded.path.name}: campaign '{found.campaign}' is valid: space of "
        f"{', '.join(found.generators)}; {found.filters} filter steps; "
        f"stages {', '.join(found.stages)}"
    )


def status(report: Status, *, json: bool) -> None:
    """Print the funnel and the stages."""
    if json:
        as_json("status", report)
        return
    for part in status_parts(report):
        print_part(part)


def status_parts(report: Status) -> Iterable[RenderableType]:
    """Return a status as things that rich can print, also again and again."""
    spent = f"{report.core_hours:.3g} core-hours spent"
    if report.core_hours_limit is not None:
        spent += f" of {report.core_hours_limit:g}"
    if report.usd or report.usd_limit is not None:
        spent += f", {report.usd:.3g} USD"
    if report.usd_limit is not None:
        spent += f" of {report.usd_limit:g}"
    yield f"{report.campaign}  revision {report.revision}  {report.state}  {spent}"
    if report.filters:
        table = rich_table("filter", "entered", "passed", "rejected", "unknown", "errors")
        for step in report.filters:
            counts = (step.entered, step.passed, step.rejected, step.unknown, step.errors)
            table.add_row(step.step, *map(str, counts))
        yield table
    beside = f", and {report.references} references with them" if report.references else ""
    yield f"{report.enumerated} enumerated, {report.survivors} go on{beside}"
    yield _stage_table(report.stages)
    yield from map(_barrier, report.barriers)
    if report.fleet is not None:
        yield from fleet_lines(report.fleet)
    if report.failures:
        listed = ", ".join(f"{name} {count}" for name, count in report.failures.items())
        yield f"failures: {listed}"
    if report.paused_at is not None:
        since = f"{report.paused_at:%Y-%m-%d %H:%M} UTC"
        yield f"paused since {since}: campaign resume {report.campaign}"
    for why, count in Counter(report.paused.values()).most_common():
        who = "worker pauses" if count == 1 else "workers pause"
        yield f"{count} {who}, and will go on by themselves: {why}"


def _barrier(barrier: BarrierStatus) -> str:
    """Say what an analysis waits for."""
    moving, of = barrier.waits_for, barrier.of
    parts = [f"{of} of {moving} candidate{'' if moving == 1 else 's'}"] if moving else []
    if barrier.held_by:
        parts.append(f"{of} of {named(barrier.held_by)}, held until somebody sends it on")
    return f"{barrier.stage} waits for {'; for '.join(parts)}"


def _stage_table(stages: Sequence[StageCounts]) -> RichTable:
    table = rich_table("stage", *STAGE_STATES)
    for stage in stages:
        cells = [str(getattr(stage, state) or "·") for state in STAGE_STATES]
        if stage.cached:
            cells[STAGE_STATES.index("ok")] += f" ({stage.cached} known)"
        table.add_row(stage.stage, *cells)
    return table


def plan(report: Plan, *, json: bool) -> None:
    """Print what a run would do and take."""
    if json:
        as_json("plan", report)
        return
    if report.filters:
        table = rich_table("filter", "entered", "passed", "rejected", "unknown", "errors")
        for step in report.filters:
            counts = (step.entered, step.passed, step.rejected, step.unknown, step.errors)
            table.add_row(step.step, *map(str, counts))
        print_part(table)
    sampled = "" if report.screened == report.enumerated else f" ({report.screened} screened)"
    if not report.screened:
        sampled = " (screened by the last run)"
    typer.echo(f"{report.enumerated} enumerated{sampled}, {_range(report.survivors)} go on")
    table = rich_table("stage", "candidates", "known", "core-hours", "estimated from")
    for stage in report.stages:
        table.add_row(
            stage.stage,
            _range(stage.candidates),
            str(stage.known),
            _range(stage.core_hours),
            stage.basis,
        )
    print_part(table)
    typer.echo(f"core-hours in all: {_range(report.core_hours)}")
    if report.wall_hours is not None:
        typer.echo(f"hours on {report.cores} cores: {_range(report.wall_hours)}")
    if report.usd is not None:
        typer.echo(f"US dollars in all: {_range(report.usd)}")
    _budget("core-hours", report.core_hours_limit, report.core_hours)
    _budget("US dollars", report.usd_limit, report.usd)


def _budget(unit: str, limit: float | None, planned: Interval | None) -> None:
    if limit is not None:
        less = planned is not None and planned.expected > limit
        typer.echo(f"budget: {limit:g} {unit}{', less than is expected' if less else ''}")


def _range(interval: Interval) -> str:
    low, expected, high = (f"{one:.3g}" for one in (interval.low, interval.expected, interval.high))
    return expected if low == high else f"{expected} ({low} to {high})"


def table(command: str, report: Table, *, csv: bool = False, json: bool = False) -> None:
    """Print rows: aligned for people, or as CSV, or as JSON."""
    if json:
        as_json(command, report)
    elif csv:
        writer = csv_format.writer(sys.stdout)
        writer.writerow(report.columns)
        writer.writerows(["" if one is None else one for one in row] for row in report.rows)
    else:
        shown = rich_table(*report.columns)
        for row in report.rows:
            shown.add_row(*map(_cell, row))
        print_part(shown)
        typer.echo(f"{len(report.rows)} rows")


def results(report: Table, *, csv: bool = False, json: bool = False, full: bool = False) -> None:
    """Print results: for people numbers in a table, and below it why there are none of others."""
    if json or csv or full or "outcome" not in report.columns:
        table("results", report, csv=csv, json=json)
        return
    rows = [dict(zip(report.columns, row, strict=True)) for row in report.rows]
    computed = [row for row in rows if row["outcome"] == "ok"]
    known = {name for row in computed for name, value in row.items() if value is not None}
    columns = [name for name in report.columns if name in known and name != "outcome"]
    if computed:
        shown = rich_table(*map(header, columns))
        for row in computed:
            shown.add_row(*(_cell(row[name]) for name in columns))
        print_part(shown)
    others = [row for row in rows if row["outcome"] != "ok"]
    counted = "1 result" if len(computed) == 1 else f"{len(computed)} results"
    typer.echo(f"{counted}; without one:" if others else counted)
    width = max((len(_cell(row["formula"])) for row in others), default=0)
    for row in others:
        why = row.get("failure") or row.get("reason")
        told = f"  {_cell(row['formula']):{width}}  {row['stage']} {row['outcome']}"
        typer.echo(f"{told}: {why}" if why else told)


def header(name: str) -> str:
    """Return the name of a column in short lines, cut after underscores."""
    lines = [""]
    for part in re.findall(r"[^_]*_|[^_]+", name):
        if lines[-1] and len(lines[-1]) + len(part) > HEADER_WIDTH:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def _cell(value: JsonValue) -> str:
    if value is None:
        return "·"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def text(command: str, content: str, *, json: bool) -> None:
    """Print a text."""
    if json:
        as_json(command, Table(columns=("text",), rows=((content,),)))
    else:
        typer.echo(content)


def diagnosis(report: Diagnosis, *, json: bool) -> None:
    """Print what was looked for, what was found, and what to do."""
    if json:
        as_json("doctor", report)
        return
    shown = rich_table("what", "state", "found", "what to do")
    for check in report.checks:
        shown.add_row(check.subject, MARKS[check.state], check.message, check.remedy)
    print_part(shown)


def summary(report: RunSummary, *, json: bool) -> None:
    """Print how a run ended and how to look at its results."""
    if json:
        as_json("run", report)
        return
    typer.echo(f"tables: {report.tables}")
    if report.unsent is not None:
        typer.echo(
            f"they are not all there yet, but in {report.folder}: {report.unsent}; "
            f"`campaign export {report.status.campaign}` sends them"
        )
    typer.echo(f"query them: {report.query}")


def rich_table(*columns: str) -> RichTable:
    """Return an empty table in the one style that all commands print."""
    from rich.box import SIMPLE
    from rich.table import Table as RichTable

    made = RichTable(box=SIMPLE, pad_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def console(*, stderr: bool = False) -> Console:
    """Return the console; where the output is no terminal, lines are not cut to 80 columns."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else 160
    return Console(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)


def print_part(part: RenderableType) -> None:
    """Print something that rich knows how to lay out."""
    console().print(part)
