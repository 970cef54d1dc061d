"""What `campaign sql` prints: answers as tables, CSV, JSON, Parquet; examples; explanations."""

from __future__ import annotations

import json as json_format
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

import typer

from runner.show import as_json, console, print_part, rich_table
from schemas.model import JsonValue
from schemas.reports import AthenaCost, SqlAnswer, SqlExample, SqlExplanation

if TYPE_CHECKING:
    from rich.status import Status

    from runner.sql.answer import Answer
    from runner.sql.cloud import CloudAnswer, Progress
    from runner.sql.cloud_place import CloudPlace
    from runner.sql.examples import Example

ALWAYS_SHOWN = 12
"""Up to so many columns people see all; of more, those that hold anything."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""What a terminal would obey, all but tabs and ends of lines."""


def answer(
    found: Answer,
    *,
    csv: bool,
    json: bool,
    parquet: Path | None,
    cloud: tuple[CloudPlace, CloudAnswer] | None = None,
) -> None:
    """Print an answer; what is to be known of it goes to the error output."""
    for warning in found.warnings:
        typer.echo(f"warning: {warning}", err=True)
    if json:
        as_json("sql", _report(found, cloud))
    elif csv:
        typer.echo(found.to_csv(), nl=False, color=True)  # else texts lose what looks like colour
    elif parquet is not None:
        from runner.sql.arrow import write_parquet

        write_parquet(found, parquet)
        typer.echo(f"{_rows(found)} written to {parquet}")
    else:
        _table(found)
    if cloud is not None:
        from runner.sql.cloud import costs

        typer.echo(costs(cloud[1]), err=True)


def _report(found: Answer, cloud: tuple[CloudPlace, CloudAnswer] | None) -> SqlAnswer:
    cost = None
    if cloud is not None and cloud[1].execution:
        where, asked = cloud
        cost = AthenaCost(
            query_execution_id=asked.execution,
            database=where.database,
            workgroup=where.workgroup,
            scanned_bytes=asked.scanned_bytes,
            usd=asked.usd,
            seconds=asked.seconds,
        )
    return SqlAnswer(
        columns=tuple(name for name, _ in found.columns),
        types=tuple(kind for _, kind in found.columns),
        rows=found.to_rows(),
        warnings=found.warnings,
        athena=cost,
    )


def _table(found: Answer) -> None:
    rows = found.to_rows()
    names = [name for name, _ in found.columns]
    shown = list(range(len(names)))
    if len(names) > ALWAYS_SHOWN and rows:
        shown = [place for place in shown if any(row[place] is not None for row in rows)]
    table = rich_table(*(_harmless(names[place]) for place in shown))
    for row in rows:
        table.add_row(*(_harmless(_cell(row[place])) for place in shown))
    print_part(table)
    left = len(names) - len(shown)
    empty = f"; {left} columns that hold nothing here are not shown" if left else ""
    typer.echo(_rows(found) + empty)


def _rows(found: Answer) -> str:
    return "1 row" if len(found.rows) == 1 else f"{len(found.rows)} rows"


def _cell(value: JsonValue) -> str:
    if value is None:
        return "·"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str | int):
        return str(value)
    return json_format.dumps(value, ensure_ascii=False)


def _harmless(text: str) -> str:
    r"""Return a text with control characters written out, as `\x1b`."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found.group()):02x}", text)


def examples(found: Sequence[Example], *, whole: bool, json: bool) -> None:
    """Print queries that ship: their titles, or one as it stands."""
    if json:
        as_json(
            "sql",
            [
                SqlExample(name=one.name, title=one.title, question=one.question, sql=one.sql)
                for one in found
            ],
        )
        return
    if whole:
        for one in found:
            typer.echo(one.text(), nl=False)
        return
    table = rich_table("name", "title", "question")
    for one in found:
        table.add_row(one.name, one.title, one.question.replace("\n", " "))
    print_part(table)
    typer.echo(
        "`campaign sql --example NAME` asks one, `--campaign NAME` of one campaign alone; "
        "`campaign sql --examples NAME` prints it."
    )


def explanation(found: SqlExplanation, *, json: bool) -> None:
    """Print a query as given and as DuckDB is given it."""
    if json:
        as_json("sql", found)
        return
    if found.athena is not None:
        typer.echo(f"-- Athena\n{found.athena.strip()}\n\n-- DuckDB")
    typer.echo(found.duckdb)


class CloudDisplay:
    """How a query goes in Athena, on the error output."""

    def __init__(self, where: CloudPlace) -> None:
        self._where = where
        self._console = console(stderr=True)
        self._status: Status | None = None
        self._said = ""

    def __enter__(self) -> Self:
        """Turn a wheel, where the output is a terminal."""
        if self._console.is_terminal:
            self._status = self._console.status(f"{self._where}: asking")
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave nothing behind."""
        if self._status is not None:
            self._status.stop()

    def told(self, progress: Progress) -> None:
        """Say how it stands."""
        read = f", {progress.scanned_bytes:,} bytes read" if progress.scanned_bytes else ""
        text = f"{self._where}: query {progress.execution} {progress.state.lower()}{read}"
        if progress.state == "STOPPED":
            self._console.print(f"{text}: Athena charges what it had read")
        elif self._status is not None:
            self._status.update(text)
        elif not self._said:
            self._console.print(text)
        self._said = text
