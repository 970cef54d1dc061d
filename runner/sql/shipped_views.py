"""The views that ship, in queries on this machine: under the names that they get in Athena."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlglot import exp

from runner.sql.scope import Columns, Relation


def views_in(tree: Any, tables: Mapping[str, Columns], now: datetime) -> dict[str, Relation]:
    """Return the views that a query names; each is put into it as a subquery."""
    named = {table.name.lower() for table in tree.find_all(exp.Table)}
    return {name: view(name, tables, now) for name in view_names() if name in named}


def view(name: str, tables: Mapping[str, Columns], now: datetime) -> Relation:
    """Return one of them over the given tables."""
    from runner.export.views import sql_of
    from runner.sql.grammar import parse
    from runner.sql.queries import Queries
    from runner.sql.scope import Scope

    found = Queries(tables, now).compile(parse(sql_of(name)), Scope())
    return Relation(f"({found.sql})", found.columns)


def view_names() -> tuple[str, ...]:
    """Return the names of all, sorted."""
    from runner.export.views import names

    return names()
