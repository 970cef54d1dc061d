"""Compiles expressions, node by node; a node without a rule here is refused."""

# ruff: noqa: D102  (a rule, on_..., is named for its node, and `compile` documents them all)

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlglot import exp

from runner.sql import calls, casts, dates, operators
from runner.sql.functions import unified
from runner.sql.kinds import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INTEGER,
    TIMESTAMP,
    UNKNOWN,
    VARCHAR,
    Kind,
    Typed,
    array,
    decimal,
    text_literal,
)
from runner.sql.refusal import Refused, refuse
from runner.sql.scope import Relation, Scope

_INT32 = 2**31
_INT64 = 2**63
_TYPES = {
    "BOOLEAN": BOOLEAN,
    "INT": INTEGER,
    "BIGINT": BIGINT,
    "DOUBLE": DOUBLE,
    "VARCHAR": VARCHAR,
    "DATE": DATE,
    "TIMESTAMP": TIMESTAMP,
}
_SIGNS: Mapping[type[exp.Expression], str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.NullSafeEQ: "IS NOT DISTINCT FROM",
    exp.NullSafeNEQ: "IS DISTINCT FROM",
}
_ARITHMETIC: Mapping[type[exp.Expression], str] = {
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.Mod: "%",
}
_HINTS = {
    "ILike": "write lower(x) LIKE 'pattern in small letters'",
    "AtTimeZone": "times in the tables are UTC and have no zone",
    "Tuple": "rows of values only stand in VALUES and IN",
    "Dot": "rows have no place in these tables",
    "Interval": "an INTERVAL is only added to or subtracted from a date or timestamp",
    "CurrentTimestamp": "it has a time zone; write localtimestamp, which is UTC",
    "Lambda": "a lambda only stands in filter() and transform()",
    "Any": "write x IN (SELECT ...)",
    "All": "write x > (SELECT max(...) ...)",
    "Distinct": "DISTINCT stands after SELECT or inside count()",
    "Star": "write the columns, or SELECT *",
}


