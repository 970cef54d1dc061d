"""The scalar functions that give Athena's answer, each with the DuckDB expression that does.

A function that is in no table here is refused. What is known to differ has its own hint in
`hints.py`. Semantics: https://trino.io/docs/current/functions.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from runner.sql.dates import DATES
from runner.sql.kinds import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INTEGER,
    TIMESTAMP,
    VARCHAR,
    Kind,
    Typed,
    array,
    common,
)
from runner.sql.refusal import refuse
from runner.sql.texts import TEXTS

Special = Callable[[str, Sequence[Typed]], Typed]


@dataclass(frozen=True, slots=True)
class Overload:
    """One signature and its DuckDB expression."""

    params: tuple[Kind, ...]
    result: Kind
    template: str


def _of(template: str, result: Kind, *params: Kind) -> Overload:
    return Overload(params, result, template)


def _double(template: str, *, arguments: int = 1) -> tuple[Overload, ...]:
    return (_of(template, DOUBLE, *(DOUBLE,) * arguments),)


def _number(template: str) -> tuple[Overload, ...]:
    return tuple(_of(template, kind, kind) for kind in (INTEGER, BIGINT, DOUBLE))


_UNCHANGED = tuple(_of("{0}", kind, kind) for kind in (INTEGER, BIGINT))

_ROUND = (
    *_UNCHANGED,
    _of("round({0})", DOUBLE, DOUBLE),
    _of("round({0}, {1})", DOUBLE, DOUBLE, INTEGER),
)

OVERLOADS: Mapping[str, tuple[Overload, ...]] = {
    "abs": _number("abs({0})"),
    "ceil": (*_UNCHANGED, *_double("ceil({0})")),
    "ceiling": (*_UNCHANGED, *_double("ceil({0})")),
    "floor": (*_UNCHANGED, *_double("floor({0})")),
    "round": _ROUND,
    "truncate": _double("trunc({0})"),
    "sign": (
        _of("CAST(sign({0}) AS INTEGER)", INTEGER, INTEGER),
        _of("CAST(sign({0}) AS BIGINT)", BIGINT, BIGINT),
        _of("CAST(sign({0}) AS DOUBLE)", DOUBLE, DOUBLE),
    ),
    "mod": (
        _of("({0} % {1})", INTEGER, INTEGER, INTEGER),
        _of("({0} % {1})", BIGINT, BIGINT, BIGINT),
    ),
    "sqrt": _double("sqrt(not_negative({0}))"),
    "exp": _double("finite(exp({0}))"),
    "ln": _double("ln(positive({0}, 'ln'))"),
    "log10": _double("log10(positive({0}, 'log10'))"),
    "power": _double("finite(power({0}, {1}))", arguments=2),
    "pow": _double("finite(power({0}, {1}))", arguments=2),
    "acos": _double("finite(acos({0}))"),
    "asin": _double("finite(asin({0}))"),
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
    "pi": (_of("pi()", DOUBLE),),
    "e": (_of("exp(1e0)", DOUBLE),),
    "length": (_of("CAST(length({0}) AS BIGINT)", BIGINT, VARCHAR),),
    "lower": (_of("lower(plain({0}))", VARCHAR, VARCHAR),),
    "upper": (_of("upper(plain({0}))", VARCHAR, VARCHAR),),
    "trim": (_of("trim({0}, WHITE_SPACE)", VARCHAR, VARCHAR),),
    "ltrim": (_of("ltrim({0}, WHITE_SPACE)", VARCHAR, VARCHAR),),
    "rtrim": (_of("rtrim({0}, WHITE_SPACE)", VARCHAR, VARCHAR),),
    "substr": (
        _of("substring_from({0}, {1})", VARCHAR, VARCHAR, BIGINT),
        _of("substring_of({0}, {1}, {2})", VARCHAR, VARCHAR, BIGINT, BIGINT),
    ),
    "strpos": (_of("CAST(strpos({0}, {1}) AS BIGINT)", BIGINT, VARCHAR, VARCHAR),),
    "starts_with": (_of("starts_with({0}, {1})", BOOLEAN, VARCHAR, VARCHAR),),
    "translate": (_of("translate({0}, {1}, {2})", VARCHAR, VARCHAR, VARCHAR, VARCHAR),),
    "reverse": (_of("reverse(plain({0}))", VARCHAR, VARCHAR),),
    "array_join": (_of("joined({0}, {1})", VARCHAR, array(VARCHAR), VARCHAR),),
    "date": (
        _of("CAST({0} AS DATE)", DATE, TIMESTAMP),
        _of("date_from_text({0})", DATE, VARCHAR),
    ),
    "to_unixtime": (_of("epoch({0})", DOUBLE, TIMESTAMP),),
}


def _arrays(name: str, args: Sequence[Typed]) -> Typed:
    """Compile the functions that take arrays (or maps) of anything."""
    first = args[0].kind if args else None
    if first is None or first.name not in {"array", "map"}:
        raise refuse(f"{name}()", "its first argument must be an array or a map")
    if first.name == "map":
        return _maps(name, args)
    element = first.parts[0]
    bigint = name in {"element_at", "slice"}
    given: list[str] = [args[0].sql]
    for argument in args[1:]:
        wanted = BIGINT if bigint else common(element, argument.kind)
        if wanted is None or common(wanted, argument.kind) != wanted:
            raise refuse(f"{name}() of {first}", f"cannot take {argument.kind}")
        if wanted != element and not bigint:
            raise refuse(f"{name}() of {first}", f"CAST the second argument to {element}")
        given.append(argument.to(wanted))
    if name in {"array_max", "array_min", "array_sort"} and not element.ordered:
        raise refuse(f"{name}() of {first}", "only arrays of numbers, texts or times are sorted")
    arity, template, result = {
        "cardinality": (1, "CAST(len({0}) AS BIGINT)", BIGINT),
        "element_at": (2, "element({0}, {1})", element),
        "contains": (2, "array_contains({0}, {1})", BOOLEAN),
        "array_position": (2, "CAST(array_place({0}, {1}) AS BIGINT)", BIGINT),
        "array_max": (1, "array_largest({0})", element),
        "array_min": (1, "array_smallest({0})", element),
        "array_sort": (1, "list_sort({0}, 'ASC', 'NULLS LAST')", first),
        "slice": (3, "array_slice_of({0}, {1}, {2})", first),
        "reverse": (1, "list_reverse({0})", first),
    }[name]
    _check_arity(name, args, arity)
    return Typed(template.format(*given), result)


def _maps(name: str, args: Sequence[Typed]) -> Typed:
    key, value = args[0].kind.parts
    if name == "cardinality":
        _check_arity(name, args, 1)
        return Typed(f"CAST(cardinality({args[0].sql}) AS BIGINT)", BIGINT)
    if name != "element_at":
        raise refuse(f"{name}() of a map", "only element_at and cardinality take maps")
    _check_arity(name, args, 2)
    if common(key, args[1].kind) != key:
        raise refuse(f"element_at of {args[0].kind}", f"the key must be {key}")
    return Typed(f"map_extract_value({args[0].sql}, {args[1].to(key)})", value)


def _extreme(name: str, args: Sequence[Typed]) -> Typed:
    """Compile greatest and least: null as soon as one argument is, which DuckDB leaves out."""
    if len(args) < 2:  # noqa: PLR2004  (a comparison needs two)
        raise refuse(f"{name}()", "give it two values or more")
    kind = unified(f"{name}()", args)
    if not kind.ordered:
        raise refuse(f"{name}() of {kind}", "only numbers, texts and times are compared")
    given = [argument.to(kind) for argument in args]
    missing = " OR ".join(f"{sql} IS NULL" for sql in given)
    return Typed(f"(CASE WHEN {missing} THEN NULL ELSE {name}({', '.join(given)}) END)", kind)


def _concat(_: str, args: Sequence[Typed]) -> Typed:
    """Compile concat of texts: null as soon as one is, which DuckDB leaves out."""
    if len(args) < 2 or any(common(argument.kind, VARCHAR) != VARCHAR for argument in args):  # noqa: PLR2004  (two texts)
        raise refuse("concat()", "give it two texts or more; CAST numbers AS varchar")
    return Typed(f"({' || '.join(argument.to(VARCHAR) for argument in args)})", VARCHAR)


def _coalesce(_: str, args: Sequence[Typed]) -> Typed:
    if len(args) < 2:  # noqa: PLR2004  (Athena wants two)
        raise refuse("coalesce()", "give it two values or more")
    kind = unified("coalesce()", args)
    return Typed(f"coalesce({', '.join(argument.to(kind) for argument in args)})", kind)


def _nullif(_: str, args: Sequence[Typed]) -> Typed:
    _check_arity("nullif", args, 2)
    kind = unified("nullif()", args)
    first, second = (argument.to(kind) for argument in args)
    return Typed(f"(CASE WHEN {first} = {second} THEN NULL ELSE {args[0].sql} END)", args[0].kind)


def _if(_: str, args: Sequence[Typed]) -> Typed:
    if len(args) not in {2, 3}:
        raise refuse("if()", "write if(condition, value, other value)")
    if args[0].kind != BOOLEAN:
        raise refuse("if()", f"its condition must be boolean, found {args[0].kind}")
    kind = unified("if()", args[1:])
    other = args[2].to(kind) if len(args) == 3 else "NULL"  # noqa: PLR2004  (the third)
    return Typed(f"(CASE WHEN {args[0].sql} THEN {args[1].to(kind)} ELSE {other} END)", kind)


def _sequence(_: str, args: Sequence[Typed]) -> Typed:
    """Compile sequence(a, b): it descends by itself, which DuckDB's does not."""
    if len(args) != 2 or not all(argument.kind.whole for argument in args):  # noqa: PLR2004  (a, b)
        raise refuse("sequence()", "only sequence(a, b) of whole numbers")
    first, last = (argument.to(BIGINT) for argument in args)
    return Typed(f"whole_sequence({first}, {last})", array(BIGINT))


