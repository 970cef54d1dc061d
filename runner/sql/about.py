"""What SHOW TABLES and DESCRIBE answer: the same here and over AWS Glue, in Athena's words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runner.sql.answer import Answer
from schemas.errors import UserError, suggestion

_SHOW_TABLES = re.compile(r"\s*show\s+tables\s*;?\s*", re.IGNORECASE)
_DESCRIBE = re.compile(
    r'\s*(?:describe|desc|show\s+columns\s+(?:from|in))\s+"?(\w+)"?\s*;?\s*', re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Described:
    """A column of a table."""

    name: str
    type: str
    """As Athena names it."""
    comment: str
    is_folder: bool = False
    """The table is parted by it."""


def is_about_tables(sql: str) -> bool:
    """Tell whether it asks for tables or columns, and not for rows."""
    return bool(_SHOW_TABLES.fullmatch(sql) or _DESCRIBE.fullmatch(sql))


def about_tables(
    sql: str,
    tables: Mapping[str, Sequence[Described]],
    views: Mapping[str, Sequence[Described]] | None = None,
) -> Answer:
    """Return the names of the tables, or the columns of one, or of a view.

    Raises
    ------
    UserError
        When there is no such table.
    """
    wanted = _DESCRIBE.fullmatch(sql)
    if wanted is None:
        return Answer([("Table", "varchar")], [(name,) for name in sorted(tables)])
    known = {**(views or {}), **tables}
    table = wanted.group(1).lower()
    if table not in known:
        raise UserError(f"no table '{table}'{suggestion(table, sorted(known))}")
    rows: list[tuple[object, ...]] = [
        (column.name, column.type, "partition key" if column.is_folder else "", column.comment)
        for column in known[table]
    ]
    names = ("Column", "Type", "Extra", "Comment")
    return Answer([(name, "varchar") for name in names], rows)
