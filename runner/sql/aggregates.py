"""Aggregate functions that give Athena's answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from runner.sql.kinds import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    MAX_PRECISION,
    UNKNOWN,
    VARCHAR,
    Kind,
    Typed,
    array,
    decimal,
    mapping,
    text_literal,
)
from runner.sql.operators import scaled, unscaled
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
_OF_TWO = ("corr", "covar_pop", "covar_samp", "regr_slope", "regr_intercept")
ORDERED = frozenset({"array_agg", "listagg"})
"""Functions that take ORDER BY."""


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Calls without their FILTER and OVER, the type, and what goes around all of it."""

    calls: tuple[str, ...]
    kind: Kind
    around: str = "{0}"

    def with_end(self, text: str) -> Aggregate:
        """Return it with FILTER or OVER after each call."""
        return replace(self, calls=tuple(call + text for call in self.calls))


def aggregate(name: str, args: Sequence[Typed], *, distinct: bool, order: str) -> Aggregate:
    """Return an aggregate function call.

    `order` is the ORDER BY inside it, as SQL, or empty.

    Raises
    ------
    Refused
        When the types of the arguments do not fit.
    """
    quantifier = "DISTINCT " if distinct else ""
    if order and name not in ORDERED:
        raise refuse(f"ORDER BY inside {name}()", "only array_agg and listagg take it")
    if name == "listagg":
        return _listagg(args, quantifier, order)
    if name == "array_agg" and len(args) == 1:
        given = f"{quantifier}{args[0].sql}{' ' if order else ''}{order}"
        return Aggregate((f"array_agg({given})",), array(args[0].kind))
    if name != "count" and (not args or args[0].sql == "*"):
        raise refuse(f"{name}()", "give it an argument")
    return _RULES[name](name, args, quantifier)


def _count(_: str, args: Sequence[Typed], quantifier: str) -> Aggregate:
    if len(args) > 1:
        raise refuse("count() with more than one argument", "count rows of a SELECT DISTINCT")
    return Aggregate((f"count({quantifier}{args[0].sql if args else '*'})",), BIGINT)


def _by(name: str, args: Sequence[Typed], quantifier: str) -> Aggregate:
    """Return a call that may give a null value; DuckDB's own max_by passes such rows over."""
    if len(args) not in {2, 3} or quantifier or not args[1].kind.ordered:
        raise refuse(f"{name}()", f"only {name}(value, number or text) here")
    function = "arg_max" if name == "max_by" else "arg_min"
    if len(args) == 3:  # noqa: PLR2004  (how many)
        number = _written(name, args[2])
        packed = f"struct_pack(v := {args[0].sql})"
        call = f"{function}({packed}, {args[1].sql}, {number})"
        around = "list_transform({0}, lambda item: struct_extract(item, 'v'))"
        return Aggregate((call,), array(args[0].kind), around)
    return Aggregate((f"{function}_null({args[0].sql}, {args[1].sql})",), args[0].kind)


def _of_two(name: str, args: Sequence[Typed], quantifier: str) -> Aggregate:
    if len(args) != 2 or quantifier or any(arg.kind != DOUBLE for arg in args):  # noqa: PLR2004  (x, y)
        hint = f"only {name}(double, double): Athena takes others as real, of 7 digits; CAST them"
        raise refuse(f"{name}()", hint)
    first, second = (argument.sql for argument in args)
    return Aggregate((f"{name}({first}, {second})",), DOUBLE, "finite({0})")


def _listagg(args: Sequence[Typed], quantifier: str, order: str) -> Aggregate:
    if not order:
        raise refuse("listagg() without order", "write listagg(x, ',') WITHIN GROUP (ORDER BY x)")
    separator = args[1].value if len(args) > 1 else ""
    if len(args) not in {1, 2} or not isinstance(separator, str) or args[0].kind != VARCHAR:
        raise refuse("listagg()", "takes text and a separator; CAST(x AS varchar)")
    literal = text_literal(separator)
    return Aggregate((f"string_agg({quantifier}{args[0].sql}, {literal} {order})",), VARCHAR)


def _one(name: str, args: Sequence[Typed]) -> Typed:
    if len(args) != 1:
        raise refuse(f"{name}() with {len(args)} arguments", "only with one here")
    return args[0]


def _condition(name: str, args: Sequence[Typed], quantifier: str) -> Aggregate:
    argument = _one(name, args)
    if argument.kind not in (BOOLEAN, UNKNOWN):
        raise refuse(f"{name}() of {argument.kind}", "it takes a condition")
    given = f"{quantifier}{argument.to(BOOLEAN)}"
    if name == "count_if":
        return Aggregate((f"count_if({given})",), BIGINT, "CAST({0} AS BIGINT)")
    return Aggregate((f"{'bool_and' if name == 'every' else name}({given})",), BOOLEAN)


def _extreme(name: str, args: Sequence[Typed], quantifier: str) -> Aggregate:
    if len(args) not in {1, 2} or not args[0].kind.ordered:
        raise refuse(f"{name}() of {args[0].kind}", "it takes numbers, texts or times")
    if len(args) == 2:  # noqa: PLR2004  (how many)
        number = _written(name, args[1])
        return Aggregate((f"{name}({args[0].sql}, {number})",), array(args[0].kind))
    return Aggregate((f"{name}({quantifier}{args[0].sql})",), args[0].kind)


