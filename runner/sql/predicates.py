"""Compiles conditions: comparisons, BETWEEN, LIKE, IN, EXISTS, CASE, ANY and ALL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from runner.sql import operators
from runner.sql.conditionals import unified
from runner.sql.kinds import BOOLEAN, UNKNOWN, Typed, text_literal
from runner.sql.nodes import only
from runner.sql.refusal import refuse
from runner.sql.scope import Scope

if TYPE_CHECKING:
    from runner.sql.expressions import Expressions

SIGNS: Mapping[type[exp.Expression], str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.NullSafeEQ: "IS NOT DISTINCT FROM",
    exp.NullSafeNEQ: "IS DISTINCT FROM",
}


_CONDITIONS = (*SIGNS, exp.Between, exp.Like, exp.Escape, exp.In, exp.Is, exp.Not, exp.Connector)


def refuse_chain(node: Any) -> None:
    """Refuse `a = b = c`: an operand of a comparison that is one, without parentheses."""
    for part in ("this", "expression", "low", "high"):
        if isinstance(node.args.get(part), _CONDITIONS):
            raise refuse("a condition inside a comparison", "put it in parentheses: (a = b) = c")


def comparison(compiler: Expressions, node: Any, scope: Scope) -> Typed:
    """Return a comparison, of a value or of all values of a subquery."""
    only(node, "this", "expression")
    refuse_chain(node)
    sign = SIGNS[type(node)]
    left = compiler.compile(node.this, scope)
    if isinstance(node.expression, exp.Any | exp.All):
        return _quantified(compiler, sign, left, node.expression, scope)
    return operators.comparison(sign, left, compiler.compile(node.expression, scope))


def _quantified(compiler: Expressions, sign: str, left: Typed, node: Any, scope: Scope) -> Typed:
    """Return `x > ALL (SELECT ...)`."""
    only(node, "this")
    inner: Any = node.this.this if isinstance(node.this, exp.Subquery | exp.Paren) else node.this
    word = type(node).__name__.upper()
    if not isinstance(inner, exp.Select | exp.SetOperation):
        raise refuse(word, f"it takes a subquery: x > {word} (SELECT ...)")
    relation = compiler.query(inner, scope)
    if len(relation.columns) != 1 or "DISTINCT" in sign:
        raise refuse(word, "the subquery must have one column")
    member = Typed("", relation.columns[0][1])
    kind = operators.comparable(word, left, member)
    if kind not in (member.kind, UNKNOWN):
        raise refuse(f"{word}: {left.kind} among {member.kind}", "CAST one of them")
    return Typed(f"({left.to(kind)} {sign} {word} ({relation.sql}))", BOOLEAN)


def between(compiler: Expressions, node: Any, scope: Scope) -> Typed:
    """Return `x BETWEEN low AND high`."""
    refuse_chain(node)
    value = compiler.compile(node.this, scope)
    low, high = (compiler.compile(node.args[end], scope) for end in ("low", "high"))
    first = operators.comparison(">=", value, low).sql
    return Typed(f"({first} AND {operators.comparison('<=', value, high).sql})", BOOLEAN)


def like(compiler: Expressions, node: Any, scope: Scope) -> Typed:
    """Return `x LIKE pattern`."""
    sql = f"({_likeness(compiler, node, scope)})"
    return Typed(f"(NOT {sql})" if node.args.get("negate") else sql, BOOLEAN)


def _likeness(compiler: Expressions, node: Any, scope: Scope) -> str:
    refuse_chain(node)
    left, right = compiler.compile(node.this, scope), compiler.compile(node.expression, scope)
    if operators.comparable("LIKE", left, right).name not in {"varchar", "unknown"}:
        raise refuse(f"LIKE of {left.kind}", "it takes text")
    return f"{left.sql} LIKE {right.sql}"


def escaped(compiler: Expressions, node: Any, scope: Scope) -> Typed:
    """Return `x LIKE pattern ESCAPE '!'`."""
    escape = node.expression.name if isinstance(node.expression, exp.Literal) else ""
    if type(node.this) is not exp.Like or len(escape) != 1:
        raise refuse("ESCAPE", "write x LIKE 'pattern' ESCAPE '!'")
    only(node.this, "this", "expression", "negate")
    sql = f"({_likeness(compiler, node.this, scope)} ESCAPE {text_literal(escape)})"
    return Typed(f"(NOT {sql})" if node.this.args.get("negate") else sql, BOOLEAN)


def member(compiler: Expressions, node: Any, scope: Scope) -> Typed:
    """Return `x IN (...)`, of values or of a subquery."""
    refuse_chain(node)
    value = compiler.compile(node.this, scope)
    if node.args.get("query") is not None:
        inner = node.args["query"]
        relation = compiler.query(inner.this if isinstance(inner, exp.Subquery) else inner, scope)
        if len(relation.columns) != 1:
            raise refuse("IN (SELECT ...)", "the subquery must have one column")
        found = Typed("", relation.columns[0][1])
        kind = operators.comparable("IN", value, found)
        if kind not in (found.kind, UNKNOWN):
            raise refuse(f"IN: {value.kind} among {found.kind}", "CAST one of them")
        return Typed(f"({value.to(kind)} IN ({relation.sql}))", BOOLEAN)
    members = [compiler.compile(item, scope) for item in node.expressions]
    if value.kind.name == "row":
        same = (operators.comparison("=", value, item).sql for item in members)
        return Typed(f"({' OR '.join(same)})", BOOLEAN)
    kind = unified("IN", [value, *members])
    for item in members:
        operators.comparable("IN", value, item)
    listed = ", ".join(item.to(kind) for item in members)
    return Typed(f"({value.to(kind)} IN ({listed}))", BOOLEAN)


def exists(compiler: Expressions, node: Any, scope: Scope) -> Typed:
    """Return EXISTS (SELECT ...)."""
    return Typed(f"EXISTS ({compiler.query(node.this, scope).sql})", BOOLEAN)


def case(compiler: Expressions, node: Any, scope: Scope) -> Typed:
    """Return CASE, with or without a subject."""
    subject = compiler.compile(node.this, scope) if node.this is not None else None
    whens: list[str] = []
    values: list[Typed] = []
    for branch in node.args["ifs"]:
        only(branch, "this", "true")
        if subject is None:
            whens.append(compiler.condition(branch.this, scope, "WHEN"))
        else:
            when = compiler.compile(branch.this, scope)
            if when.sql == subject.sql:
                raise refuse("CASE x WHEN x", "Athena takes it for true of a null; write CASE WHEN")
            whens.append(operators.comparison("=", subject, when).sql)
        values.append(compiler.compile(branch.args["true"], scope))
    default = node.args.get("default")
    values.append(
        compiler.compile(default, scope) if default is not None else Typed("NULL", UNKNOWN)
    )
    kind = unified("CASE", values)
    *results, other = (value.to(kind) for value in values)
    branches = " ".join(
        f"WHEN {when} THEN {result}" for when, result in zip(whens, results, strict=True)
    )
    return Typed(f"(CASE {branches} ELSE {other} END)", kind)
