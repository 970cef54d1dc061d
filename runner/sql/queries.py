"""Compiles queries: SELECT, FROM, joins, UNNEST, WITH, set operations, VALUES."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlglot import exp

from runner.sql import windows
from runner.sql.conditionals import unified
from runner.sql.expressions import Expressions
from runner.sql.grouping import Grouping, written_place
from runner.sql.kinds import Kind, Typed, common, identifier
from runner.sql.nodes import direction, only, refused_node
from runner.sql.refusal import refuse
from runner.sql.scope import Columns, Relation, Scope
from runner.sql.sources import Sources

_SETS = {exp.Union: "UNION", exp.Except: "EXCEPT", exp.Intersect: "INTERSECT"}
_DEEPEST = 10
"""How often Athena lets a query of WITH RECURSIVE read itself."""
_ENDS = ("order", "limit", "offset", "with_")


class Queries:
    """The compiler of queries over the given tables."""

    def __init__(self, tables: Mapping[str, Columns], now: datetime) -> None:
        self.expressions = Expressions(self.compile, now)
        self.sources = Sources(tables, self.expressions)

    def compile(self, node: Any, outer: Scope) -> Relation:
        """Return the query as DuckDB's SQL and its columns."""
        if isinstance(node, exp.Subquery):
            only(node, "this", *_ENDS)
            if not any(node.args.get(end) for end in _ENDS):
                inner = self.compile(node.this, outer)
                return Relation(f"({inner.sql})", inner.columns)
        scope, prefix = self._with(node, outer)
        if isinstance(node, exp.Subquery):
            inner = self.compile(node.this, scope)
            relation = Relation(f"({inner.sql})", inner.columns)
            return self._ended(node, relation, prefix)
        if type(node) in _SETS:
            return self._ended(node, self._set(node, scope), prefix)
        if isinstance(node, exp.Values):
            return self.sources.values(node, scope)
        if isinstance(node, exp.Select):
            return self._select(node, scope, prefix)
        raise refused_node(node)

    def _with(self, node: Any, outer: Scope) -> tuple[Scope, str]:
        clause = node.args.get("with_")
        relations: dict[str, Relation] = {}
        scope = Scope(parent=outer, relations=relations)
        if clause is None:
            return scope, ""
        only(clause, "expressions", "recursive")
        recursive = bool(clause.args.get("recursive"))
        parts = []
        for item in clause.expressions:
            only(item, "this", "alias")
            name = item.alias.lower()
            if name in relations:
                raise refuse(f"'{item.alias}' twice in WITH", "give one another name")
            if recursive and _refers_to(item.this, name):
                inner, columns = self._recursive(item, scope, relations)
            else:
                inner = self.compile(item.this, scope)
                columns = self.sources.renamed(inner.columns, item.args["alias"])
            names = ", ".join(identifier(each) for each, _ in columns)
            parts.append(f"{identifier(item.alias)} ({names}) AS ({inner.sql})")
            relations[name] = Relation(identifier(item.alias), columns)
        return scope, f"WITH {', '.join(parts)} "

    def _recursive(
        self, item: Any, scope: Scope, relations: dict[str, Relation]
    ) -> tuple[Relation, Columns]:
        """Return a query of WITH that reads itself: its first part says the types."""
        union = item.this
        if type(union) is not exp.Union or union.args.get("distinct"):
            raise refuse("WITH RECURSIVE", "write t (a) AS (start UNION ALL SELECT ... FROM t)")
        only(union, "this", "expression", "distinct")
        if not item.args["alias"].args.get("columns"):
            raise refuse("WITH RECURSIVE", f"name its columns: {item.alias} (a, b) AS (...)")
        start = self.compile(union.this, scope)
        columns = self.sources.renamed(start.columns, item.args["alias"])
        relations[item.alias.lower()] = Relation(identifier(item.alias), columns)
        steps: list[str] = []
        for level in range(_DEEPEST + 1):
            before = identifier(f"{item.alias}@{level}")
            relations[item.alias.lower()] = Relation(before, columns)
            step = self.compile(union.expression, scope)
            if [kind for _, kind in step.columns] != [kind for _, kind in columns]:
                raise refuse("WITH RECURSIVE", "both parts must have columns of the same types")
            steps.append(step.sql)
        del relations[item.alias.lower()]
        return Relation(_unrolled(item.alias, columns, [start.sql, *steps]), columns), columns

    def _set(self, node: Any, scope: Scope) -> Relation:
        only(node, "this", "expression", "distinct", *_ENDS)
        for side in (node.this, node.expression):
            mixed = type(side) in _SETS and type(side) is not type(node)
            if mixed and isinstance(node, exp.Intersect):
                raise refuse("INTERSECT after UNION or EXCEPT", "put parentheses around one")
            if any(side.args.get(end) for end in _ENDS) and not isinstance(side, exp.Subquery):
                raise refuse("ORDER BY or LIMIT before a set operation", "put it in parentheses")
        left, right = (self.compile(side, scope) for side in (node.this, node.expression))
        word = _SETS[type(node)]
        if len(left.columns) != len(right.columns):
            raise refuse(word, f"{len(left.columns)} columns beside {len(right.columns)}")
        columns = []
        for (name, first), (_, second) in zip(left.columns, right.columns, strict=True):
            kind = common(first, second)
            if kind is None or not (kind.comparable or (kind == first == second)):
                raise refuse(f"{word} of {first} and {second} in '{name}'", "CAST one of them")
            columns.append((name, kind))
        quantifier = "" if node.args.get("distinct") else " ALL"
        sides = (_cast_columns(side, tuple(columns)) for side in (left, right))
        return Relation(f" {word}{quantifier} ".join(sides), tuple(columns))

    def _ended(self, node: Any, relation: Relation, prefix: str) -> Relation:
        """Add WITH before and ORDER BY, OFFSET and LIMIT after a set operation."""
        order = ""
        if node.args.get("order") is not None:
            parts = []
            for item in node.args["order"].expressions:
                place = self._output_place(item, [name for name, _ in relation.columns])
                if place is None:
                    raise refuse("ORDER BY after a set operation", "order by an output column")
                parts.append(f"{place}{direction(item)}")
            order = f" ORDER BY {', '.join(parts)}"
        return Relation(f"{prefix}{relation.sql}{order}{_limits(node)}", relation.columns)

    def _select(self, node: Any, scope: Scope, prefix: str) -> Relation:
        only(
            node,
            *("expressions", "distinct", "from_", "joins", "where", "group", "having", "windows"),
            *_ENDS,
        )
        if node.args.get("distinct") is not None:
            only(node.args["distinct"])
        source = self.sources.from_clause(node, scope)
        scope.aliases = [item.alias for item in node.expressions if isinstance(item, exp.Alias)]
        scope.windows = windows.named(self.expressions, node.args.get("windows") or [], scope)
        projections = self._projections(node, scope)
        if not projections:
            raise refuse("SELECT of nothing", "name the columns, or write *")
        outputs = [name for name, _ in projections]
        for alias in scope.aliases:
            if alias.lower() in scope.merged:
                raise refuse(f"the alias '{alias}' beside USING ({alias})", "name it otherwise")
        parts = [f"{value.sql} AS {identifier(name)}" for name, value in projections]
        distinct = "DISTINCT " if node.args.get("distinct") is not None else ""
        sql = f"{prefix}SELECT {distinct}{', '.join(parts)}{source}"
        if node.args.get("where") is not None:
            sql += f" WHERE {self.expressions.condition(node.args['where'].this, scope, 'WHERE')}"
        sql += Grouping(self.expressions, scope, projections).clause(node.args.get("group"))
        if node.args.get("having") is not None:
            sql += (
                f" HAVING {self.expressions.condition(node.args['having'].this, scope, 'HAVING')}"
            )
        if node.args.get("order") is not None:
            elements = [
                self._order_element(item, scope, projections, distinct=bool(distinct))
                for item in node.args["order"].expressions
            ]
            sql += f" ORDER BY {', '.join(elements)}"
        _refuse_reaching_out(node, scope)
        columns = tuple((name, projections[place][1].kind) for place, name in enumerate(outputs))
        return Relation(sql + _limits(node), columns)

    def _projections(self, node: Any, scope: Scope) -> list[tuple[str, Typed]]:
        """Return the output columns; what has no name is `_col` and its place, from 0."""
        found: list[tuple[str, Typed]] = []
        for item in node.expressions:
            if isinstance(item, exp.Star):
                only(item)
                found += self.sources.all_columns(scope, None)
            elif isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
                only(item.this)
                found += self.sources.all_columns(scope, item.table)
            elif isinstance(item, exp.Alias):
                only(item, "this", "alias")
                found.append((item.alias, self.expressions.compile(item.this, scope)))
            else:
                value = self.expressions.compile(item, scope)
                found.append((value.name or f"_col{len(found)}", value))
        return found

    def _order_element(
        self, node: Any, scope: Scope, projections: list[tuple[str, Typed]], *, distinct: bool
    ) -> str:
        place = self._output_place(node, [name for name, _ in projections])
        if place is not None:
            kind = projections[place - 1][1].kind
            if not kind.ordered:
                raise refuse(f"ORDER BY of {kind}", "order by numbers, texts or times")
            return f"{place}{direction(node)}"
        named = {alias.lower() for alias in scope.aliases}
        for column in node.find_all(exp.Column):
            if not column.table and column.name.lower() in named:
                raise refuse(
                    f"the alias '{column.name}' inside an expression of ORDER BY",
                    "give the whole expression a name in SELECT and order by that",
                )
        text = self.expressions.ordering(node, scope, "ORDER BY")
        if distinct and self.expressions.compile(node.this, scope).sql not in {
            value.sql for _, value in projections
        }:
            raise refuse("ORDER BY beside SELECT DISTINCT", "order by columns of the SELECT")
        return text

    def _output_place(self, node: Any, outputs: list[str]) -> int | None:
        """Return the output column that an element of ORDER BY means, from 1."""
        only(node, "this", "desc", "nulls_first")
        place = written_place(node.this, len(outputs))
        if place is not None or not isinstance(node.this, exp.Column) or node.this.table:
            return place
        hits = [n for n, name in enumerate(outputs, 1) if name.lower() == node.this.name.lower()]
        if len(hits) > 1:
            raise refuse(f"ORDER BY {node.this.name}", "more than one column has that name")
        return hits[0] if hits else None


