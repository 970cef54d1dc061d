"""Compiles OVER and the WINDOW clause: partitions, order and frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import exp

from runner.sql.kinds import Typed
from runner.sql.nodes import only
from runner.sql.refusal import refuse
from runner.sql.scope import Scope

if TYPE_CHECKING:
    from runner.sql.expressions import Expressions


def over(compiler: Expressions, node: Any, scope: Scope) -> str:
    """Return what stands in the parentheses of OVER, or the name of a window."""
    named = node.args.get("alias")
    own = any(node.args.get(part) for part in ("partition_by", "order", "spec"))
    if named is None:
        return f"({_inside(compiler, node, scope)})"
    if own:
        raise refuse("a window that extends another", "write all of it in OVER (...)")
    if named.name.lower() not in scope.windows:
        raise refuse(f"OVER {named.name}", "the WINDOW clause has no such name")
    return f"({scope.windows[named.name.lower()]})"


def named(compiler: Expressions, nodes: list[Any], scope: Scope) -> dict[str, str]:
    """Return the windows of a WINDOW clause by name, as SQL."""
    found: dict[str, str] = {}
    for node in nodes:
        only(node, "this", "partition_by", "order", "spec")
        found[node.this.name.lower()] = _inside(compiler, node, scope)
    return found


def order_by(compiler: Expressions, node: Any, scope: Scope) -> str:
    """Return ORDER BY with its elements."""
    parts = [compiler.ordering(part, scope, "ORDER BY") for part in node.expressions]
    return f"ORDER BY {', '.join(parts)}"


def _inside(compiler: Expressions, node: Any, scope: Scope) -> str:
    parts = []
    partition = node.args.get("partition_by")
    if partition:
        given = ", ".join(compiler.compile(part, scope).sql for part in partition)
        parts.append(f"PARTITION BY {given}")
    if node.args.get("order") is not None:
        parts.append(order_by(compiler, node.args["order"], scope))
    if node.args.get("spec") is not None:
        order = node.args.get("order")
        keys = [] if order is None else [part.this for part in order.expressions]
        parts.append(_frame(node.args["spec"], [compiler.compile(key, scope) for key in keys]))
    return " ".join(parts)


def _frame(spec: Any, keys: list[Typed]) -> str:
    """Return the frame of a window that is ordered by these values."""
    only(spec, "kind", "start", "start_side", "end", "end_side")
    kind = str(spec.args["kind"]).upper()
    if kind not in {"ROWS", "RANGE", "GROUPS"}:
        raise refuse(f"a frame of {kind}", "write ROWS, RANGE or GROUPS")
    if kind == "GROUPS" and not keys:
        raise refuse("a frame of GROUPS", "it needs ORDER BY")
    _check_edges(spec)
    if kind == "RANGE":
        _check_range(spec, keys)
    start = _edge(spec, "start", kind)
    if spec.args.get("end") is None:
        return f"{kind} {start}"
    return f"{kind} BETWEEN {start} AND {_edge(spec, 'end', kind)}"


def _check_edges(spec: Any) -> None:
    """Refuse a frame that ends before it begins."""
    ranks = [_rank(spec, "start"), _rank(spec, "end") if spec.args.get("end") is not None else 2]
    if ranks[0] > ranks[1] or ranks[0] == _LAST or ranks[1] == 0:
        raise refuse("this frame", "it must begin before it ends")


_LAST = 4


def _rank(spec: Any, end: str) -> int:
    """Return where an edge of a frame lies: 0 is before all rows, 4 after all."""
    value, side = spec.args[end], spec.args.get(f"{end}_side")
    if value == "CURRENT ROW":
        return 2
    if value == "UNBOUNDED":
        return 0 if side == "PRECEDING" else _LAST
    return 1 if side == "PRECEDING" else 3


def _check_range(spec: Any, keys: list[Typed]) -> None:
    """Refuse RANGE with a distance that cannot be taken from what the rows are ordered by."""
    for value in (spec.args["start"], spec.args.get("end")):
        if not isinstance(value, exp.Expression):
            continue
        kinds = [key.kind for key in keys]
        timed = isinstance(value, exp.Interval)
        if len(kinds) != 1 or not (kinds[0].instant if timed else kinds[0].numeric):
            raise refuse(
                "RANGE with a distance", "it needs ORDER BY of one number, or of one timestamp"
            )


def _edge(spec: Any, end: str, kind: str) -> str:
    value, side = spec.args[end], spec.args.get(f"{end}_side")
    if value == "CURRENT ROW":
        return "CURRENT ROW"
    if side not in {"PRECEDING", "FOLLOWING"}:
        raise refuse("this frame", "write ROWS BETWEEN 1 PRECEDING AND CURRENT ROW")
    if value == "UNBOUNDED":
        return f"UNBOUNDED {side}"
    if kind == "RANGE" and isinstance(value, exp.Interval):
        only(value, "this", "unit")
        return f"INTERVAL '{int(value.this.name)}' {value.args['unit'].name} {side}"
    if not isinstance(value, exp.Literal) or not value.name.isdigit():
        raise refuse("this frame", "an offset is a whole number, or an INTERVAL in RANGE")
    return f"{value.name} {side}"
