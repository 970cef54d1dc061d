"""Functions that only stand before OVER."""

from __future__ import annotations

from collections.abc import Sequence

from runner.sql.aggregates import Aggregate
from runner.sql.kinds import BIGINT, DOUBLE, Typed, common
from runner.sql.refusal import refuse

_RANKS = {
    "row_number": BIGINT,
    "rank": BIGINT,
    "dense_rank": BIGINT,
    "percent_rank": DOUBLE,
    "cume_dist": DOUBLE,
}
WINDOWS = frozenset({*_RANKS, "ntile", "lag", "lead", "first_value", "last_value", "nth_value"})
TAKES_FRAME = frozenset({"first_value", "last_value", "nth_value"})
TAKES_IGNORE_NULLS = frozenset({"lag", "lead", "first_value", "last_value", "nth_value"})


def window(name: str, args: Sequence[Typed], *, ordered: bool) -> Aggregate:
    """Return a call.

    Raises
    ------
    Refused
        When its arguments do not fit, or it needs an order and has none.
    """
    if name in _RANKS:
        if args:
            raise refuse(f"{name}()", "it takes no argument")
        return Aggregate((f"{name}()",), _RANKS[name])
    if not args:
        raise refuse(f"{name}()", "give it an argument")
    if name == "ntile":
        return Aggregate((f"ntile({_whole(name, args[0])})",), BIGINT)
    if name in {"first_value", "last_value"} and len(args) == 1:
        return Aggregate((f"{name}({args[0].sql})",), args[0].kind)
    if name == "nth_value" and len(args) == 2:  # noqa: PLR2004  (value, place)
        place = _whole(name, args[1])
        return Aggregate((f"nth_value({args[0].sql}, {place})",), args[0].kind)
    if name in {"lag", "lead"} and len(args) <= 3:  # noqa: PLR2004  (value, offset, default)
        if not ordered:
            raise refuse(f"{name}() without order", f"write {name}(x) OVER (ORDER BY y)")
        return _neighbour(name, args)
    raise refuse(f"{name}()", "too many arguments")


def _neighbour(name: str, args: Sequence[Typed]) -> Aggregate:
    parts = [args[0].sql, *(str(_whole(name, offset, 0)) for offset in args[1:2])]
    for default in args[2:]:
        if common(args[0].kind, default.kind) != args[0].kind:
            raise refuse(f"{name}()", f"its default must be {args[0].kind}")
        parts.append(default.to(args[0].kind))
    return Aggregate((f"{name}({', '.join(parts)})",), args[0].kind)


def _whole(name: str, argument: Typed, least: int = 1) -> int:
    if not isinstance(argument.value, int) or argument.value < least:
        raise refuse(f"{name}()", f"its number must be written as a number from {least}")
    return argument.value
