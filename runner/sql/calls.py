"""Compiles calls: scalar functions, aggregates with FILTER and ORDER BY, windows, lambdas."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from runner.sql.aggregates import (
    AGGREGATES,
    TAKES_IGNORE_NULLS,
    WINDOWS,
    Aggregate,
    aggregate,
    window,
)
from runner.sql.functions import OVERLOADS, SPECIAL, call
from runner.sql.hints import unknown_function
from runner.sql.kinds import BIGINT, BOOLEAN, Typed, array, identifier
from runner.sql.refusal import refuse
from runner.sql.scope import Scope

if TYPE_CHECKING:
    from runner.sql.expressions import Expressions

_LAMBDAS = {"filter", "transform"}
KNOWN = tuple(sorted({*OVERLOADS, *SPECIAL, *AGGREGATES, *WINDOWS, *_LAMBDAS, "grouping"}))
"""All functions that queries may call."""


def function(compiler: Expressions, node: Any, scope: Scope) -> Typed:
    """Return a call without FILTER, OVER and WITHIN GROUP."""
    name = node.name.lower()
    if name in AGGREGATES:
        return _finished(_aggregate(compiler, node, scope, order=""))
    if name in WINDOWS:
        raise refuse(f"{name}()", f"it stands before OVER: {name}() OVER (ORDER BY ...)")
    if name in _LAMBDAS:
        return _with_lambda(compiler, name, node, scope)
    if name == "grouping" and node.expressions:
        parts = ", ".join(compiler.compile(part, scope).sql for part in node.expressions)
        return Typed(f"CAST(grouping({parts}) AS BIGINT)", BIGINT)
    if name not in OVERLOADS and name not in SPECIAL:
        raise unknown_function(name, KNOWN)
    return call(name, [compiler.compile(part, scope) for part in node.expressions])


def filtered(compiler: Expressions, node: Any, scope: Scope) -> Typed:
    """Return an aggregate with FILTER (WHERE ...)."""
    inner = node.this
    if not isinstance(inner, exp.Anonymous) or inner.name.lower() not in AGGREGATES:
        raise refuse("FILTER", "it stands after an aggregate function")
    found = _aggregate(compiler, inner, scope, order="")
    condition = compiler.condition(node.expression.this, scope, "FILTER")
    return _finished(replace(found, sql=f"{found.sql} FILTER (WHERE {condition})"))


def within_group(compiler: Expressions, node: Any, scope: Scope) -> Typed:
    """Return listagg(x, ',') WITHIN GROUP (ORDER BY ...)."""
    inner = node.this
    if not isinstance(inner, exp.Anonymous) or inner.name.lower() != "listagg":
        raise refuse("WITHIN GROUP", "it stands after listagg(x, ',')")
    return _finished(
        _aggregate(compiler, inner, scope, order=_order(compiler, node.expression, scope))
    )


def over(compiler: Expressions, node: Any, scope: Scope) -> Typed:
    """Return a window function."""
    inner, ignoring = node.this, ""
    if isinstance(inner, exp.IgnoreNulls):
        inner, ignoring = inner.this, " IGNORE NULLS"
    if isinstance(inner, exp.Filter):
        raise refuse("FILTER before OVER", "write a CASE inside the function")
    if not isinstance(inner, exp.Anonymous):
        raise refuse("OVER", "it stands after an aggregate or window function")
    name = inner.name.lower()
    if ignoring and name not in TAKES_IGNORE_NULLS:
        raise refuse(
            f"IGNORE NULLS after {name}()", f"only {', '.join(sorted(TAKES_IGNORE_NULLS))}"
        )
    if name in WINDOWS:
        found = window(name, [compiler.compile(part, scope) for part in inner.expressions])
        # DuckDB takes IGNORE NULLS inside the parentheses.
        found = replace(found, sql=f"{found.sql[:-1]}{ignoring})") if ignoring else found
    elif name in AGGREGATES and name != "listagg":
        if any(isinstance(part, exp.Distinct | exp.Order) for part in inner.expressions):
            raise refuse("DISTINCT or ORDER BY inside a window function", "use a subquery")
        found = _aggregate(compiler, inner, scope, order="")
    else:
        raise unknown_function(name, KNOWN)
    return _finished(replace(found, sql=f"{found.sql} OVER ({_window_of(compiler, node, scope)})"))


def _window_of(compiler: Expressions, node: Any, scope: Scope) -> str:
    parts = []
    partition = node.args.get("partition_by")
    if partition:
        given = ", ".join(compiler.compile(part, scope).sql for part in partition)
        parts.append(f"PARTITION BY {given}")
    if node.args.get("order") is not None:
        parts.append(_order(compiler, node.args["order"], scope))
    spec = node.args.get("spec")
    if spec is not None:
        parts.append(_frame(spec))
    return " ".join(parts)


def _frame(spec: Any) -> str:
    from runner.sql.expressions import only

    only(spec, "kind", "start", "start_side", "end", "end_side")
    kind = str(spec.args["kind"]).upper()
    if kind not in {"ROWS", "RANGE", "GROUPS"}:
        raise refuse(f"a frame of {kind}", "write ROWS, RANGE or GROUPS")
    start = _edge(spec, "start", kind)
    if spec.args.get("end") is None:
        return f"{kind} {start}"
    return f"{kind} BETWEEN {start} AND {_edge(spec, 'end', kind)}"


def _edge(spec: Any, end: str, kind: str) -> str:
    value, side = spec.args[end], spec.args.get(f"{end}_side")
    if value == "CURRENT ROW":
        return "CURRENT ROW"
    if side not in {"PRECEDING", "FOLLOWING"}:
        raise refuse("this frame", "write ROWS BETWEEN 1 PRECEDING AND CURRENT ROW")
    if value == "UNBOUNDED":
        return f"UNBOUNDED {side}"
    if kind == "RANGE" or not isinstance(value, exp.Literal) or not value.name.isdigit():
        raise refuse("this frame", "an offset is a whole number, in ROWS or GROUPS")
    return f"{value.name} {side}"


def _aggregate(compiler: Expressions, node: Any, scope: Scope, *, order: str) -> Aggregate:
    parts = list(node.expressions)
    distinct = False
    if parts and isinstance(parts[-1], exp.Order):
        order = _order(compiler, parts[-1], scope)
        parts[-1] = parts[-1].this
    if len(parts) == 1 and isinstance(parts[0], exp.Distinct):
        distinct = True
        if parts[0].args.get("on"):
            raise refuse("DISTINCT ON", "group or number the rows instead")
        parts = list(parts[0].expressions)
        if order:
            raise refuse("DISTINCT with ORDER BY inside a function", "use a subquery")
    if [type(part) for part in parts] == [exp.Star] and not distinct:
        return aggregate(node.name.lower(), [Typed("*", BIGINT)], distinct=False, order=order)
    given = [compiler.compile(part, scope) for part in parts]
    return aggregate(node.name.lower(), given, distinct=distinct, order=order)


def _finished(found: Aggregate) -> Typed:
    return Typed(found.around.format(found.sql), found.kind)


def _order(compiler: Expressions, node: Any, scope: Scope) -> str:
    parts = [compiler.ordering(part, scope, "ORDER BY") for part in node.expressions]
    return f"ORDER BY {', '.join(parts)}"


def _with_lambda(compiler: Expressions, name: str, node: Any, scope: Scope) -> Typed:
    """Return filter(array, x -> condition) or transform(array, x -> value)."""
    parts = node.expressions
    if len(parts) != 2 or not isinstance(parts[1], exp.Lambda) or len(parts[1].expressions) != 1:  # noqa: PLR2004  (array, lambda)
        raise refuse(f"{name}()", f"write {name}(array, x -> ...)")
    subject = compiler.compile(parts[0], scope)
    if subject.kind.name != "array":
        raise refuse(f"{name}() of {subject.kind}", "its first argument must be an array")
    variable = parts[1].expressions[0].name.lower()
    if scope.knows(variable, None):
        raise refuse(f"the variable '{variable}'", "a column has that name; call it otherwise")
    inner = Scope(parent=scope, variables={variable: subject.kind.parts[0]})
    body = compiler.compile(parts[1].this, inner)
    bound = f"lambda {identifier(variable)}: {body.sql}"
    if name == "transform":
        return Typed(f"list_transform({subject.sql}, {bound})", array(body.kind))
    if body.kind != BOOLEAN:
        raise refuse("filter()", "its lambda must be a condition")
    return Typed(f"list_filter({subject.sql}, {bound})", subject.kind)
