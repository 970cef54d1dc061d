"""Views shipped for Athena: a file of SQL each, checked by our own compiler of that SQL."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.export.glue import GlueTables
from runner.sql.kinds import kind_of
from runner.sql.scope import Columns
from schemas.tables import fixed_columns, results_columns

_FOLDER = Path(__file__).parent / "views"
_GLUE_TYPES = (("varchar", "string"), ("integer", "int"), (r"timestamp\(3\)", "timestamp"))


@dataclass(frozen=True)
class View:
    """One view: what it shows, its query, and its columns with their types in Athena."""

    name: str
    description: str
    sql: str
    columns: tuple[tuple[str, str], ...]

    def statement(self) -> str:
        """Return the statement that makes it in Athena."""
        return f"-- {self.description}\nCREATE OR REPLACE VIEW {self.name} AS\n{self.sql};\n"

    def table_input(self, database: str) -> dict[str, Any]:
        """Return it as Glue holds views of Athena: JSON in base64 in a comment.

        Without `Description`: Trino takes one for the comment by which it knows such views. And
        without an owner, it asks that whoever reads a view may read its tables.
        """
        definition = {
            "originalSql": self.sql,
            "catalog": "awsdatacatalog",
            "schema": database,
            "columns": [{"name": name, "type": kind} for name, kind in self.columns],
            "runAsInvoker": True,
        }
        text = base64.b64encode(json.dumps(definition, separators=(",", ":")).encode()).decode()
        return {
            "Name": self.name,
            "TableType": "VIRTUAL_VIEW",
            "Parameters": {"presto_view": "true", "comment": "Presto View"},
            "PartitionKeys": [],
            "StorageDescriptor": {
                "Columns": [
                    {"Name": name, "Type": _glue_type(kind)} for name, kind in self.columns
                ],
                "Location": "",
                "SerdeInfo": {},
            },
            "ViewOriginalText": f"/* Presto View: {text} */",
            "ViewExpandedText": "/* Presto View */",
        }


def views() -> Iterator[View]:
    """Yield the shipped views, by name. Each is compiled as `campaign sql` would."""
    for name in names():
        comments = re.findall(r"^-- (.*)$", _text(name), re.MULTILINE)
        sql = sql_of(name)
        yield View(name, " ".join(comments), sql, _columns(sql))


def names() -> tuple[str, ...]:
    """Return the names of the shipped views, sorted."""
    return tuple(sorted(file.stem for file in _FOLDER.glob("*.sql")))


def sql_of(name: str) -> str:
    """Return the query of a shipped view, without the comments at its head."""
    lines = _text(name).splitlines()
    return "\n".join(line for line in lines if not line.startswith("--")).strip()


def put_views(glue: GlueTables) -> tuple[str, ...]:
    """Make the shipped views in a Glue database; return their names."""
    made = []
    for view in views():
        glue.put_view(view.name, view.table_input(glue.database))
        made.append(view.name)
    return tuple(made)


def _text(name: str) -> str:
    return (_FOLDER / f"{name}.sql").read_text(encoding="utf-8")


def _columns(sql: str) -> tuple[tuple[str, str], ...]:
    from datetime import UTC, datetime

    from runner.sql.grammar import parse
    from runner.sql.queries import Queries
    from runner.sql.scope import Scope

    now = datetime.now(UTC).replace(tzinfo=None)
    relation = Queries(_kinds(), now).compile(parse(sql), Scope())
    return tuple((name, str(kind)) for name, kind in relation.columns)


def _kinds() -> dict[str, Columns]:
    """Return the columns of the tables as every lake has them."""
    tables = {name: fixed_columns(name) for name in ("screening", "attempts", "campaigns")}
    tables["results"] = results_columns()
    return {
        name: tuple((column.name, kind_of(column.type)) for column in columns)
        for name, columns in tables.items()
    }


def _glue_type(kind: str) -> str:
    for theirs, glue in _GLUE_TYPES:
        kind = re.sub(rf"\b{theirs}", glue, kind)
    return re.sub(r"array\((\w+)\)", r"array<\1>", kind)
