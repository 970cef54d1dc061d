"""Aggregate and window functions that give Athena's answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner.sql.kinds import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    MAX_PRECISION,
    VARCHAR,
    Kind,
    Typed,
    array,
    common,
    decimal,
    mapping,
    text_literal,
)
from runner.sql.refusal import refuse

_STATISTICS = {
    "stddev": "stddev_samp",
    "stddev_samp": "stddev_samp",
    "stddev_pop": "stddev_pop",
    "variance": "var_samp",
    "var_samp": "var_samp",
    "var_pop": "var_pop",
    "geometric_mean": "geomean",
}
_RANKS = {
    "row_number": BIGINT,
    "rank": BIGINT,
    "dense_rank": BIGINT,
    "percent_rank": DOUBLE,
    "cume_dist": DOUBLE,
}
AGGREGATES = frozenset(
    {
        "count",
        "count_if",
        "sum",
        "avg",
        "min",
        "max",
        "min_by",
        "max_by",
        "arbitrary",
        "any_value",
        "bool_and",
        "bool_or",
        "every",
        "array_agg",
        "listagg",
        "corr",
        "histogram",
        *_STATISTICS,
    }
)
WINDOWS = frozenset({*_RANKS, "ntile", "lag", "lead", "first_value", "last_value", "nth_value"})
"""Functions that only stand before OVER."""
TAKES_IGNORE_NULLS = frozenset({"lag", "lead", "first_value", "last_value", "nth_value"})


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A call without its FILTER and OVER, its type, and what goes around all of it."""

    sql: str
    kind: Kind
    around: str = "{0}"


def aggregate(name: str, args: Sequence[Typed], *, distinct: bool, order: str) -> Aggregate:
    """Return an aggregate function call.

    `order` is the ORDER BY inside it, as SQL, or empty.

    Raises
    ------
    Refused
        When the types of the arguments do not fit.
    """
    quantifier = "DISTINCT " if distinct else ""
    if name == "listagg":
        return _listagg(args, quantifier, order)
    if order and name != "array_agg":
        raise refuse(f"ORDER BY inside {name}()", "only array_agg and listagg take it")
    if name == "count":
        return _count(args, quantifier)
    if not args or args[0].sql == "*":
        raise refuse(f"{name}()", "give it an argument")
    if name in {"min_by", "max_by"}:
        return _by(name, args, quantifier)
    if name == "corr":
        return _corr(args, quantifier)
    if len(args) != 1:
        raise refuse(f"{name}() with {len(args)} arguments", "only with one here")
    return _of_one(name, args[0], quantifier, order)


def _count(args: Sequence[Typed], quantifier: str) -> Aggregate:
    if len(args) > 1:
        raise refuse("count() with more than one argument", "count rows of a SELECT DISTINCT")
    return Aggregate(f"count({quantifier}{args[0].sql if args else '*'})", BIGINT)


def _by(name: str, args: Sequence[Typed], quantifier: str) -> Aggregate:
    """Return a call that may give a null value; DuckDB's own max_by passes such rows over."""
    if len(args) != 2 or quantifier or not args[1].kind.ordered:  # noqa: PLR2004  (value, order)
        raise refuse(f"{name}()", f"only {name}(value, number or text) here")
    function = "arg_max_null" if name == "max_by" else "arg_min_null"
    return Aggregate(f"{function}({args[0].sql}, {args[1].sql})", args[0].kind)


def _corr(args: Sequence[Typed], quantifier: str) -> Aggregate:
    if len(args) != 2 or quantifier or not all(arg.kind.numeric for arg in args):  # noqa: PLR2004  (x, y)
        raise refuse("corr()", "only corr(number, number)")
    first, second = (argument.to(DOUBLE) for argument in args)
    return Aggregate(f"corr({first}, {second})", DOUBLE, "finite({0})")


def _listagg(args: Sequence[Typed], quantifier: str, order: str) -> Aggregate:
    if not order:
        raise refuse("listagg() without order", "write listagg(x, ',') WITHIN GROUP (ORDER BY x)")
    separator = args[1].value if len(args) > 1 else ""
    if len(args) not in {1, 2} or not isinstance(separator, str) or args[0].kind != VARCHAR:
        raise refuse("listagg()", "takes text and a separator; CAST(x AS varchar)")
    literal = text_literal(separator)
    return Aggregate(f"string_agg({quantifier}{args[0].sql}, {literal} {order})", VARCHAR)


