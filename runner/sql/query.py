"""Answers a query over published tables: read only, in memory, in Athena's SQL or DuckDB's."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from runner.sql.answer import Answer
from schemas.errors import UserError, suggestion

if TYPE_CHECKING:
    from runner.sql.catalog import Catalog
    from runner.sql.scope import Relation

Dialect = Literal["athena", "duckdb"]

_SHOW_TABLES = re.compile(r"\s*show\s+tables\s*;?\s*", re.IGNORECASE)
_DESCRIBE = re.compile(
    r'\s*(?:describe|desc|show\s+columns\s+(?:from|in))\s+"?(\w+)"?\s*;?\s*', re.IGNORECASE
)


def query(sql: str, roots: Sequence[Path], *, dialect: Dialect = "athena") -> Answer:
    """Return the answer to one query over the tables published below the folders.

    In Athena's dialect only what gives Athena's answer is run; the rest is refused with a hint.
    DuckDB's dialect runs whatever DuckDB makes of it. Both read, and neither reaches any file but
    the published ones.

    Raises
    ------
    UserError
        For anything that the query's author can put right.
    """
    from runner.sql.catalog import Catalog

    catalog = Catalog(roots)
    own = _about_tables(sql, catalog)
    if own is not None:
        return own
    if dialect == "duckdb":
        return _raw(sql, catalog)
    relation = _compiled(sql, catalog)
    rows = _fetched(catalog, relation.sql)
    _refuse_nan(rows)
    return Answer([(name, str(kind)) for name, kind in relation.columns], rows)


def explain(sql: str, roots: Sequence[Path] = ()) -> str:
    """Return the DuckDB query that a query in Athena's dialect becomes."""
    from runner.sql.catalog import Catalog

    return _compiled(sql, Catalog(roots)).sql


def _compiled(sql: str, catalog: Catalog) -> Relation:
    from runner.sql.grammar import parse
    from runner.sql.queries import Queries
    from runner.sql.scope import Scope

    now = datetime.now(UTC).replace(tzinfo=None)
    try:
        return Queries(catalog.kinds(), now).compile(parse(sql), Scope())
    except RecursionError as error:
        raise UserError("the query is nested too deeply; split it with WITH") from error


def _fetched(catalog: Catalog, sql: str) -> list[tuple[object, ...]]:
    import duckdb

    connection = catalog.connect()
    try:
        return connection.execute(sql).fetchall()
    except duckdb.Error as error:
        raise _translated(error) from error
    finally:
        connection.close()


def _raw(sql: str, catalog: Catalog) -> Answer:
    import duckdb

    connection = catalog.connect()
    try:
        statements = connection.extract_statements(sql)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise UserError("one query at a time, and only queries: SELECT ... or WITH ...")
        cursor = connection.execute(statements[0])
        columns = [(str(item[0]), str(item[1]).lower()) for item in cursor.description or ()]
        return Answer(columns, cursor.fetchall())
    except duckdb.Error as error:
        raise _translated(error) from error
    finally:
        connection.close()


def _translated(error: Exception) -> UserError:
    """Return an error of DuckDB as one line, without its advice on DuckDB's settings."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    text = re.sub(r"^[A-Za-z ]*Error: ", "", lines[0] if lines else type(error).__name__)
    if "ivision by zero" in text and "nullif" not in text:
        return UserError("division by zero; write x / nullif(y, 0) to have NULL there")
    return UserError(f"the query failed: {text.removeprefix('Invalid Input Error: ')}")


def _about_tables(sql: str, catalog: Catalog) -> Answer | None:
    """Answer SHOW TABLES and DESCRIBE from the catalog, in Athena's words."""
    if _SHOW_TABLES.fullmatch(sql):
        return Answer([("Table", "varchar")], [(name,) for name in sorted(catalog.tables)])
    wanted = _DESCRIBE.fullmatch(sql)
    if not wanted:
        return None
    from runner.sql.kinds import kind_of
    from schemas.tables import PARTITIONS

    table = wanted.group(1).lower()
    if table not in catalog.tables:
        raise UserError(f"no table '{table}'{suggestion(table, sorted(catalog.tables))}")
    folders = PARTITIONS[table]
    rows: list[tuple[object, ...]] = [
        (
            column.name,
            str(kind_of(column.type)),
            "partition key" if column.name in folders else "",
            column.description + (f" Unit: {column.unit}." if column.unit else ""),
        )
        for column in catalog.tables[table]
    ]
    names = ("Column", "Type", "Extra", "Comment")
    return Answer([(name, "varchar") for name in names], rows)


def _refuse_nan(rows: list[tuple[object, ...]]) -> None:
    """Refuse results that are no numbers: Athena compares NaN otherwise, so they may be wrong."""
    for row in rows:
        for value in row:
            if _not_finite(value):
                raise UserError(
                    "a result is infinite or not a number; leave such rows out with WHERE or CASE"
                )


def _not_finite(value: Any) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    return isinstance(value, list) and any(_not_finite(item) for item in value)
