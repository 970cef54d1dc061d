"""Functions of arrays, with Athena's treatment of nulls and of places out of range."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from runner.sql import maps, rows
from runner.sql.arguments import joined as separated
from runner.sql.arguments import text
from runner.sql.kinds import (
    BIGINT,
    BOOLEAN,
    DATE,
    DAYS,
    MONTHS,
    UNKNOWN,
    VARCHAR,
    Kind,
    Typed,
    array,
    common,
    field_name,
    row,
)
from runner.sql.operators import joined
from runner.sql.refusal import refuse

_SAME_TYPE = {
    "array_union": "array_first_seen(arrays_joined({0}, {1}))",
    "array_except": "array_without({0}, {1})",
    "array_intersect": "array_of_both({0}, {1})",
    "arrays_overlap": "arrays_share({0}, {1})",
}


def subscript(subject: Typed, index: Typed) -> Typed:
    """Return `x[i]`: it fails where the array has no such place, or the map no such key."""
    if subject.kind.name == "map":
        return maps.subscript(subject, index)
    if subject.kind.name == "row":
        place = index.value
        if not isinstance(place, int) or not 1 <= place <= len(subject.kind.parts):
            raise refuse("a subscript of a row", f"a number from 1 to {len(subject.kind.parts)}")
        return rows.at(subject, place - 1)
    if subject.kind.name != "array" or not index.kind.whole:
        raise refuse(f"a subscript {index.kind} of {subject.kind}", "only arrays, maps and rows")
    return Typed(f"subscript({subject.sql}, {index.sql})", subject.kind.parts[0])


def _array(argument: Typed, name: str) -> Kind:
    """Return the type of the elements."""
    if argument.kind.name != "array":
        raise refuse(f"{name}() of {argument.kind}", "its first argument must be an array")
    return argument.kind.parts[0]


def _check(name: str, args: Sequence[Typed], *allowed: int) -> None:
    if len(args) not in allowed:
        expected = " or ".join(str(number) for number in allowed)
        raise refuse(f"{name}()", f"takes {expected} argument(s) here, found {len(args)}")


def _of_one(template: str, *, ordered: bool = False, result: Kind | None = None) -> _Rule:
    """Return a rule for functions of one array."""

    def rule(name: str, args: Sequence[Typed]) -> Typed:
        _check(name, args, 1)
        if args[0].kind.name == "map" and name == "cardinality":
            return maps.cardinality(name, args)
        element = _array(args[0], name)
        if ordered and not element.ordered:
            raise refuse(
                f"{name}() of {args[0].kind}", "only arrays of numbers, texts or times are sorted"
            )
        kind = result or (element if name in {"array_max", "array_min"} else args[0].kind)
        return Typed(template.format(args[0].sql), kind)

    return rule


def _with_element(template: str, result: Kind | None = None) -> _Rule:
    """Return a rule for functions of an array and a value of its elements' type."""

    def rule(name: str, args: Sequence[Typed]) -> Typed:
        _check(name, args, 2)
        element = _array(args[0], name)
        kind = common(element, args[1].kind)
        if kind is None or not kind.ordered:
            raise refuse(f"{name}() of {args[0].kind}", f"cannot take {args[1].kind}")
        given = args[0].to(array(kind)), args[1].to(kind)
        return Typed(template.format(*given), result or array(kind))

    return rule


def _element_at(name: str, args: Sequence[Typed]) -> Typed:
    _check(name, args, 2)
    if args[0].kind.name == "map":
        return maps.element_at(name, args)
    element = _array(args[0], name)
    if not args[1].kind.whole:
        raise refuse(f"{name}() with {args[1].kind}", "its second argument is a whole number")
    return Typed(f"element({args[0].sql}, {args[1].to(BIGINT)})", element)


def _slice(name: str, args: Sequence[Typed]) -> Typed:
    _check(name, args, 3)
    _array(args[0], name)
    if not all(argument.kind.whole for argument in args[1:]):
        raise refuse("slice()", "write slice(array, start, length)")
    start, length = (argument.to(BIGINT) for argument in args[1:])
    return Typed(f"array_slice_of({args[0].sql}, {start}, {length})", args[0].kind)


def _pair(name: str, args: Sequence[Typed]) -> Typed:
    """Compile functions of two arrays of one type."""
    _check(name, args, 2)
    for argument in args:
        _array(argument, name)
    kind = common(args[0].kind, args[1].kind)
    if kind is None or not kind.parts[0].ordered:
        raise refuse(f"{name}() of {args[0].kind} and {args[1].kind}", "CAST one of them")
    sql = _SAME_TYPE[name].format(args[0].to(kind), args[1].to(kind))
    return Typed(sql, BOOLEAN if name == "arrays_overlap" else kind)