class Expressions:
    """The compiler of expressions; `query` compiles the subqueries among them."""

    def __init__(self, query: Callable[[exp.Expression, Scope], Relation], now: datetime) -> None:
        self.query = query
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
            return self._arithmetic(node, scope)
        if type(node) in _SIGNS:
            only(node, "this", "expression")
            left, right = self._pair(node, scope)
            return operators.comparison(_SIGNS[type(node)], left, right)
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

    def _arithmetic(self, node: Any, scope: Scope) -> Typed:
        only(node, "this", "expression", "typed", "safe")
        sign = _ARITHMETIC[type(node)]
        if isinstance(node.expression, exp.Interval):
            return self._moved(self.compile(node.this, scope), node.expression, sign)
        if isinstance(node.this, exp.Interval) and sign == "+":
            return self._moved(self.compile(node.expression, scope), node.this, sign)
        left, right = self._pair(node, scope)
        return operators.arithmetic(sign, left, right)

    def _moved(self, time: Typed, node: exp.Interval, sign: str) -> Typed:
        if sign not in "+-":
            raise refuse(f"'{sign}' with an INTERVAL", "only + and -")
        only(node, "this", "unit")
        unit = str(node.args["unit"].name).lower()
        return dates.plus(time, dates.interval(unit, int(node.this.name), time), sign)

    def on_literal(self, node: Any, _: Scope) -> Typed:
        text = str(node.this)
        if node.is_string:
            return Typed(text_literal(text), VARCHAR, value=text)
        if re.fullmatch(r"[0-9]+", text):
            value = int(text)
            if value >= _INT64:
                raise refuse(text, "larger than a bigint; write it like 1e19")
            return Typed(text, INTEGER if value < _INT32 else BIGINT, value=value)
        if re.fullmatch(r"[0-9]*\.[0-9]*", text) and len(text) > 1:
            whole, _dot, fraction = text.partition(".")
            kind = decimal(len(whole.lstrip("0") or "0") + len(fraction), len(fraction))
            return Typed(f"CAST('{whole or 0}.{fraction or 0}' AS {kind.duckdb()})", kind)
        if re.fullmatch(r"([0-9]+\.?[0-9]*|\.[0-9]+)[eE][+-]?[0-9]+", text):
            if float(text) == float("inf"):
                raise refuse(text, "larger than a double")
            return Typed(f"CAST('{text}' AS DOUBLE)", DOUBLE)
        raise refuse(text, "not a number that Athena reads")

    def on_boolean(self, node: Any, _: Scope) -> Typed:
        return Typed("TRUE" if node.this else "FALSE", BOOLEAN)

    def on_null(self, _node: Any, _: Scope) -> Typed:
        return Typed("NULL", UNKNOWN)

    def on_column(self, node: Any, scope: Scope) -> Typed:
        if isinstance(node.this, exp.Star):
            raise refused_node(node.this)
        return scope.column(node.name, node.table or None)

    def on_identifier(self, node: Any, scope: Scope) -> Typed:
        return scope.column(str(node.this), None)

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

    def on_text_sum(self, node: Any, scope: Scope) -> Typed:
        return operators.joined_text(*self._pair(node, scope))

    def on_is(self, node: Any, scope: Scope) -> Typed:
        if not isinstance(node.expression, exp.Null):
            raise refuse("IS", "only IS NULL, IS NOT NULL and IS DISTINCT FROM")
        return Typed(f"({self.compile(node.this, scope).sql} IS NULL)", BOOLEAN)

    def on_between(self, node: Any, scope: Scope) -> Typed:
        value = self.compile(node.this, scope)
        low, high = (self.compile(node.args[end], scope) for end in ("low", "high"))
        first = operators.comparison(">=", value, low).sql
        return Typed(f"({first} AND {operators.comparison('<=', value, high).sql})", BOOLEAN)

    def on_like(self, node: Any, scope: Scope) -> Typed:
        return Typed(f"({self._likeness(node, scope)})", BOOLEAN)

    def _likeness(self, node: Any, scope: Scope) -> str:
        left, right = self._pair(node, scope)
        if operators.comparable("LIKE", left, right).name not in {"varchar", "unknown"}:
            raise refuse(f"LIKE of {left.kind}", "it takes text")
        return f"{left.sql} LIKE {right.sql}"

    def on_escape(self, node: Any, scope: Scope) -> Typed:
        escape = node.expression.name if isinstance(node.expression, exp.Literal) else ""
        if type(node.this) is not exp.Like or len(escape) != 1:
            raise refuse("ESCAPE", "write x LIKE 'pattern' ESCAPE '!'")
        only(node.this, "this", "expression")
        return Typed(f"({self._likeness(node.this, scope)} ESCAPE {text_literal(escape)})", BOOLEAN)

    def on_in(self, node: Any, scope: Scope) -> Typed:
        value = self.compile(node.this, scope)
        if node.args.get("query") is not None:
            inner = node.args["query"]
            relation = self.query(inner.this if isinstance(inner, exp.Subquery) else inner, scope)
            if len(relation.columns) != 1:
                raise refuse("IN (SELECT ...)", "the subquery must have one column")
            member = Typed("", relation.columns[0][1])
            kind = operators.comparable("IN", value, member)
            if kind not in (member.kind, UNKNOWN):
                raise refuse(f"IN: {value.kind} among {member.kind}", "CAST one of them")
            return Typed(f"({value.to(kind)} IN ({relation.sql}))", BOOLEAN)
        members = [self.compile(item, scope) for item in node.expressions]
        kind = unified("IN", [value, *members])
        for member in members:
            operators.comparable("IN", value, member)
        listed = ", ".join(member.to(kind) for member in members)
        return Typed(f"({value.to(kind)} IN ({listed}))", BOOLEAN)

    def on_exists(self, node: Any, scope: Scope) -> Typed:
        return Typed(f"EXISTS ({self.query(node.this, scope).sql})", BOOLEAN)

    def on_subquery(self, node: Any, scope: Scope) -> Typed:
        relation = self.query(node.this, scope)
        if len(relation.columns) != 1:
            raise refuse("a subquery as a value", "it must have one column")
        return Typed(f"({relation.sql})", relation.columns[0][1])

    def on_case(self, node: Any, scope: Scope) -> Typed:
        subject = self.compile(node.this, scope) if node.this is not None else None
        whens: list[str] = []
        values: list[Typed] = []
        for branch in node.args["ifs"]:
            only(branch, "this", "true")
            if subject is None:
                whens.append(self.condition(branch.this, scope, "WHEN"))
            else:
                when = self.compile(branch.this, scope)
                whens.append(operators.comparison("=", subject, when).sql)
            values.append(self.compile(branch.args["true"], scope))
        default = node.args.get("default")
        values.append(
            self.compile(default, scope) if default is not None else Typed("NULL", UNKNOWN)
        )
        kind = unified("CASE", values)
        *results, other = (value.to(kind) for value in values)
        branches = " ".join(
            f"WHEN {when} THEN {result}" for when, result in zip(whens, results, strict=True)
        )
        return Typed(f"(CASE {branches} ELSE {other} END)", kind)

    def on_cast(self, node: Any, scope: Scope) -> Typed:
        safe = isinstance(node, exp.TryCast)
        target = node.args["to"]
        literal = isinstance(node.this, exp.Literal) and node.this.is_string
        kind, length = _cast_target(target, literal=literal)
        inner = node.this
        if isinstance(inner, exp.Anonymous) and inner.name.lower() == "json_extract" and not safe:
            only(inner, "this", "expressions")
            given = [self.compile(part, scope) for part in inner.expressions]
            if len(given) == 2:  # noqa: PLR2004  (document and path)
                return casts.cast_json(given[0], given[1], kind)
        return casts.cast(self.compile(inner, scope), kind, safe=safe, length=length)

    def on_extract(self, node: Any, scope: Scope) -> Typed:
        return dates.field(node.name.lower(), self.compile(node.expression, scope))

    def on_bracket(self, node: Any, scope: Scope) -> Typed:
        subject = self.compile(node.this, scope)
        index = node.expressions[0]
        if subject.kind.name != "array" or len(node.expressions) != 1:
            raise refuse(f"a subscript of {subject.kind}", "write element_at(x, key)")
        if not isinstance(index, exp.Literal) or index.is_string:
            raise refuse("a computed subscript", "write element_at(array, index)")
        # The reader counts from 0, the query from 1.
        return Typed(f"subscript({subject.sql}, {int(index.name) + 1})", subject.kind.parts[0])

    def on_array(self, node: Any, scope: Scope) -> Typed:
        items = [self.compile(item, scope) for item in node.expressions]
        if not items:
            raise refuse("an empty ARRAY[]", "write CAST(NULL AS array(varchar))")
        kind = unified("ARRAY", items)
        return Typed(f"[{', '.join(item.to(kind) for item in items)}]", array(kind))

    def on_today(self, _node: Any, _: Scope) -> Typed:
        return Typed(f"DATE '{self._now.date().isoformat()}'", DATE)

    def on_this_moment(self, _node: Any, _: Scope) -> Typed:
        return Typed(
            f"TIMESTAMP '{self._now.isoformat(sep=' ', timespec='milliseconds')}'", TIMESTAMP
        )

    def on_function(self, node: Any, scope: Scope) -> Typed:
        return calls.function(self, node, scope)

    def on_over(self, node: Any, scope: Scope) -> Typed:
        return calls.over(self, node, scope)

    def on_filtered(self, node: Any, scope: Scope) -> Typed:
        return calls.filtered(self, node, scope)

    def on_within_group(self, node: Any, scope: Scope) -> Typed:
        return calls.within_group(self, node, scope)


