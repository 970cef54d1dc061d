"""Answers a query over published tables: read only, in memory, in Athena's SQL or DuckDB's."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from runner.sql.about import Described, about_tables, is_about_tables
from runner.sql.answer import Answer
from schemas.errors import UserError

if TYPE_CHECKING:
    from runner.sql.catalog import Catalog
    from runner.sql.scope import Relation

Dialect = Literal["athena", "duckdb"]
_MISTAKES = (
    (
        r'column "?([^" ]+)"? must appear in the GROUP BY',
        "column '{0}' is neither in GROUP BY nor in an aggregate: add it, or write any_value(x)",
    ),
    (
        r"(\w+) clause cannot contain (aggregates|window functions)",
        "{0} with {1}: aggregates stand in HAVING, window functions in a subquery",
    ),
    (
        r"GROUPING (?:child|statement) .*",
        "grouping() takes columns of GROUP BY, and stands beside it",
    ),
    (
        r"(aggregate|window) function calls cannot (?:be nested|contain)",
        "an {0} function in another: put the inner one in a subquery",
    ),
)
"""What DuckDB says of mistakes that Athena finds too."""


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
    from runner.sql.outputs import as_athena

    catalog = Catalog(roots)
    if is_about_tables(sql):
        return about_tables(sql, _described(catalog), _views_described(catalog))
    if dialect == "duckdb":
        return _raw(sql, catalog)
    relation, warnings = _compiled(sql, catalog)
    rows = _fetched(catalog, relation.sql)
    _refuse_nan(rows)
    columns = [(name, str(kind)) for name, kind in relation.columns]
    return Answer(columns, as_athena(rows, [kind for _, kind in relation.columns]), warnings)


def explain(sql: str, roots: Sequence[Path] = ()) -> str:
    """Return the DuckDB query that a query in Athena's dialect becomes."""
    from runner.sql.catalog import Catalog

    return _compiled(sql, Catalog(roots))[0].sql


def _compiled(sql: str, catalog: Catalog) -> tuple[Relation, tuple[str, ...]]:
    """Return the query for DuckDB, and warnings of what surprises in Athena too."""
    from runner.sql.grammar import parse
    from runner.sql.outputs import printable
    from runner.sql.queries import Queries
    from runner.sql.scope import Scope
    from runner.sql.shipped_views import views_in

    now = datetime.now(UTC).replace(tzinfo=None)
    try:
        kinds, tree = catalog.kinds(), parse(sql)
        queries = Queries(kinds, now)
        relation = queries.compile(tree, Scope(relations=views_in(tree, kinds, now)))
        return printable(relation), queries.expressions.cautions.said()
    except RecursionError as error:
        raise UserError("the query is nested too deeply; split it with WITH") from error


def _fetched(catalog: Catalog, sql: str) -> list[tuple[object, ...]]:
    import duckdb

    connection = catalog.connect()
    try:
        return connection.execute(sql).fetchall()
    except duckdb.Error as error:
        _refuse_mistakes(str(error))
        raise _translated(error) from error
    finally:
        connection.close()


def _refuse_mistakes(message: str) -> None:
    """Refuse what DuckDB finds wrong as Athena does: it is of the query, not of our making."""
    for pattern, hint in _MISTAKES:
        found = re.search(pattern, message)
        if found:
            raise UserError(hint.format(*found.groups())) from None


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


def _described(catalog: Catalog) -> dict[str, list[Described]]:
    """Return the columns of the tables with their types in Athena."""
    from runner.sql.kinds import kind_of
    from schemas.tables import PARTITIONS

    return {
        table: [
            Described(
                column.name,
                str(kind_of(column.type)),
                column.description + (f" Unit: {column.unit}." if column.unit else ""),
                column.name in PARTITIONS[table],
            )
            for column in columns
        ]
        for table, columns in catalog.tables.items()
    }


def _views_described(catalog: Catalog) -> dict[str, list[Described]]:
    """Return the columns of the shipped views with their types in Athena."""
    from runner.sql.shipped_views import view, view_names

    kinds, now = catalog.kinds(), datetime.now(UTC).replace(tzinfo=None)
    return {
        name: [Described(column, str(kind), "") for column, kind in view(name, kinds, now).columns]
        for name in view_names()
    }


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