def _array_join(name: str, args: Sequence[Typed]) -> Typed:
    from runner.sql.casts import cast

    _check(name, args, 2, 3)
    element = _array(args[0], name)
    texts = args[0].sql
    if element not in (VARCHAR, UNKNOWN):
        item = cast(Typed("item", element), VARCHAR, safe=False)
        texts = f"list_transform({texts}, lambda item: {item.sql})"
    texts = f"CAST({texts} AS VARCHAR[])"
    if len(args) == 3:  # noqa: PLR2004  (what stands for nulls)
        texts = f"filled({texts}, {text(args[2], name)})"
    return Typed(separated(texts, args[1], name), VARCHAR)


def _concat(_: str, args: Sequence[Typed]) -> Typed:
    if len(args) < 2:  # noqa: PLR2004  (two texts or arrays)
        raise refuse("concat()", "give it two texts or arrays, or more")
    found = args[0]
    for argument in args[1:]:
        found = joined(found, argument)
    return found


def _sequence(name: str, args: Sequence[Typed]) -> Typed:
    """Compile sequence(a, b): it descends by itself, which DuckDB's does not."""
    _check(name, args, 2, 3)
    if all(argument.kind.whole for argument in args):
        given = ", ".join(argument.to(BIGINT) for argument in args)
        return Typed(f"whole_{'steps' if len(args) == 3 else 'sequence'}({given})", array(BIGINT))  # noqa: PLR2004  (the step)
    first, last = args[:2]
    if first.kind == last.kind == DATE and (len(args) == 2 or args[2].kind in (DAYS, MONTHS)):  # noqa: PLR2004  (by days)
        if len(args) == 2:  # noqa: PLR2004  (by days)
            return Typed(f"day_sequence({first.sql}, {last.sql})", array(DATE))
        macro = "day_steps" if args[2].kind == DAYS else "month_steps"
        return Typed(f"{macro}({first.sql}, {last.sql}, {args[2].sql})", array(DATE))
    raise refuse("sequence()", "only of whole numbers and of dates")


def _flatten(name: str, args: Sequence[Typed]) -> Typed:
    _check(name, args, 1)
    element = _array(args[0], name)
    if element.name != "array":
        raise refuse(f"flatten() of {args[0].kind}", "it takes an array of arrays")
    return Typed(f"arrays_flat({args[0].sql})", element)


def _zip(name: str, args: Sequence[Typed]) -> Typed:
    """Compile zip: rows without names, shorter arrays filled up with nulls."""
    if not 2 <= len(args) <= 5:  # noqa: PLR2004  (as many as Athena takes)
        raise refuse("zip()", "takes two to five arrays")
    parts = tuple(_array(argument, name) for argument in args)
    packed = ", ".join(
        f"{field_name(place)} := struct_extract(item, {place + 1})" for place in range(len(args))
    )
    listed = ", ".join(argument.sql for argument in args)
    missing = " OR ".join(f"{argument.sql} IS NULL" for argument in args)
    zipped = f"list_transform(list_zip({listed}), lambda item: struct_pack({packed}))"
    kind = array(row(("",) * len(parts), parts))
    return Typed(f"(CASE WHEN {missing} THEN NULL ELSE {zipped} END)", kind)


def _repeat(name: str, args: Sequence[Typed]) -> Typed:
    _check(name, args, 2)
    if not args[1].kind.whole:
        raise refuse("repeat()", "write repeat(element, count); for texts lpad('', n, 'x')")
    return Typed(f"repeated({args[0].sql}, {args[1].to(BIGINT)})", array(args[0].kind))


_Rule = Callable[[str, Sequence[Typed]], Typed]
ARRAYS: Mapping[str, _Rule] = {
    "cardinality": _of_one("CAST(len({0}) AS BIGINT)", result=BIGINT),
    "array_max": _of_one("array_largest({0})", ordered=True),
    "array_min": _of_one("array_smallest({0})", ordered=True),
    "array_sort": _of_one("list_sort({0}, 'ASC', 'NULLS LAST')", ordered=True),
    "array_distinct": _of_one("array_first_seen({0})", ordered=True),
    "array_position": _with_element("CAST(array_place({0}, {1}) AS BIGINT)", BIGINT),
    "array_remove": _with_element("array_less({0}, {1})"),
    "contains": _with_element("array_contains({0}, {1})", BOOLEAN),
    "array_join": _array_join,
    "concat": _concat,
    "element_at": _element_at,
    "flatten": _flatten,
    "repeat": _repeat,
    "sequence": _sequence,
    "slice": _slice,
    "zip": _zip,
    **dict.fromkeys(_SAME_TYPE, _pair),
}
