"""Compiles what stands in FROM: tables, subqueries, VALUES, joins and UNNEST."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from runner.sql import rows
from runner.sql.conditionals import unified
from runner.sql.kinds import BIGINT, Kind, Typed, common, identifier
from runner.sql.nodes import only, refused_node
from runner.sql.refusal import refuse
from runner.sql.scope import Columns, Relation, Scope, Source
from schemas.errors import UserError, suggestion

if TYPE_CHECKING:
    from runner.sql.expressions import Expressions

_SCHEMA = "main"
"""Where DuckDB holds the tables. With it, a name of WITH cannot stand for a table in a view."""


class Sources:
    """The compiler of FROM over the given tables."""

    def __init__(self, tables: Mapping[str, Columns], expressions: Expressions) -> None:
        self._tables = tables
        self._expressions = expressions
        self._unnamed = 0

    def from_clause(self, node: Any, scope: Scope) -> str:
        """Return FROM with its joins, and make its columns visible in the scope."""
        clause = node.args.get("from_")
        if clause is None:
            if node.args.get("joins"):
                raise refuse("JOIN without FROM", "write FROM first")
            return ""
        only(clause, "this")
        joins = [*(clause.this.args.get("joins") or ()), *(node.args.get("joins") or ())]
        sql = f" FROM {self._source(clause.this, scope)}"
        for join in joins:
            sql += self._join(join, scope)
        return sql

    def _join(self, node: Any, scope: Scope) -> str:
        only(node, "this", "kind", "side", "on", "using")
        kind = str(node.args.get("kind") or "").upper()
        side = str(node.args.get("side") or "").upper()
        condition, using = node.args.get("on"), node.args.get("using")
        if kind not in {"", "INNER", "CROSS", "OUTER"}:
            raise refuse(f"{kind} JOIN", "write WHERE x IN (SELECT ...)")
        if isinstance(node.this, exp.Unnest):
            return self._join_unnest(node, scope, side)
        if isinstance(node.this, exp.Lateral):
            return self._join_lateral(node, scope, side)
        before = len(scope.sources)
        sql = self._source(node.this, scope)
        if kind == "CROSS" or (not kind and not side and condition is None and not using):
            if condition is not None or using:
                raise refuse("CROSS JOIN with a condition", "write JOIN ... ON ...")
            return f" CROSS JOIN {sql}"
        word = f" {side or 'INNER'} JOIN "
        if using:
            names = [str(item.name).lower() for item in using]
            self._merge(names, scope, before)
            return f"{word}{sql} USING ({', '.join(identifier(name) for name in names)})"
        if condition is None:
            raise refuse("JOIN without a condition", "write ON a.key = b.key, or CROSS JOIN")
        return f"{word}{sql} ON {self._expressions.condition(condition, scope, 'ON')}"

    def _merge(self, names: list[str], scope: Scope, before: int) -> None:
        """Make the columns of USING one each."""
        for name in names:
            left = Scope(sources=scope.sources[:before], merged=dict(scope.merged))
            right = Scope(sources=scope.sources[before:])
            first, second = left.column(name, None), right.column(name, None)
            if common(first.kind, second.kind) not in (first.kind, second.kind):
                raise refuse(f"USING ({name}) of {first.kind} and {second.kind}", "CAST, and ON")
            scope.merged[name] = unified("USING", [first, second])

    def _source(self, node: Any, scope: Scope) -> str:
        if isinstance(node, exp.Table):
            return self._table(node, scope)
        if isinstance(node, exp.Unnest):
            return self._unnest(node, scope)
        if isinstance(node, exp.Values):
            relation = self.values(node, scope)
            return self._named(relation, node.args.get("alias"), scope)
        if isinstance(node, exp.Subquery):
            only(node, "this", "alias", "joins", "with_")
            if isinstance(node.this, exp.Table):
                raise refuse("a table in parentheses", "leave the parentheses out")
            inner = self._expressions.query(node.this, Scope(parent=_outer(scope)))
            return self._named(inner, node.args.get("alias"), scope)
        raise refused_node(node)

    def _table(self, node: Any, scope: Scope) -> str:
        if node.args.get("db") is not None:
            raise refuse(f"'{node.sql('trino')}'", f"leave the database out: FROM {node.name}")
        only(node, "this", "alias", "joins")
        if not isinstance(node.this, exp.Identifier):
            raise refuse(f"'{node.sql('trino')}' in FROM", "only tables, subqueries and UNNEST")
        name = node.name
        relation = scope.relation(name)
        if relation is None:
            columns = self._tables.get(name.lower())
            if columns is None:
                raise self._unknown(name, scope)
            relation = Relation(f"{_SCHEMA}.{identifier(name.lower())}", columns)
        alias = node.args.get("alias")
        columns = self.renamed(relation.columns, alias)
        called = alias.name if alias is not None and alias.name else name
        scope.add(Source(called, columns))
        names = f" ({_names(columns)})" if alias is not None and alias.args.get("columns") else ""
        return f"{relation.sql} AS {identifier(called)}{names}"

    def _unknown(self, name: str, scope: Scope) -> UserError:
        from runner.sql.shipped_views import view_names

        known = sorted({*self._tables, *view_names(), *scope.relation_names()})
        return UserError(f"no table '{name}'{suggestion(name, known)}")

    def _named(self, relation: Relation, alias: Any, scope: Scope) -> str:
        columns = self.renamed(relation.columns, alias)
        called = alias.name if alias is not None and alias.name else self._invented()
        scope.add(Source(called, columns))
        return f"({relation.sql}) AS {identifier(called)} ({_names(columns)})"

    def _invented(self) -> str:
        self._unnamed += 1
        return f"_q{self._unnamed}"

    def renamed(self, columns: Columns, alias: Any) -> Columns:
        """Return the columns under the names of `AS t (a, b)`, where it has them."""
        if alias is None:
            return columns
        only(alias, "this", "columns")
        names = [str(item.name) for item in alias.args.get("columns") or ()]
        if not names:
            return columns
        if len(names) != len(columns):
            raise refuse(f"{len(names)} names for {len(columns)} columns", "name each of them")
        return tuple((name, kind) for name, (_, kind) in zip(names, columns, strict=True))

    def values(self, node: Any, scope: Scope) -> Relation:
        """Return VALUES as a query; its columns are `_col0`, `_col1`."""
        only(node, "expressions", "alias")
        rows = [
            [self._expressions.compile(part, scope) for part in _row_of(row)]
            for row in node.expressions
        ]
        if len({len(row) for row in rows}) != 1:
            raise refuse("VALUES", "its rows must have the same number of values")
        kinds = [unified("VALUES", column) for column in zip(*rows, strict=True)]
        listed = ", ".join(
            f"({', '.join(value.to(kind) for value, kind in zip(row, kinds, strict=True))})"
            for row in rows
        )
        columns = tuple((f"_col{number}", kind) for number, kind in enumerate(kinds))
        return Relation(f"SELECT * FROM (VALUES {listed}) AS v ({_names(columns)})", columns)  # noqa: S608  (compiled)

    def _join_unnest(self, node: Any, scope: Scope, side: str) -> str:
        condition = node.args.get("on")
        sql = f"LATERAL {self._unnest(node.this, scope)}"
        always = isinstance(condition, exp.Boolean) and bool(condition.this)
        if side == "LEFT" and always:
            return f" LEFT JOIN {sql} ON TRUE"
        if not side and condition is None and not node.args.get("using"):
            return f" CROSS JOIN {sql}"
        raise refuse(
            "this JOIN of UNNEST", "write CROSS JOIN UNNEST(...), or LEFT JOIN ... ON true"
        )

    def _join_lateral(self, node: Any, scope: Scope, side: str) -> str:
        """Return a join of a subquery that sees the tables before it."""
        only(node.this, "this", "alias", "view", "outer")
        inner = node.this.this
        if not isinstance(inner, exp.Subquery):
            raise refuse("LATERAL", "write CROSS JOIN LATERAL (SELECT ...) AS t (a)")
        relation = self._expressions.query(inner.this, Scope(parent=scope))
        condition = node.args.get("on")
        sql = f"LATERAL {self._named(relation, node.this.args.get('alias'), scope)}"
        if side == "LEFT" and isinstance(condition, exp.Boolean) and condition.this:
            return f" LEFT JOIN {sql} ON TRUE"
        if not side and condition is None and not node.args.get("using"):
            return f" CROSS JOIN {sql}"
        raise refuse("this JOIN of LATERAL", "write CROSS JOIN LATERAL, or LEFT JOIN ... ON true")

    def _unnest(self, node: Any, scope: Scope) -> str:
        """Return UNNEST as a subquery: shorter arrays are filled up with nulls."""
        only(node, "expressions", "alias", "offset")
        alias = node.args.get("alias")
        if alias is None or not alias.args.get("columns"):
            raise refuse("UNNEST without names", "write UNNEST(elements) AS t (element)")
        only(alias, "this", "columns")
        parts: list[Typed] = []
        for item in node.expressions:
            parts += _lists(self._expressions.compile(item, scope))
        names = [str(item.name) for item in alias.args["columns"]]
        offset = node.args.get("offset")
        kinds: list[Kind] = [part.kind for part in parts]
        selected = [f"unnest({part.sql})" for part in parts]
        if offset:
            if isinstance(offset, exp.Identifier):
                names.append(str(offset.name))
            kinds.append(BIGINT)
            sizes = ", ".join(f"coalesce(len({part.sql}), 0)" for part in parts)
            selected.append(f"unnest(range(1, greatest({sizes}) + 1))")
        if len(names) != len(kinds):
            raise refuse(f"{len(names)} names for {len(kinds)} columns of UNNEST", "name each")
        listed = ", ".join(
            f"{sql} AS {identifier(name)}" for sql, name in zip(selected, names, strict=True)
        )
        called = alias.name or self._invented()
        scope.add(Source(called, tuple(zip(names, kinds, strict=True))))
        return f"(SELECT {listed}) AS {identifier(called)}"

    def all_columns(self, scope: Scope, qualifier: str | None) -> list[tuple[str, Typed]]:
        """Return what `*` or `t.*` stands for: the columns of USING first, then the others."""
        wanted = [
            source
            for source in scope.sources
            if qualifier is None or source.name.lower() == qualifier.lower()
        ]
        if not wanted:
            known = [source.name for source in scope.sources]
            raise UserError(f"no table '{qualifier}' in FROM{suggestion(qualifier or '', known)}")
        if qualifier is not None and scope.merged:
            raise refuse(f"'{qualifier}.*' beside USING", "name the columns")
        found = [(name, scope.column(name, None)) for name in scope.merged]
        for source in wanted:
            _refuse_twins(source)
            for name, kind in source.columns:
                if name.lower() not in scope.merged:
                    sql = f"{identifier(source.name)}.{identifier(name)}"
                    found.append((name, Typed(sql, kind, name=name)))
        return found


def _outer(scope: Scope) -> Scope:
    """Return what a subquery in FROM can see: WITH and outer queries, not its neighbours."""
    return Scope(parent=scope.parent, relations=scope.relations)


def _row_of(node: Any) -> list[Any]:
    if isinstance(node, exp.Tuple):
        return list(node.expressions)
    return [node.this if isinstance(node, exp.Paren) else node]


def _names(columns: Columns) -> str:
    return ", ".join(identifier(name) for name, _ in columns)


def _lists(value: Typed) -> list[Typed]:
    if value.kind.name == "array" and value.kind.parts[0].name == "row":
        element = value.kind.parts[0]
        fields = [rows.at(Typed("item", element), place) for place in range(len(element.parts))]
        return [
            Typed(f"list_transform({value.sql}, lambda item: {one.sql})", one.kind)
            for one in fields
        ]
    if value.kind.name == "array":
        return [Typed(value.sql, value.kind.parts[0])]
    if value.kind.name == "map":
        key, item = value.kind.parts
        return [Typed(f"map_keys({value.sql})", key), Typed(f"map_values({value.sql})", item)]
    raise refuse(f"UNNEST of {value.kind}", "it takes arrays and maps")


def _refuse_twins(source: Source) -> None:
    """Refuse a star over columns of one name: both would come from the first."""
    names = [name.lower() for name, _ in source.columns]
    twins = sorted({name for name in names if names.count(name) > 1})
    if twins:
        raise refuse(f"* of '{source.name}', which has '{twins[0]}' twice", "rename one with AS")
