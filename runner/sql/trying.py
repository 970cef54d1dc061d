"""try(...) of the few things that it is written for: a cast, and a division."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import exp

from runner.sql.kinds import Typed
from runner.sql.refusal import refuse
from runner.sql.scope import Scope

if TYPE_CHECKING:
    from runner.sql.expressions import Expressions

_SIMPLE = (exp.Column, exp.Literal, exp.Identifier, exp.Paren, exp.Neg)


def tried(compiler: Expressions, node: Any, scope: Scope) -> Typed:
    """Return `try(CAST(x AS t))` as TRY_CAST, and `try(a / b)` as null where b is 0.

    Raises
    ------
    Refused
        For anything else, which may fail here where Athena has an answer.
    """
    inner = node.expressions[0] if len(node.expressions) == 1 else None
    if type(inner) is exp.Cast and _is_simple(inner.this):
        safe = exp.TryCast(this=inner.this, to=inner.args["to"])
        return compiler.compile(safe, scope)
    if isinstance(inner, exp.Div) and _is_simple(inner.this) and _is_simple(inner.expression):
        left, right = (compiler.compile(part, scope) for part in (inner.this, inner.expression))
        if left.kind.whole and right.kind.whole:
            quotient = compiler.compile(inner, scope)
            return Typed(f"(CASE WHEN {right.sql} <> 0 THEN {quotient.sql} END)", quotient.kind)
    raise refuse("try()", "only try(CAST(x AS type)) and try(a / b); write nullif or CASE")


def _is_simple(node: Any) -> bool:
    """Tell whether nothing can fail in it."""
    return isinstance(node, _SIMPLE) and all(
        isinstance(part, _SIMPLE) for part in node.find_all(exp.Expression) if part is not node
    )
