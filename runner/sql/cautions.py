"""Warnings about what surprises in Athena too: quotients that drop what was meant."""

from __future__ import annotations

from typing import Any

from runner.sql.kinds import Typed, as_decimal, common

_ONE_LINE = 60


class Cautions:
    """The warnings of one query, each once, in the order in which they came up."""

    def __init__(self) -> None:
        self._said: dict[str, None] = {}

    def said(self) -> tuple[str, ...]:
        """Return the warnings."""
        return tuple(self._said)

    def look_at(self, sign: str, left: Typed, right: Typed, node: Any) -> None:
        """Warn of a division whose result has fewer digits than its writer expects."""
        kind = common(left.kind, right.kind)
        if sign != "/" or kind is None:
            return
        if kind.whole and not (left.value is not None and right.value is not None):
            self._say(
                node, "divides whole numbers, so the fraction is dropped", "CAST(x AS double)"
            )
        elif kind.name == "decimal":
            digits = max(as_decimal(left.kind).scale, as_decimal(right.kind).scale)
            text = f"divides decimals, so the result is rounded to {digits} decimal(s)"
            self._say(node, text, "numbers like 3600e0, or CAST(x AS double)")

    def _say(self, node: Any, text: str, instead: str) -> None:
        written = node.sql("trino")
        shown = written if len(written) <= _ONE_LINE else written[: _ONE_LINE - 3] + "..."
        self._said.setdefault(f"{shown}: {text}, in Athena too; write {instead}")
