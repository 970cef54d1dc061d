"""Functions that choose among their arguments: coalesce, nullif, if, greatest, least."""

from __future__ import annotations

from collections.abc import Sequence

from runner.sql.kinds import BOOLEAN, Kind, Typed, common
from runner.sql.refusal import refuse


def unified(what: str, args: Sequence[Typed]) -> Kind:
    """Return the one type of alternative values.

    Raises
    ------
    Refused
        When there is none, as for a text beside a number.
    """
    kind = args[0].kind
    for argument in args[1:]:
        wider = common(kind, argument.kind)
        if wider is None:
            raise refuse(f"{what} mixes {kind} and {argument.kind}", "CAST one of them")
        kind = wider
    return kind


def extreme(name: str, args: Sequence[Typed]) -> Typed:
    """Compile greatest and least: null as soon as one argument is, which DuckDB leaves out."""
    if not args:
        raise refuse(f"{name}()", "give it values")
    kind = unified(f"{name}()", args)
    if not kind.ordered:
        raise refuse(f"{name}() of {kind}", "only numbers, texts and times are compared")
    given = [argument.to(kind) for argument in args]
    missing = " OR ".join(f"{sql} IS NULL" for sql in given)
    return Typed(f"(CASE WHEN {missing} THEN NULL ELSE {name}({', '.join(given)}) END)", kind)


def coalesce(_: str, args: Sequence[Typed]) -> Typed:
    """Compile coalesce."""
    if len(args) < 2:  # noqa: PLR2004  (Athena wants two)
        raise refuse("coalesce()", "give it two values or more")
    kind = unified("coalesce()", args)
    return Typed(f"coalesce({', '.join(argument.to(kind) for argument in args)})", kind)


def nullif(_: str, args: Sequence[Typed]) -> Typed:
    """Compile nullif: its type is that of the first argument."""
    if len(args) != 2:  # noqa: PLR2004  (two values)
        raise refuse("nullif()", f"takes 2 arguments, found {len(args)}")
    kind = unified("nullif()", args)
    if not kind.ordered:
        raise refuse(f"nullif() of {kind}", "it takes numbers, texts and times")
    first, second = (argument.to(kind) for argument in args)
    return Typed(f"(CASE WHEN {first} = {second} THEN NULL ELSE {args[0].sql} END)", args[0].kind)


def choice(_: str, args: Sequence[Typed]) -> Typed:
    """Compile if(condition, value, other)."""
    if len(args) not in {2, 3}:
        raise refuse("if()", "write if(condition, value, other value)")
    if common(args[0].kind, BOOLEAN) != BOOLEAN:
        raise refuse("if()", f"its condition must be boolean, found {args[0].kind}")
    kind = unified("if()", args[1:])
    other = args[2].to(kind) if len(args) == 3 else "NULL"  # noqa: PLR2004  (the third)
    return Typed(
        f"(CASE WHEN {args[0].to(BOOLEAN)} THEN {args[1].to(kind)} ELSE {other} END)", kind
    )
