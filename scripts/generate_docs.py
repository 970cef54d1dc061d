"""Writes the pages of docs/ that come from the program itself; --check only compares them."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runner.failure_reference import Cases, Theirs, failure_reference
from runner.reference import language_reference
from runner.sql.calls import KNOWN
from runner.sql.hints import HINTS
from schemas.columns import Column
from schemas.failure import FailureName
from schemas.tables import PARTITIONS, fixed_columns

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
AIIDA_NAMES = ROOT / "scripts" / "aiida_names.json"
RECORDED = ROOT / "tests" / "recorded"
PROVOKED = ROOT / "tests" / "fireworks_ext" / "engines" / "espresso" / "provocations"

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


def failures() -> str:
    """Return the page on failures, with its cases counted."""
    return failure_reference(_cases(), _theirs())


def _cases() -> Cases:
    cases = Cases()
    for name, several in _read(RECORDED / "cases.json").items():
        for one in several:
            here = one["origin"].startswith("ran here")
            (cases.recorded if here else cases.published)[name] += 1
    for name, several in _read(PROVOKED / "cases.json").items():
        cases.provoked[name] += len(several)
        cases.repaired[name] += sum(one["outcome"] == "repaired" for one in several)
    return cases


def _theirs() -> list[Theirs]:
    """Return the exit codes of aiida-quantumespresso, one for each of its names."""
    names = _read(AIIDA_NAMES)
    by_label: dict[str, list[dict[str, Any]]] = {}
    for one in _read(RECORDED / "aiida-quantumespresso-5.1.0.json")["exit_codes"]:
        by_label.setdefault(one["label"], []).append(one)
    return [
        Theirs(
            label=label,
            codes=tuple(f"{one['program']} {one['code']}" for one in several),
            treated=tuple(one["program"] for one in several if one["handlers"]),
            ours=tuple(FailureName(name) for name in names[label]["ours"]),
            note=names[label].get("note", ""),
        )
        for label, several in by_label.items()
    ]


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


PAGES = {
    "failures.md": failures,
    "language.md": language_reference,
    "sql-reference.md": sql_reference,
}


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