def _cast_target(target: Any, *, literal: bool) -> tuple[Kind, int | None]:
    """Return the type of a CAST, and the length of varchar(n)."""
    name = target.this.name
    sizes = [
        int(part.this.name) for part in target.expressions if isinstance(part, exp.DataTypeParam)
    ]
    if name == "ARRAY" and len(target.expressions) == 1:
        return array(_cast_target(target.expressions[0], literal=False)[0]), None
    if name == "DECIMAL" and len(sizes) == 2:  # noqa: PLR2004  (precision and scale)
        return decimal(sizes[0], sizes[1]), None
    if name not in _TYPES:
        raise refuse(
            f"CAST AS {target.sql('trino').lower()}",
            "known: boolean, integer, bigint, double, decimal(p, s), varchar, date, timestamp, "
            "array(...)",
        )
    if name == "TIMESTAMP" and sizes not in ([], [3]) and not literal:
        raise refuse("CAST AS timestamp(n)", "the tables hold milliseconds; write timestamp")
    if name == "VARCHAR" and sizes:
        return VARCHAR, sizes[0]
    if sizes and name != "TIMESTAMP":
        raise refuse(f"CAST AS {name.lower()}(n)", "leave out the number")
    return _TYPES[name], None


def direction(node: Any) -> str:
    """Return direction and place of nulls of an ORDER BY element; nulls come last by default."""
    nulls = "FIRST" if node.args.get("nulls_first") else "LAST"
    return f"{' DESC' if node.args.get('desc') else ' ASC'} NULLS {nulls}"


