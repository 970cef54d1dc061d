"""Writes the pages of docs/ that come from the program itself; --check only compares them."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

from runner.reference import language_reference
from runner.sql.calls import KNOWN
from runner.sql.hints import HINTS
from schemas.columns import Column
from schemas.tables import PARTITIONS, fixed_columns

DOCS = Path(__file__).parent.parent / "docs"

SQL_INTRODUCTION = """\
# Tables, columns and functions of `campaign sql`

This page is written by `scripts/generate_docs.py`. What queries may say, and why some are refused,
is told in [sql.md](sql.md). `campaign sql "DESCRIBE results"` shows the columns of your tables,
with those of your generators, scores and engines.
"""


def sql_reference() -> str:
    """Return the tables, functions and refusals as Markdown."""
    return "\n".join([SQL_INTRODUCTION, *_tables(), *_functions()])


def _tables() -> Iterator[str]:
    for table in PARTITIONS:
        yield f"## `{table}`\n"
        yield "| column | type | unit | meaning |\n| --- | --- | --- | --- |"
        yield from map(_row, fixed_columns(table))
        yield ""
    yield "`screening` has the columns of generators and scores besides, `results` those of the"
    yield "engines: see [language.md](language.md).\n"


def _row(column: Column) -> str:
    return f"| `{column.name}` | {column.type} | {column.unit or ''} | {column.description} |"


def _functions() -> Iterator[str]:
    yield "## Functions\n"
    yield textwrap.fill(", ".join(f"`{name}`" for name in KNOWN) + ".", 100)
    yield ""
    yield "## Functions that are refused, and what to write instead\n"
    yield "| function | hint |\n| --- | --- |"
    for name, hint in sorted(HINTS.items()):
        yield f"| `{name}` | {hint.replace('|', chr(92) + '|')} |"
    yield ""


PAGES = {"language.md": language_reference, "sql-reference.md": sql_reference}


def main() -> int:
    """Write the pages, or with --check return 1 when one is not what the program would write."""
    stale = 0
    for name, page in PAGES.items():
        text, path = page(), DOCS / name
        if path.exists() and path.read_text("utf-8") == text:
            continue
        if "--check" in sys.argv[1:]:
            print(f"docs/{name} is not what the program says; run: make docs")
            stale = 1
        else:
            path.write_text(text, "utf-8")
            print(f"docs/{name} written")
    return stale


if __name__ == "__main__":
    sys.exit(main())
