"""What functions ask of their arguments before they are compiled."""

from __future__ import annotations

from collections.abc import Sequence

from runner.sql.kinds import VARCHAR, Typed, common
from runner.sql.refusal import refuse


def text(argument: Typed, what: str) -> str:
    """Return the SQL of a text."""
    if common(argument.kind, VARCHAR) != VARCHAR:
        raise refuse(f"{what}() of {argument.kind}", "it takes text; CAST AS varchar")
    return argument.to(VARCHAR)


def literal(argument: Typed, what: str) -> str:
    """Return a text that is written in the query."""
    if not isinstance(argument.value, str):
        raise refuse(what, "must be written as a text in the query, so that it can be checked")
    return argument.value


def count(name: str, args: Sequence[Typed], *allowed: int) -> None:
    """Refuse another number of arguments."""
    if len(args) not in allowed:
        numbers = " or ".join(str(number) for number in allowed)
        raise refuse(f"{name}() with {len(args)} argument(s)", f"only with {numbers} here")


def joined(texts: str, separator: Typed, what: str) -> str:
    """Return the SQL of an array of texts as one; DuckDB's own function wants a written separator.

    Nulls are left out.
    """
    macro = "joined" if isinstance(separator.value, str) else "joined_by"
    return f"{macro}({texts}, {text(separator, what)})"


def position(argument: Typed, what: str, least: int = 1) -> int:
    """Return a whole number that is written in the query."""
    if not isinstance(argument.value, int) or argument.value < least:
        raise refuse(what, f"must be written as a number from {least}")
    return argument.value