def _array_distinct(name: str, args: Sequence[Typed]) -> Typed:
    _check_arity(name, args, 1)
    if args[0].kind.name != "array" or not args[0].kind.parts[0].ordered:
        raise refuse("array_distinct()", "only of arrays of numbers, texts or times")
    return Typed(f"array_first_seen({args[0].sql})", args[0].kind)


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


def _check_arity(name: str, args: Sequence[Typed], expected: int) -> None:
    if len(args) != expected:
        raise refuse(f"{name}()", f"takes {expected} argument(s) here, found {len(args)}")


_ARRAY_FUNCTIONS = (
    "cardinality",
    "element_at",
    "contains",
    "array_position",
    "array_max",
    "array_min",
    "array_sort",
    "slice",
)

SPECIAL: Mapping[str, Special] = {
    **dict.fromkeys(_ARRAY_FUNCTIONS, _arrays),
    "array_distinct": _array_distinct,
    "greatest": _extreme,
    "least": _extreme,
    "concat": _concat,
    "coalesce": _coalesce,
    "nullif": _nullif,
    "if": _if,
    "sequence": _sequence,
    **TEXTS,
    **DATES,
}


def call(name: str, args: Sequence[Typed]) -> Typed:
    """Return a scalar function call, given its arguments.

    Raises
    ------
    Refused
        When no signature fits the types of the arguments.
    """
    if name == "reverse" and args and args[0].kind.name == "array":
        return _arrays(name, args)
    if name in SPECIAL:
        return SPECIAL[name](name, args)
    for exact in (True, False):
        for overload in OVERLOADS[name]:
            if _fits(overload, args, exact=exact):
                given = [
                    argument.to(param)
                    for argument, param in zip(args, overload.params, strict=True)
                ]
                from runner.sql.macros import WHITE_SPACE

                template = overload.template.replace("WHITE_SPACE", WHITE_SPACE)
                return Typed(template.format(*given), overload.result)
    found = ", ".join(str(argument.kind) for argument in args)
    known = " or ".join(
        f"({', '.join(str(param) for param in overload.params)})" for overload in OVERLOADS[name]
    )
    raise refuse(f"{name}({found})", f"takes {known}; CAST the arguments")


def _fits(overload: Overload, args: Sequence[Typed], *, exact: bool) -> bool:
    if len(overload.params) != len(args):
        return False
    pairs = zip(args, overload.params, strict=True)
    if exact:
        return all(argument.kind == param for argument, param in pairs)
    return all(common(argument.kind, param) == param for argument, param in pairs)
