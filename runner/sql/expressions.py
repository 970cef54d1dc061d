"""Compiles expressions, node by node; a node without a rule here is refused."""

# ruff: noqa: D102  (a rule, on_..., is named for its node, and `compile` documents them all)

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlglot import exp

from runner.sql import calls, casts, dates, intervals, literals, operators, predicates, rows
from runner.sql.arrays import subscript
from runner.sql.cautions import Cautions
from runner.sql.conditionals import unified
from runner.sql.functions import call
from runner.sql.grammar import LITERAL
from runner.sql.kinds import (
    BOOLEAN,
    DATE,
    INSTANT,
    TIMESTAMP,
    UNKNOWN,
    VARBINARY,
    VARCHAR,
    Typed,
    array,
    text_literal,
)
from runner.sql.nodes import direction, only, refused_node
from runner.sql.refusal import refuse
from runner.sql.scope import Relation, Scope

_ARITHMETIC: Mapping[type[exp.Expression], str] = {
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.Mod: "%",
}


class Expressions:
    """The compiler of expressions; `query` compiles the subqueries among them."""

    def __init__(self, query: Callable[[exp.Expression, Scope], Relation], now: datetime) -> None:
        self.query = query
        self.cautions = Cautions()
        self._now = now

    def compile(self, node: Any, scope: Scope) -> Typed:
        """Return the expression as DuckDB's SQL with its type.

        Raises
        ------
        UserError
            When a name is unknown.
        Refused
            When Athena's answer would be another, or is not known.
        """
        if type(node) in _ARITHMETIC:
            only(node, "this", "expression", "typed", "safe")
            sign = _ARITHMETIC[type(node)]
            left, right = self._pair(node, scope)
            self.cautions.look_at(sign, left, right, node)
            return operators.arithmetic(sign, left, right)
        if type(node) in predicates.SIGNS:
            return predicates.comparison(self, node, scope)
        rule = _RULES.get(type(node))
        if rule is None:
            raise refused_node(node)
        method, known = rule
        only(node, *known)
        result: Typed = method(self, node, scope)
        return result

    def condition(self, node: Any, scope: Scope, what: str) -> str:
        """Return the SQL of a condition."""
        return operators.condition(self.compile(node, scope), what)

    def ordering(self, node: exp.Expression, scope: Scope, what: str) -> str:
        """Return one element of an ORDER BY, its place of nulls written out."""
        only(node, "this", "desc", "nulls_first")
        operand = self.compile(node.this, scope)
        if not operand.kind.ordered:
            raise refuse(f"{what} of {operand.kind}", "order by numbers, texts or times")
        return f"{operand.sql}{direction(node)}"

    def _pair(self, node: Any, scope: Scope) -> tuple[Typed, Typed]:
        return self.compile(node.this, scope), self.compile(node.expression, scope)

    def on_literal(self, node: Any, _: Scope) -> Typed:
        text = str(node.this)
        if node.is_string:
            return Typed(text_literal(text), VARCHAR, value=text)
        return literals.number(text)

    def on_boolean(self, node: Any, _: Scope) -> Typed:
        return Typed("TRUE" if node.this else "FALSE", BOOLEAN)

    def on_null(self, _node: Any, _: Scope) -> Typed:
        return Typed("NULL", UNKNOWN)

    def on_column(self, node: Any, scope: Scope) -> Typed:
        if isinstance(node.this, exp.Star):
            raise refused_node(node.this)
        return rows.column(node, scope)

    def on_identifier(self, node: Any, scope: Scope) -> Typed:
        return scope.column(str(node.this), None)

    def on_field(self, node: Any, scope: Scope) -> Typed:
        return rows.dotted(self, node, scope)

    def on_paren(self, node: Any, scope: Scope) -> Typed:
        inner = self.compile(node.this, scope)
        return replace(inner, sql=f"({inner.sql})", name=None)

    def on_negative(self, node: Any, scope: Scope) -> Typed:
        return operators.negative(self.compile(node.this, scope))

    def on_not(self, node: Any, scope: Scope) -> Typed:
        return Typed(f"(NOT {self.condition(node.this, scope, 'NOT')})", BOOLEAN)

    def on_connector(self, node: Any, scope: Scope) -> Typed:
        word = "AND" if isinstance(node, exp.And) else "OR"
        left = self.condition(node.this, scope, word)
        return Typed(f"({left} {word} {self.condition(node.expression, scope, word)})", BOOLEAN)

    def on_joined(self, node: Any, scope: Scope) -> Typed:
        return operators.joined(*self._pair(node, scope))

    def on_is(self, node: Any, scope: Scope) -> Typed:
        predicates.refuse_chain(node)
        if not isinstance(node.expression, exp.Null):
            raise refuse("IS", "only IS NULL, IS NOT NULL and IS DISTINCT FROM")
        return Typed(f"({self.compile(node.this, scope).sql} IS NULL)", BOOLEAN)

    def on_subquery(self, node: Any, scope: Scope) -> Typed:
        relation = self.query(node.this, scope)
        if len(relation.columns) != 1:
            raise refuse("a subquery as a value", "it must have one column")
        return Typed(f"({relation.sql})", relation.columns[0][1])

    def on_cast(self, node: Any, scope: Scope) -> Typed:
        if node.meta.get(LITERAL):
            return self._typed_literal(node)
        kind, length = literals.written_type(node.args["to"])
        safe = isinstance(node, exp.TryCast)
        return casts.cast(self.compile(node.this, scope), kind, safe=safe, length=length)

    def _typed_literal(self, node: Any) -> Typed:
        """Return DATE '...', DECIMAL '1.5' and their like."""
        text, target = str(node.this.this), node.args["to"]
        if target.this.name == "DECIMAL" and not target.expressions:
            return literals.decimal_number(text)
        return literals.typed(text, literals.written_type(target)[0], target.sql("trino"))

    def on_extract(self, node: Any, scope: Scope) -> Typed:
        return dates.field(node.name.lower(), self.compile(node.expression, scope))

    def on_bracket(self, node: Any, scope: Scope) -> Typed:
        if len(node.expressions) != 1:
            raise refuse("a subscript", "one number or key, not a range: use slice(a, start, n)")
        index = self.compile(node.expressions[0], scope)
        return subscript(self.compile(node.this, scope), index)

    def on_array(self, node: Any, scope: Scope) -> Typed:
        items = [self.compile(item, scope) for item in node.expressions]
        if not items:
            return Typed("CAST([] AS INTEGER[])", array(UNKNOWN))
        kind = unified("ARRAY", items)
        if kind == UNKNOWN:
            nulls = ", ".join(item.sql for item in items)
            return Typed(f"CAST([{nulls}] AS INTEGER[])", array(UNKNOWN))
        return Typed(f"[{', '.join(item.to(kind) for item in items)}]", array(kind))

    def on_bytes(self, node: Any, _: Scope) -> Typed:
        return Typed(f"unhex('{int(node.name, 16):0{len(node.name)}x}')", VARBINARY)

    def on_interval(self, node: Any, _: Scope) -> Typed:
        return intervals.literal(node)

    def on_tuple(self, node: Any, scope: Scope) -> Typed:
        return rows.made("row", [self.compile(item, scope) for item in node.expressions])

    def on_zone(self, node: Any, scope: Scope) -> Typed:
        return dates.in_zone(self.compile(node.this, scope), self.compile(node.args["zone"], scope))

    def on_substring(self, node: Any, scope: Scope) -> Typed:
        parts = [node.this, node.args.get("start"), node.args.get("length")]
        given = [self.compile(part, scope) for part in parts if part is not None]
        return call("substring", given)

    def on_trim(self, node: Any, scope: Scope) -> Typed:
        sides = {"": "trim", "BOTH": "trim", "LEADING": "ltrim", "TRAILING": "rtrim"}
        parts = [part for part in (node.this, node.args.get("expression")) if part is not None]
        name = sides[str(node.args.get("position") or "").upper()]
        return call(name, [self.compile(part, scope) for part in parts])

    def on_position(self, node: Any, scope: Scope) -> Typed:
        given = [self.compile(node.this, scope), self.compile(node.args["substr"], scope)]
        return call("strpos", given)

    def on_today(self, _node: Any, _: Scope) -> Typed:
        return Typed(f"DATE '{self._now.date().isoformat()}'", DATE)

    def on_this_moment(self, node: Any, _: Scope) -> Typed:
        moment = f"TIMESTAMP '{self._now.isoformat(sep=' ', timespec='milliseconds')}'"
        return Typed(moment, TIMESTAMP if isinstance(node, exp.Localtimestamp) else INSTANT)