def _limits(node: Any) -> str:
    text = ""
    for name, word in (("limit", "LIMIT"), ("offset", "OFFSET")):
        clause = node.args.get(name)
        if clause is None:
            continue
        number = _fetched(clause) if isinstance(clause, exp.Fetch) else clause.expression
        if isinstance(clause, exp.Limit | exp.Offset):
            only(clause, "expression")
        if isinstance(number, exp.Var) and number.name.upper() == "ALL" and name == "limit":
            continue
        if not isinstance(number, exp.Literal) or not number.name.isdigit():
            raise refuse(word, f"write {word} and a number")
        text += f" {word} {number.name}"
    return text


def _fetched(clause: exp.Fetch) -> Any:
    """Return the number of FETCH FIRST n ROWS ONLY."""
    options = clause.args.get("limit_options")
    if options is not None and (options.args.get("with_ties") or options.args.get("percent")):
        raise refuse("FETCH FIRST ... WITH TIES", "number the rows with rank() in a subquery")
    return clause.args.get("count") or exp.Literal.number(1)


def _unrolled(name: str, columns: Columns, steps: list[str]) -> str:
    """Return a recursive query as its levels one by one; it fails where the last has rows."""
    names = ", ".join(identifier(each) for each, _ in columns)
    levels = [identifier(f"{name}@{level}") for level in range(len(steps))]
    parts = ", ".join(
        f"{level} ({names}) AS MATERIALIZED ({sql})"
        for level, sql in zip(levels, steps, strict=True)
    )
    rows = " UNION ALL ".join(f"SELECT * FROM {level}" for level in levels[:-1])  # noqa: S608  (compiled)
    return (
        f"WITH {parts} {rows} UNION ALL SELECT * FROM {levels[0]} "  # noqa: S608  (compiled)
        f"WHERE too_deep((SELECT count(*) FROM {levels[-1]}))"
    )


