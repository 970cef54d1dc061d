"""Compiles calls: scalar functions, aggregates with FILTER and ORDER BY, windows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from runner.sql import windows
from runner.sql.aggregates import AGGREGATES, Aggregate, aggregate
from runner.sql.functions import SCALARS, call
from runner.sql.hints import unknown_function
from runner.sql.kinds import BIGINT, INTEGER, Typed
from runner.sql.lambdas import LAMBDAS, with_lambda
from runner.sql.refusal import refuse
from runner.sql.scope import Scope
from runner.sql.trying import tried
from runner.sql.window_functions import TAKES_FRAME, TAKES_IGNORE_NULLS, WINDOWS, window

if TYPE_CHECKING:
    from runner.sql.expressions import Expressions

KNOWN = tuple(sorted({*SCALARS, *AGGREGATES, *WINDOWS, *LAMBDAS, "grouping", "now", "try"}))
"""All functions that queries may call."""

_MOMENTS: tuple[tuple[str, list[str]], ...] = (("now", []), ("current_timestamp", ["3"]))


def function(compiler: Expressions, node: Any, scope: Scope) -> Typed:
    """Return a call without FILTER, OVER and WITHIN GROUP."""
    name = node.name.lower()
    if name in AGGREGATES:
        return _finished(_aggregate(compiler, node, scope, order=""))
    if name in WINDOWS:
        raise refuse(f"{name}()", f"it stands before OVER: {name}() OVER (ORDER BY ...)")
    if name in LAMBDAS:
        return with_lambda(compiler, name, node, scope)
    if name == "try":
        return tried(compiler, node, scope)
    if (name, [part.name for part in node.expressions]) in _MOMENTS:
        return compiler.compile(exp.CurrentTimestamp(), scope)
    if name == "grouping" and node.expressions:
        parts = ", ".join(compiler.compile(part, scope).sql for part in node.expressions)
        return Typed(f"CAST(grouping({parts}) AS INTEGER)", INTEGER)
    if name not in SCALARS:
        raise unknown_function(name, KNOWN)
    return call(name, [compiler.compile(part, scope) for part in node.expressions])


def filtered(compiler: Expressions, node: Any, scope: Scope) -> Typed:
    """Return an aggregate with FILTER (WHERE ...)."""
    inner, order = node.this, ""
    if isinstance(inner, exp.WithinGroup):
        inner, order = inner.this, windows.order_by(compiler, inner.expression, scope)
    if not isinstance(inner, exp.Anonymous) or inner.name.lower() not in AGGREGATES:
        raise refuse("FILTER", "it stands after an aggregate function")
    found = _aggregate(compiler, inner, scope, order=order)
    condition = compiler.condition(node.expression.this, scope, "FILTER")
    return _finished(found.with_end(f" FILTER (WHERE {condition})"))


def within_group(compiler: Expressions, node: Any, scope: Scope) -> Typed:
    """Return listagg(x, ',') WITHIN GROUP (ORDER BY ...)."""
    inner = node.this
    if not isinstance(inner, exp.Anonymous) or inner.name.lower() != "listagg":
        raise refuse("WITHIN GROUP", "it stands after listagg(x, ',')")
    order = windows.order_by(compiler, node.expression, scope)
    return _finished(_aggregate(compiler, inner, scope, order=order))


def over(compiler: Expressions, node: Any, scope: Scope) -> Typed:
    """Return a window function."""
    inner, ignoring = node.this, ""
    if isinstance(inner, exp.IgnoreNulls):
        inner, ignoring = inner.this, " IGNORE NULLS"
    if isinstance(inner, exp.RespectNulls):
        inner = inner.this
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
        if node.args.get("spec") is not None and name not in TAKES_FRAME:
            raise refuse(f"a frame after {name}()", "leave ROWS, RANGE or GROUPS out")
        given = [compiler.compile(part, scope) for part in inner.expressions]
        found = window(name, given, ordered=_is_ordered(node))
        # DuckDB takes IGNORE NULLS inside the parentheses.
        found = replace(found, calls=(f"{found.calls[0][:-1]}{ignoring})",))
    elif name in AGGREGATES and name != "listagg":
        if any(isinstance(part, exp.Distinct | exp.Order) for part in inner.expressions):
            raise refuse("DISTINCT or ORDER BY inside a window function", "use a subquery")
        found = _aggregate(compiler, inner, scope, order="")
    else:
        raise unknown_function(name, KNOWN)
    return _finished(found.with_end(f" OVER {windows.over(compiler, node, scope)}"))


def _is_ordered(node: Any) -> bool:
    return node.args.get("order") is not None or node.args.get("alias") is not None


def _aggregate(compiler: Expressions, node: Any, scope: Scope, *, order: str) -> Aggregate:
    parts = list(node.expressions)
    name = node.name.lower()
    distinct = False
    if parts and isinstance(parts[-1], exp.Order):
        order = windows.order_by(compiler, parts[-1], scope)
        parts[-1] = parts[-1].this
    if parts and isinstance(parts[0], exp.Distinct):
        distinct = True
        if parts[0].args.get("on"):
            raise refuse("DISTINCT ON", "group or number the rows instead")
        parts = [*parts[0].expressions, *parts[1:]]
        if order and not _orders_itself(compiler, parts[0], order, scope):
            raise refuse(f"{name}(DISTINCT x ORDER BY y)", "order by x itself")
    if [type(part) for part in parts] == [exp.Star] and not distinct:
        return aggregate(name, [Typed("*", BIGINT)], distinct=False, order=order)
    given = [compiler.compile(part, scope) for part in parts]
    return aggregate(name, given, distinct=distinct, order=order)


def _orders_itself(compiler: Expressions, part: Any, order: str, scope: Scope) -> bool:
    """Tell whether an aggregate of distinct values is ordered by these values."""
    value = compiler.compile(part, scope).sql
    return order.removeprefix("ORDER BY ").rpartition(" NULLS")[0].rpartition(" ")[0] == value


def _finished(found: Aggregate) -> Typed:
    return Typed(found.around.format(*found.calls), found.kind)