_Rule = tuple[Callable[[Expressions, Any, Scope], Typed], Sequence[str]]
_PAIR = ("this", "expression")
_RULES: Mapping[type[exp.Expression], _Rule] = {
    exp.Literal: (Expressions.on_literal, ("this", "is_string")),
    exp.Boolean: (Expressions.on_boolean, ("this",)),
    exp.Null: (Expressions.on_null, ()),
    exp.Column: (Expressions.on_column, ("this", "table", "db", "catalog")),
    exp.Dot: (Expressions.on_field, _PAIR),
    exp.Identifier: (Expressions.on_identifier, ("this", "quoted")),
    exp.Paren: (Expressions.on_paren, ("this",)),
    exp.Neg: (Expressions.on_negative, ("this",)),
    exp.Not: (Expressions.on_not, ("this",)),
    exp.And: (Expressions.on_connector, _PAIR),
    exp.Or: (Expressions.on_connector, _PAIR),
    exp.DPipe: (Expressions.on_joined, (*_PAIR, "safe")),
    exp.Is: (Expressions.on_is, _PAIR),
    exp.Between: (predicates.between, ("this", "low", "high")),
    exp.Like: (predicates.like, (*_PAIR, "negate")),
    exp.Escape: (predicates.escaped, _PAIR),
    exp.In: (predicates.member, ("this", "expressions", "query")),
    exp.Exists: (predicates.exists, ("this",)),
    exp.Case: (predicates.case, ("this", "ifs", "default")),
    exp.Subquery: (Expressions.on_subquery, ("this",)),
    exp.Cast: (Expressions.on_cast, ("this", "to")),
    exp.TryCast: (Expressions.on_cast, ("this", "to", "safe")),
    exp.Extract: (Expressions.on_extract, _PAIR),
    exp.Bracket: (Expressions.on_bracket, ("this", "expressions")),
    exp.Array: (Expressions.on_array, ("expressions", "value_constructor")),
    exp.HexString: (Expressions.on_bytes, ("this",)),
    exp.Interval: (Expressions.on_interval, ("this", "unit")),
    exp.Tuple: (Expressions.on_tuple, ("expressions",)),
    exp.AtTimeZone: (Expressions.on_zone, ("this", "zone")),
    exp.Substring: (Expressions.on_substring, ("this", "start", "length")),
    exp.Trim: (Expressions.on_trim, (*_PAIR, "position")),
    exp.StrPosition: (Expressions.on_position, ("this", "substr")),
    exp.CurrentDate: (Expressions.on_today, ()),
    exp.Localtimestamp: (Expressions.on_this_moment, ()),
    exp.CurrentTimestamp: (Expressions.on_this_moment, ()),
    exp.Anonymous: (calls.function, ("this", "expressions")),
    exp.Window: (calls.over, ("this", "partition_by", "order", "spec", "over", "alias")),
    exp.Filter: (calls.filtered, _PAIR),
    exp.WithinGroup: (calls.within_group, _PAIR),
}
