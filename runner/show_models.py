"""What the commands about models print."""

from __future__ import annotations

from collections.abc import Iterator

import typer

from runner.show import as_json, print_part, rich_table
from schemas.models import ModelEntry, Models

DIGITS_OF_HASH = 12


def models(report: Models, *, json: bool) -> None:
    """Print which models there are, and what is missing for the others."""
    if json:
        as_json("models list", report)
        return
    table = rich_table("model", "here", "gives", "relaxes", "elements", "weights")
    for entry in report.models:
        table.add_row(*_cells(entry))
    print_part(table)
    if report.device:
        typer.echo(f"`device: auto` computes on: {report.device}")
    for line in _details(report):
        typer.echo(line)


def _cells(entry: ModelEntry) -> tuple[str, ...]:
    hashes = sorted({digest[:DIGITS_OF_HASH] for digest in entry.weights.values()})
    return (
        entry.name,
        "yes" if entry.installed else "no",
        ", ".join(entry.columns),
        "yes" if entry.relaxes else "",
        "" if entry.n_elements is None else str(entry.n_elements),
        ", ".join(hashes),
    )


def _details(report: Models) -> Iterator[str]:
    for entry in report.models:
        yield ""
        yield f"{entry.name}: {entry.description}" if entry.description else entry.name
        if entry.method_key:
            yield f"  method key {entry.method_key}; doi:{entry.citation}; {entry.licence}"
        if entry.problem:
            yield f"  {entry.problem}"
