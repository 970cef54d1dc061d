"""The battery: queries in files, one file per class, and the answers that Trino gave to them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trino_server.client import Trino, TrinoError
from trino_server.program import VERSION

BATTERY = Path(__file__).parents[2] / "runner" / "sql" / "battery"
ANSWERS = BATTERY / "answers"
_NAME = re.compile(r"-- name: (\S.*)")


@dataclass(frozen=True)
class Query:
    """One query of the battery; names are unique in a class."""

    group: str
    name: str
    sql: str

    def __str__(self) -> str:
        return f"{self.group}: {self.name}"


@dataclass(frozen=True)
class Recorded:
    """What Trino answered: columns and rows, or the name of its error."""

    columns: list[tuple[str, str]]
    rows: list[list[Any]]
    error: str | None = None


@dataclass(frozen=True)
class Record:
    """The answers to a class of queries: of which Trino, on which tables."""

    trino: str
    tables: str
    answers: dict[str, tuple[str, Recorded]]
    """Name of the query -> the query as it was asked, and what came."""


def groups() -> list[str]:
    """Return the classes of queries, by name."""
    return sorted(file.stem for file in BATTERY.glob("*.sql"))


def queries(group: str) -> list[Query]:
    """Return the queries of a class, in the order of its file.

    Raises
    ------
    ValueError
        For a query without name or semicolon, or two of one name.
    """
    found: dict[str, Query] = {}
    name, lines = "", list[str]()
    for line in (BATTERY / f"{group}.sql").read_text(encoding="utf-8").splitlines():
        named = _NAME.fullmatch(line.strip())
        if named:
            if lines or named[1] in found:
                raise ValueError(f"{group}.sql: before '{named[1]}': no semicolon, or named twice")
            name = named[1]
        elif line.strip() and (lines or not line.startswith("--")):
            lines.append(line)
            if line.rstrip().endswith(";"):
                if not name:
                    raise ValueError(f"{group}.sql: a query without name: {lines[0]}")
                sql = "\n".join(lines).strip()[:-1].strip()
                found[name] = Query(group, name, sql)
                name, lines = "", []
    if name or lines:
        raise ValueError(f"{group}.sql: the last query has no semicolon")
    return list(found.values())


def asked(trino: Trino, sql: str) -> Recorded:
    """Return what Trino answers, an error too."""
    try:
        answer = trino.ask(sql)
    except TrinoError as error:
        return Recorded([], [], error.name)
    return Recorded(answer.columns, answer.rows)


def is_ordered(sql: str) -> bool:
    """Tell whether a query says in which order its rows come."""
    import sqlglot
    from sqlglot.errors import SqlglotError

    try:
        tree: Any = sqlglot.parse_one(sql, read="athena")
    except SqlglotError:
        return False
    return tree is not None and tree.args.get("order") is not None


def record(trino: Trino, group: str, tables: str) -> Iterator[tuple[Query, Recorded]]:
    """Ask all queries of a class, yield what came, and write it down at the end.

    Rows that come in no order are written in one that stays the same.
    """
    answers = {}
    for one in queries(group):
        found = asked(trino, one.sql)
        if not is_ordered(one.sql):
            found.rows.sort(key=_json)
        answers[one.name] = (one.sql, found)
        yield one, found
    ANSWERS.mkdir(exist_ok=True)
    text = _text(Record(VERSION, tables, answers))
    (ANSWERS / f"{group}.json").write_text(text, encoding="utf-8")


def recorded(group: str) -> Record:
    """Return the answers to a class; none where they were never asked for."""
    file = ANSWERS / f"{group}.json"
    if not file.is_file():
        return Record("", "", {})
    data = json.loads(file.read_text(encoding="utf-8"))
    answers = {
        one["name"]: (
            one["query"],
            Recorded(
                [(name, kind) for name, kind in one.get("columns", ())],
                one.get("rows", []),
                one.get("error"),
            ),
        )
        for one in data["answers"]
    }
    return Record(data["trino"], data["tables"], answers)


def _text(record: Record) -> str:
    """Return a record as JSON with a line for each name, query, list of columns and row."""
    entries = ",\n".join(_entry(name, sql, found) for name, (sql, found) in record.answers.items())
    head = f'"trino": {_json(record.trino)}, "tables": {_json(record.tables)}'
    return f'{{{head}, "answers": [\n{entries}\n]}}\n'


def _entry(name: str, sql: str, found: Recorded) -> str:
    head = f'{{"name": {_json(name)},\n "query": {_json(sql)},\n'
    if found.error is not None:
        return f'{head} "error": {_json(found.error)}}}'
    rows = ",\n  ".join(map(_json, found.rows))
    return f'{head} "columns": {_json(found.columns)},\n "rows": [\n  {rows}]}}'


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
