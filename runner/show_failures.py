"""What the commands about failures print."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from runner.overrides import lines
from runner.show import as_json, print_part, rich_table
from schemas.failure_reports import (
    AttemptLog,
    DiagnosedFailure,
    FailureGroup,
    Failures,
    Logs,
    Repair,
    Retry,
    RunDiagnosis,
    StageLog,
    TextFile,
)
from schemas.ledger import ANALYSIS
from schemas.result import Correction

if TYPE_CHECKING:
    from rich.table import Table as RichTable

WIDTH = 78
MOST_SENT = 20
"""Calculations that are listed one by one."""
LONGEST_VALUE = 40
MOST_CHECKPOINTS = 3
_SEVERAL = ("are", "their", "them")


def failures(report: Failures, *, json: bool) -> None:
    """Print what failed by cause, and what was repaired."""
    if json:
        as_json("failures", report)
        return
    if not report.groups:
        typer.echo(f"nothing of {report.campaign} has failed")
    else:
        table = rich_table("cause", "count", "stages", "example")
        for group in report.groups:
            stages = ", ".join(f"{stage} {count}" for stage, count in group.stages.items())
            example = f"{group.example.formula} {group.example.short_id}"
            table.add_row(group.cause, str(group.count), stages, example)
        print_part(table)
    for group in report.groups:
        typer.echo("\n".join(_group(group)) + "\n")
    typer.echo(_repaired(report))
    for repair in report.repairs:
        typer.echo(f"  {_repair(repair)}")


def _group(group: FailureGroup) -> Iterator[str]:
    held = f", {group.held} of them held" if group.held else ""
    yield f"{group.cause}: {group.count}{held}. {group.meaning}"
    yield f"  likely   {group.likely}"
    example = group.example
    yield f"  example  {example.formula} {example.stage}: {_one_line(example.message)}"
    if group.blocked:
        yield f"  blocks   {_counted(group.blocked, 'stage')} below"
    if group.skipped:
        yield f"  skipped  {_counted(group.skipped, 'stage')} below"
    if group.advice.strip("`") not in group.commands:  # else it would stand there twice
        yield f"  do       {group.advice}"
    yield from (f"  $ {command}" for command in group.commands)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _one_line(text: str) -> str:
    return " ".join(text.split()) or "·"


def _repaired(report: Failures) -> str:
    if not report.repaired:
        return "recovery had nothing to repair in the results"
    return f"recovery repaired {_counted(report.repaired, 'calculation')}, which are results now:"


def _repair(repair: Repair) -> str:
    actions = ", ".join(f"{action} {count}" for action, count in repair.actions.items())
    return f"{repair.failure} {repair.calculations}: {actions}"


def retry(report: Retry, *, json: bool) -> None:
    """Print what is computed again, and what comes next."""
    if json:
        as_json("retry", report)
        return
    is_are, its_their, it_them = ("is", "its", "it") if report.count == 1 else _SEVERAL
    word = f"{'would be sent' if report.dry_run else is_are} on {its_their} way again"
    if not report.count:
        there = ", ".join(f"{cause} {count}" for cause, count in report.others.items())
        typer.echo(f"{report.campaign}: nothing that failed or is held matches; 0 {word}")
        typer.echo(f"failed or held there are: {there or 'none'}")
    for (stage, cause), count in Counter((one.stage, one.cause) for one in report.sent).items():
        typer.echo(f"{stage}  {cause or 'held'}  {count}")
    for one in report.sent[:MOST_SENT]:
        changed = "  " + " ".join(lines(one.overrides)) if one.overrides else ""
        typer.echo(f"  {one.formula} {one.candidate[:8]} {one.stage}{changed}")
    if report.count > MOST_SENT:
        typer.echo(f"  ... and {report.count - MOST_SENT} more")
    if report.count:
        wait = "waits" if report.follows == 1 else "wait"
        below = f"; {_counted(report.follows, 'stage')} below {wait} for {it_them}"
        below = below if report.follows else ""
        typer.echo(f"{report.count} {word}{below}")
    if report.busy:
        typer.echo(f"{report.busy} are left alone: a worker has them in its hands")
    if report.running and report.count and not report.dry_run:
        typer.echo("the `campaign run` that is going on takes them up")
    if report.next and not report.dry_run:
        typer.echo(f"next: {report.next}")


def logs(report: Logs, *, json: bool) -> None:
    """Print how the calculations of a candidate went."""
    if json:
        as_json("logs", report)
        return
    typer.echo(f"{report.campaign}  {report.formula}  {report.candidate}")
    for stage in report.stages:
        typer.echo("")
        typer.echo("\n".join(_stage(stage)))
        for attempt in stage.attempts:
            _print_attempt(attempt)


def _stage(log: StageLog) -> Iterator[str]:
    known = ", known from another campaign" if log.cached else ""
    yield f"{log.stage}  {log.engine} {log.task}  {log.state.value}{known}"
    if log.failure or log.reason:
        yield f"  {': '.join(filter(None, (log.failure, _one_line(log.reason or ''))))}"
    if log.overrides:
        yield f"  set by `campaign retry`: {' '.join(lines(log.overrides))}"
    if not log.attempts:
        gathers = log.engine == ANALYSIS
        yield "  computed from the results of all candidates" if gathers else "  no attempt yet"


def _print_attempt(log: AttemptLog) -> None:
    typer.echo("\n".join(_attempt(log)))
    if log.corrections:
        print_part(_corrections(log.corrections))
    for title, texts in (
        ("input", log.inputs),
        ("output", log.outputs),
        ("errors", log.errors),
        ("scheduler", log.scheduler),
    ):
        for text in texts:
            typer.echo("\n".join(_text(title, text)))
    for file in log.files:
        typer.echo(f"  {file.bytes:>12,}  {file.name}")


def _attempt(log: AttemptLog) -> Iterator[str]:
    code = "" if log.exit_code is None else f"  exit code {log.exit_code}"
    ended = f"  ended from outside: {log.ended_by}" if log.ended_by else ""
    yield f"  attempt {log.attempt}  {log.outcome}{code}{ended}"
    finished = f"{log.finished_at:%H:%M:%S}" if log.finished_at else "now"
    when = f"{log.started_at:%Y-%m-%d %H:%M:%S} to {finished} UTC"
    cores = "1 core" if log.cores == 1 else f"{log.cores} cores"
    seconds = f", {log.walltime_s:.1f} s" if log.finished_at else ""
    yield f"    {log.machine}, {cores}, {when}{seconds}"
    if log.failure:
        yield f"    {log.failure}: {_one_line(log.message or '')}"
    if log.continued:
        yield f"    continued from {log.continued}"
    earlier = len(log.checkpoints) - MOST_CHECKPOINTS
    if earlier > 0:
        yield f"    {_counted(earlier, 'earlier checkpoint')}"
    for checkpoint in log.checkpoints[-MOST_CHECKPOINTS:]:
        taken = f"{checkpoint.taken_at:%H:%M:%S}, {checkpoint.bytes / 1e6:.1f} MB"
        yield f"    checkpoint {checkpoint.name} at {taken}, took {checkpoint.seconds:.1f} s"
    yield f"    {log.directory}{'  (not there any more)' if log.gone else ''}"
    if log.runs:
        first, last = (Path(run).name for run in (log.runs[0], log.runs[-1]))
        names = f"runs/{first}" if first == last else f"runs/{first} to runs/{last}"
        yield f"    the program ran {len(log.runs) + 1} times; earlier runs are in {names} there"


def _corrections(corrections: Sequence[Correction]) -> RichTable:
    table = rich_table("failure", "action", "parameter", "before", "after")
    for one in corrections:
        table.add_row(
            one.failure, one.action, one.parameter or "·", _value(one.before), _value(one.after)
        )
    return table


def _value(value: object) -> str:
    if value is None:
        return "·"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "..."


def _text(title: str, text: TextFile) -> Iterator[str]:
    left_out = f", {text.lines_left_out} lines more" if text.lines_left_out else ""
    yield f"    -- {title}: {text.name}{left_out} ".ljust(WIDTH, "-")
    yield text.text.rstrip("\n") or "(empty)"


def diagnosis(report: RunDiagnosis, *, json: bool) -> None:
    """Print what went wrong in a run directory."""
    if json:
        as_json("diagnose", report)
        return
    found = "failed" if report.failed else "worked, with warnings"
    if not report.failures:
        found = "nothing went wrong"
    typer.echo(f"{report.directory}: {found} ({report.engine})")
    for failure in report.failures:
        typer.echo("\n".join(_diagnosed(failure)))


def _diagnosed(failure: DiagnosedFailure) -> Iterator[str]:
    word = {"cause": "", "beside": "beside that, ", "warning": "warning: "}[failure.severity]
    yield f"{word}{failure.name}: {failure.meaning}"
    yield f"  said      {_one_line(failure.message)}"
    yield f"  likely    {failure.likely}"
    if failure.remedies:
        yield f"  recovery  {'; then '.join(failure.remedies)}"
    else:
        yield "  recovery  has no remedy"
    if failure.advice:
        yield f"  do        {failure.advice}"
