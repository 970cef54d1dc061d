"""Rows: made with ROW(...), their fields read by name or by place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from runner.sql.kinds import Typed, field_name, row
from runner.sql.nodes import refused_node
from runner.sql.refusal import refuse
from runner.sql.scope import Scope
from schemas.errors import UserError, suggestion

if TYPE_CHECKING:
    from runner.sql.expressions import Expressions


def made(_: str, args: Sequence[Typed]) -> Typed:
    """Compile ROW(a, b); its fields have no names."""
    if not args:
        raise refuse("ROW()", "give it values")
    packed = ", ".join(f"{field_name(place)} := {value.sql}" for place, value in enumerate(args))
    kind = row(("",) * len(args), tuple(value.kind for value in args))
    return Typed(f"struct_pack({packed})", kind)


def column(node: Any, scope: Scope) -> Typed:
    """Return `column`, `table.column`, or a field of either: `column.field`."""
    names = [part.name for part in node.parts]
    qualified = len(names) > 1
    if not qualified and node.this.args.get("quoted") and not scope.knows(names[0], None):
        raise UserError(
            f"{scope.unknown(names[0], None)}; double quotes make a name, single quotes a text: "
            f"'{names[0]}'"
        )
    if qualified and not scope.knows(names[1], names[0]) and scope.knows(names[0], None):
        value, fields = scope.column(names[0], None), names[1:]
    else:
        value = scope.column(names[1], names[0]) if qualified else scope.column(names[0], None)
        fields = names[2:]
    for name in fields:
        value = field(value, name)
    # As a column of the answer it is called as it is written.
    return replace(value, name=names[-1])


def dotted(compiler: Expressions, node: Any, scope: Scope) -> Typed:
    """Return a field of an expression: `CAST(...).name`; as a column it has no name."""
    if not isinstance(node.expression, exp.Identifier):
        raise refused_node(node)
    found = field(compiler.compile(node.this, scope), node.expression.name)
    return replace(found, name=None)


def field(value: Typed, name: str) -> Typed:
    """Return the field of a row by its name.

    Raises
    ------
    UserError
        When it has no field of that name, or is no row.
    """
    if value.kind.name != "row":
        raise refuse(f"'.{name}' of {value.kind}", "only rows have fields")
    known = [each.lower() for each in value.kind.names]
    if known.count(name.lower()) != 1:
        near = suggestion(name, [each for each in known if each])
        raise UserError(f"no field '{name}' in {value.kind}{near}")
    return at(value, known.index(name.lower()), name)


def at(value: Typed, place: int, name: str | None = None) -> Typed:
    """Return the field of a row at a place, from 0."""
    sql = f"struct_extract({value.sql}, '{field_name(place)}')"
    return Typed(sql, value.kind.parts[place], name=name)