def only(node: Any, *known: str) -> None:
    """Refuse a node that has parts which its rule does not look at."""
    for name, value in node.args.items():
        if name not in known and value not in (None, False, []):
            part = name.rstrip("_").replace("_", " ").upper()
            raise refuse(f"{part} in {type(node).__name__}", "not known to give Athena's answer")


def refused_node(node: Any) -> Refused:
    """Return the error for grammar without a rule."""
    name = type(node).__name__
    what = node.sql("trino") if isinstance(node, exp.Expression) else str(node)
    shown = what if len(what) <= 60 else what[:57] + "..."  # noqa: PLR2004  (one line)
    return refuse(
        f"{name} ({shown})",
        _HINTS.get(name, "not known to give Athena's answer here; run it in Athena"),
    )


_Rule = tuple[Callable[[Expressions, Any, Scope], Typed], Sequence[str]]
_PAIR = ("this", "expression")
_RULES: Mapping[type[exp.Expression], _Rule] = {
    exp.Literal: (Expressions.on_literal, ("this", "is_string")),
    exp.Boolean: (Expressions.on_boolean, ("this",)),
    exp.Null: (Expressions.on_null, ()),
    exp.Column: (Expressions.on_column, ("this", "table")),
    exp.Identifier: (Expressions.on_identifier, ("this", "quoted")),
    exp.Paren: (Expressions.on_paren, ("this",)),
    exp.Neg: (Expressions.on_negative, ("this",)),
    exp.Not: (Expressions.on_not, ("this",)),
    exp.And: (Expressions.on_connector, _PAIR),
    exp.Or: (Expressions.on_connector, _PAIR),
    exp.DPipe: (Expressions.on_text_sum, (*_PAIR, "safe")),
    exp.Is: (Expressions.on_is, _PAIR),
    exp.Between: (Expressions.on_between, ("this", "low", "high")),
    exp.Like: (Expressions.on_like, _PAIR),
    exp.Escape: (Expressions.on_escape, _PAIR),
    exp.In: (Expressions.on_in, ("this", "expressions", "query")),
    exp.Exists: (Expressions.on_exists, ("this",)),
    exp.Subquery: (Expressions.on_subquery, ("this",)),
    exp.Case: (Expressions.on_case, ("this", "ifs", "default")),
    exp.Cast: (Expressions.on_cast, ("this", "to")),
    exp.TryCast: (Expressions.on_cast, ("this", "to", "safe")),
    exp.Extract: (Expressions.on_extract, _PAIR),
    exp.Bracket: (Expressions.on_bracket, ("this", "expressions")),
    exp.Array: (Expressions.on_array, ("expressions",)),
    exp.CurrentDate: (Expressions.on_today, ()),
    exp.Localtimestamp: (Expressions.on_this_moment, ()),
    exp.Anonymous: (Expressions.on_function, ("this", "expressions")),
    exp.Window: (Expressions.on_over, ("this", "partition_by", "order", "spec", "over")),
    exp.Filter: (Expressions.on_filtered, _PAIR),
    exp.WithinGroup: (Expressions.on_within_group, _PAIR),
}