def _written(name: str, argument: Typed) -> int:
    if not isinstance(argument.value, int) or argument.value < 1:
        raise refuse(f"{name}()", "its number must be written as a number from 1")
    return argument.value


def _histogram(name: str, args: Sequence[Typed], quantifier: str) -> Aggregate:
    kind = mapping(_one(name, args).kind, BIGINT)
    if not kind.parts[0].ordered:
        raise refuse(f"histogram() of {kind.parts[0]}", "it takes numbers, texts or times")
    call = f"histogram({quantifier}{args[0].sql})"
    return Aggregate((call,), kind, f"CAST({{0}} AS {kind.duckdb()})")


def _any(name: str, args: Sequence[Typed], quantifier: str) -> Aggregate:
    argument = _one(name, args)
    return Aggregate((f"any_value({quantifier}{argument.sql})",), argument.kind)


def _statistics(name: str, args: Sequence[Typed], quantifier: str) -> Aggregate:
    argument = _number(name, args)
    return Aggregate((f"{_STATISTICS[name]}({quantifier}{argument.to(DOUBLE)})",), DOUBLE)


def _number(name: str, args: Sequence[Typed]) -> Typed:
    argument = _one(name, args)
    if not argument.kind.numeric:
        hint = "write it of to_milliseconds(x)" if argument.kind.interval else "it takes numbers"
        raise refuse(f"{name}() of {argument.kind}", hint)
    return argument


def _average(name: str, args: Sequence[Typed], quantifier: str) -> Aggregate:
    """Return the mean; that of decimals is rounded to their digits."""
    argument = _number(name, args)
    given, kind = f"{quantifier}{argument.sql}", argument.kind
    if kind.name != "decimal":
        return Aggregate((f"avg({given})",), DOUBLE)
    total = unscaled("{0}", kind)
    around = scaled(f"decimal_quotient({total}, CAST(nullif({{1}}, 0) AS HUGEINT))", kind)
    return Aggregate((f"sum({given})", f"count({given})"), kind, around)


def _sum(name: str, args: Sequence[Typed], quantifier: str) -> Aggregate:
    argument = args[0] if len(args) == 1 else _one(name, args)
    kind, given = argument.kind, f"{quantifier}{argument.sql}"
    if kind.interval:
        return Aggregate((f"sum({given})",), kind, "CAST({0} AS BIGINT)")
    _number(name, args)
    if kind.whole:
        # DuckDB sums to 128 bits; the cast fails where Athena's sum overflows.
        return Aggregate((f"sum({given})",), BIGINT, "CAST({0} AS BIGINT)")
    result = DOUBLE if kind == DOUBLE else decimal(MAX_PRECISION, kind.scale)
    return Aggregate((f"sum({given})",), result)


def _bits(name: str, args: Sequence[Typed], quantifier: str) -> Aggregate:
    argument = _one(name, args)
    if not argument.kind.whole:
        raise refuse(f"{name}() of {argument.kind}", "it takes whole numbers")
    word = name.removeprefix("bitwise_").removesuffix("_agg")
    return Aggregate((f"bit_{word}({quantifier}{argument.to(BIGINT)})",), BIGINT)


def _map_agg(name: str, args: Sequence[Typed], quantifier: str) -> Aggregate:
    """Return a map of pairs; rows without a key are left out, the first of equal keys counts."""
    if len(args) != 2 or quantifier or not args[0].kind.ordered:  # noqa: PLR2004  (key, value)
        raise refuse(f"{name}()", f"only {name}(key, value) of numbers, texts or times as keys")
    pair = f"array_agg(struct_pack(k := {args[0].sql}, v := {args[1].sql}))"
    key, value = (argument.kind for argument in args)
    if name == "map_agg":
        return Aggregate((pair,), mapping(key, value), "map_of_pairs({0})")
    return Aggregate((pair,), mapping(key, array(value)), "map_of_many({0})")


def _moment(name: str, args: Sequence[Typed], quantifier: str) -> Aggregate:
    """Return skewness, which is the population's: DuckDB's own is the sample's."""
    argument = _number(name, args)
    if quantifier:
        raise refuse(f"{name}(DISTINCT ...)", "use a subquery")
    value = argument.to(DOUBLE)
    return Aggregate((f"skewness({value})", f"count({value})"), DOUBLE, "skewness_of({0}, {1})")


_Rule = Callable[[str, Sequence[Typed], str], Aggregate]
_RULES: Mapping[str, _Rule] = {
    "any_value": _any,
    "arbitrary": _any,
    "avg": _average,
    "bitwise_and_agg": _bits,
    "bitwise_or_agg": _bits,
    "bitwise_xor_agg": _bits,
    "bool_and": _condition,
    "bool_or": _condition,
    "count": _count,
    "count_if": _condition,
    "every": _condition,
    "histogram": _histogram,
    "map_agg": _map_agg,
    "max": _extreme,
    "max_by": _by,
    "min": _extreme,
    "min_by": _by,
    "multimap_agg": _map_agg,
    "skewness": _moment,
    "sum": _sum,
    **dict.fromkeys(_OF_TWO, _of_two),
    **dict.fromkeys(_STATISTICS, _statistics),
}
AGGREGATES = frozenset({*_RULES, *ORDERED})
