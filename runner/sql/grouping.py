"""Compiles GROUP BY: columns, places, expressions, ROLLUP, CUBE and GROUPING SETS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlglot import exp

from runner.sql.expressions import Expressions
from runner.sql.kinds import Typed
from runner.sql.nodes import only
from runner.sql.refusal import refuse
from runner.sql.scope import Scope


class Grouping:
    """The compiler of the groups of one SELECT, whose output columns are given."""

    def __init__(
        self, expressions: Expressions, scope: Scope, projections: Sequence[tuple[str, Typed]]
    ) -> None:
        self._expressions = expressions
        self._scope = scope
        self._projections = projections

    def clause(self, node: Any) -> str:
        """Return GROUP BY, or nothing."""
        if node is None:
            return ""
        only(node, "expressions")
        return f" GROUP BY {', '.join(self._part(item) for item in node.expressions)}"

    def _part(self, node: Any) -> str:
        if isinstance(node, exp.Rollup | exp.Cube):
            inner = ", ".join(self._together(part) for part in node.expressions)
            return f"{type(node).__name__.upper()} ({inner})"
        if isinstance(node, exp.GroupingSets):
            sets = ", ".join(self._set(part) for part in node.expressions)
            return f"GROUPING SETS ({sets})"
        return self._together(node)

    def _together(self, node: Any) -> str:
        return self._set(node) if isinstance(node, exp.Tuple) else self._element(node)

    def _set(self, node: Any) -> str:
        members = node.expressions if isinstance(node, exp.Tuple) else [node]
        members = [part.this if isinstance(part, exp.Paren) else part for part in members]
        return f"({', '.join(self._element(part) for part in members)})"

    def _element(self, node: Any) -> str:
        place = written_place(node, len(self._projections))
        if place is None:
            value = self._expressions.compile(node, self._scope)
        else:
            value = self._projections[place - 1][1]
        if not value.kind.comparable:
            raise refuse(f"GROUP BY of {value.kind}", "group by numbers, texts or times")
        return value.sql if place is None else str(place)


def written_place(node: Any, columns: int) -> int | None:
    """Return the place that a bare number in GROUP BY or ORDER BY means."""
    if not isinstance(node, exp.Literal):
        return None
    if node.is_string or not node.name.isdigit() or not 1 <= int(node.name) <= columns:
        raise refuse(f"position {node.name}", f"write a number from 1 to {columns}")
    return int(node.name)