def _refuse_reaching_out(node: Any, scope: Scope) -> None:
    """Refuse what Athena does not do in a subquery that looks at the rows outside."""
    if not scope.reaches_out:
        return
    if node.args.get("limit") or node.args.get("offset"):
        raise refuse("LIMIT in a subquery that looks outside", "write max_by(x, y) or min_by(x, y)")
    unnested = isinstance(getattr(node.args.get("from_"), "this", None), exp.Unnest)
    if unnested and any(node.args.get(part) for part in ("where", "group", "joins", "distinct")):
        raise refuse(
            "UNNEST with conditions in a subquery that looks outside",
            "write cardinality(filter(array, x -> condition)), or CROSS JOIN UNNEST",
        )


def _refers_to(node: Any, name: str) -> bool:
    return any(table.name.lower() == name for table in node.find_all(exp.Table))


def _cast_columns(relation: Relation, columns: Columns) -> str:
    """Return a side of a set operation with the types of the whole."""
    if [kind for _, kind in relation.columns] == [kind for _, kind in columns]:
        return f"({relation.sql})"
    names = [f"c{number}" for number in range(len(columns))]
    cast = ", ".join(
        f"CAST({name} AS {_known(kind).duckdb()})"
        for name, (_, kind) in zip(names, columns, strict=True)
    )
    return f"(SELECT {cast} FROM ({relation.sql}) AS side ({', '.join(names)}))"  # noqa: S608  (compiled, nothing of it is the user's text)


def _known(kind: Kind) -> Kind:
    return unified("a set operation", [Typed("", kind)])
