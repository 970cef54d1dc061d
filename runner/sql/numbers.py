"""Functions of numbers: as doubles, as whole numbers, and as decimals with Athena's digits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runner.sql.kinds import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    INTEGER,
    Typed,
    decimal,
)
from runner.sql.operators import arithmetic, scaled, unscaled
from runner.sql.overloads import Overload, Special, of
from runner.sql.refusal import refuse


def _double(template: str, *, arguments: int = 1) -> tuple[Overload, ...]:
    return (of(template, DOUBLE, *(DOUBLE,) * arguments),)


def _bits(template: str) -> tuple[Overload, ...]:
    return (of(f"CAST({template} AS BIGINT)", BIGINT, BIGINT, BIGINT),)


_UNCHANGED = tuple(of("{0}", kind, kind) for kind in (INTEGER, BIGINT))

_CEIL = (*_UNCHANGED, *_double("ceil({0})"))

NUMBERS: Mapping[str, tuple[Overload, ...]] = {
    "ceil": _CEIL,
    "ceiling": _CEIL,
    "floor": (*_UNCHANGED, *_double("floor({0})")),
    "round": (
        *_UNCHANGED,
        of("round({0})", DOUBLE, DOUBLE),
        of("round_to({0}, {1})", DOUBLE, DOUBLE, INTEGER),
        of("CAST(whole_round({0}, {1}) AS INTEGER)", INTEGER, INTEGER, INTEGER),
        of("CAST(whole_round({0}, {1}) AS BIGINT)", BIGINT, BIGINT, INTEGER),
    ),
    "truncate": (
        of("CAST({0} AS DECIMAL(10,0))", decimal(10, 0), INTEGER),
        of("CAST({0} AS DECIMAL(19,0))", decimal(19, 0), BIGINT),
        of("trunc({0})", DOUBLE, DOUBLE),
    ),
    "sqrt": _double("sqrt(not_negative({0}))"),
    "cbrt": _double("cube_root({0})"),
    "exp": _double("finite(exp({0}))"),
    "ln": _double("ln(positive({0}, 'ln'))"),
    "log2": _double("(ln(positive({0}, 'log2')) / ln(2e0))"),
    "log10": _double("log10(positive({0}, 'log10'))"),
    "log": _double("(ln(positive({1}, 'log')) / nonzero(ln(positive({0}, 'log'))))", arguments=2),
    "power": _double("finite(power({0}, {1}))", arguments=2),
    "pow": _double("finite(power({0}, {1}))", arguments=2),
    "acos": _double("acos(of_one({0}))"),
    "asin": _double("asin(of_one({0}))"),
    "atan": _double("atan({0})"),
    "atan2": _double("atan2({0}, {1})", arguments=2),
    "sin": _double("sin({0})"),
    "cos": _double("cos({0})"),
    "tan": _double("tan({0})"),
    "cosh": _double("finite(cosh({0}))"),
    "sinh": _double("finite(sinh({0}))"),
    "tanh": _double("tanh({0})"),
    "degrees": _double("degrees({0})"),
    "radians": _double("radians({0})"),
    "pi": (of("pi()", DOUBLE),),
    "e": (of("exp(1e0)", DOUBLE),),
    "is_nan": (of("isnan({0})", BOOLEAN, DOUBLE),),
    "is_finite": (of("isfinite({0})", BOOLEAN, DOUBLE),),
    "is_infinite": (of("isinf({0})", BOOLEAN, DOUBLE),),
    "bitwise_and": _bits("({0} & {1})"),
    "bitwise_or": _bits("({0} | {1})"),
    "bitwise_xor": _bits("xor({0}, {1})"),
    "bitwise_not": (of("(~{0})", BIGINT, BIGINT),),
    "bit_count": (of("bits_set({0}, {1})", BIGINT, BIGINT, BIGINT),),
    "width_bucket": (of("bucket_of({0}, {1}, {2}, {3})", BIGINT, DOUBLE, DOUBLE, DOUBLE, BIGINT),),
}


def _of_decimal(name: str, args: Sequence[Typed]) -> Typed:
    """Compile round, ceil, floor, truncate of a decimal; its type has fewer digits then."""
    kind, digits = args[0].kind, args[1] if len(args) == 2 else None  # noqa: PLR2004  (value, digits)
    if digits is not None and not isinstance(digits.value, int):
        raise refuse(f"{name}() of a decimal", "its number of digits must be written as a number")
    if digits is not None:
        if name not in {"round", "truncate"} or len(args) != 2:  # noqa: PLR2004  (as above)
            raise refuse(f"{name}()", "takes one argument")
        places = digits.value if isinstance(digits.value, int) else 0
        result = decimal(kind.precision + (name == "round"), kind.scale)
        step = max(kind.scale - places, 0)
    else:
        whole = kind.precision - kind.scale
        more = 0 if name == "truncate" else min(kind.scale, 1)
        result, step = decimal(max(whole + more, 1), 0), kind.scale
    units = f"decimal_{name}({unscaled(args[0].sql, kind)}, CAST(1{'0' * step} AS HUGEINT))"
    if digits is not None:
        return Typed(scaled(f"{units} * CAST(1{'0' * step} AS HUGEINT)", result), result)
    return Typed(scaled(units, result), result)


def rounded(name: str, args: Sequence[Typed]) -> Typed | None:
    """Compile the functions of decimals that have their own rules; None for other arguments."""
    if not args or args[0].kind.name != "decimal":
        return None
    name = "ceil" if name == "ceiling" else name
    if name in {"round", "ceil", "floor", "truncate"}:
        return _of_decimal(name, args)
    return None


def absolute(name: str, args: Sequence[Typed]) -> Typed:
    """Compile abs and sign."""
    if len(args) != 1 or not args[0].kind.numeric:
        raise refuse(f"{name}()", "it takes a number")
    kind = args[0].kind
    if name == "sign" and kind.name == "decimal":
        kind = decimal(1, 0)
    return Typed(f"CAST({name}({args[0].sql}) AS {kind.duckdb()})", kind)


def remainder(_: str, args: Sequence[Typed]) -> Typed:
    """Compile mod(a, b)."""
    if len(args) != 2:  # noqa: PLR2004  (dividend, divisor)
        raise refuse("mod()", "write mod(a, b)")
    return arithmetic("%", *args)


SPECIAL_NUMBERS: Mapping[str, Special] = {
    "abs": absolute,
    "sign": absolute,
    "mod": remainder,
}