def _of_one(  # noqa: PLR0911  (one per kind of function)
    name: str, argument: Typed, quantifier: str, order: str
) -> Aggregate:
    kind, given = argument.kind, f"{quantifier}{argument.sql}"
    if name in {"sum", "avg", *_STATISTICS}:
        if not kind.numeric:
            raise refuse(f"{name}() of {kind}", "it takes numbers")
        return _of_number(name, argument, quantifier)
    if name in {"bool_and", "every", "bool_or", "count_if"}:
        if kind != BOOLEAN:
            raise refuse(f"{name}() of {kind}", "it takes a condition")
        if name == "count_if":
            return Aggregate(f"count_if({given})", BIGINT, "CAST({0} AS BIGINT)")
        return Aggregate(f"{'bool_and' if name == 'every' else name}({given})", BOOLEAN)
    if name == "array_agg":
        return Aggregate(f"array_agg({given}{' ' if order else ''}{order})", array(kind))
    if name in {"min", "max"}:
        if not kind.ordered:
            raise refuse(f"{name}() of {kind}", "it takes numbers, texts or times")
        return Aggregate(f"{name}({given})", kind)
    if name == "histogram":
        return Aggregate(
            f"histogram({given})",
            mapping(kind, BIGINT),
            f"CAST({{0}} AS {mapping(kind, BIGINT).duckdb()})",
        )
    return Aggregate(f"any_value({given})", kind)


def _of_number(name: str, argument: Typed, quantifier: str) -> Aggregate:
    kind = argument.kind
    if name in _STATISTICS:
        return Aggregate(f"{_STATISTICS[name]}({quantifier}{argument.to(DOUBLE)})", DOUBLE)
    if name == "avg":
        if kind.name == "decimal":
            raise refuse("avg() of decimals", "Athena rounds it; write avg(CAST(x AS double))")
        return Aggregate(f"avg({quantifier}{argument.sql})", DOUBLE)
    if kind.whole:
        # DuckDB sums to 128 bits; the cast fails where Athena's sum overflows.
        return Aggregate(f"sum({quantifier}{argument.sql})", BIGINT, "CAST({0} AS BIGINT)")
    result = DOUBLE if kind == DOUBLE else decimal(MAX_PRECISION, kind.scale)
    return Aggregate(f"sum({quantifier}{argument.sql})", result)


def window(name: str, args: Sequence[Typed]) -> Aggregate:
    """Return a call of a function that only stands before OVER."""
    if name in _RANKS:
        if args:
            raise refuse(f"{name}()", "it takes no argument")
        return Aggregate(f"{name}()", _RANKS[name])
    if not args:
        raise refuse(f"{name}()", "give it an argument")
    if name == "ntile":
        return Aggregate(f"ntile({_whole(name, args[0])})", BIGINT)
    if name in {"first_value", "last_value"} and len(args) == 1:
        return Aggregate(f"{name}({args[0].sql})", args[0].kind)
    if name == "nth_value" and len(args) == 2:  # noqa: PLR2004  (value, place)
        return Aggregate(f"nth_value({args[0].sql}, {_whole(name, args[1])})", args[0].kind)
    if name in {"lag", "lead"} and len(args) <= 3:  # noqa: PLR2004  (value, offset, default)
        parts = [args[0].sql, *(str(_whole(name, offset)) for offset in args[1:2])]
        for default in args[2:]:
            if common(args[0].kind, default.kind) != args[0].kind:
                raise refuse(f"{name}()", f"its default must be {args[0].kind}")
            parts.append(default.to(args[0].kind))
        return Aggregate(f"{name}({', '.join(parts)})", args[0].kind)
    raise refuse(f"{name}()", "too many arguments")


def _whole(name: str, argument: Typed) -> int:
    if not isinstance(argument.value, int) or argument.value < 1:
        raise refuse(f"{name}()", "its number must be written as a number from 1")
    return argument.value
