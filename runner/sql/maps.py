"""Functions of maps. A map keeps the order in which its keys came in both systems."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from runner.sql.kinds import BIGINT, UNKNOWN, Typed, array, common, field_name, mapping, row
from runner.sql.refusal import refuse


def _of_map(argument: Typed, name: str) -> None:
    if argument.kind.name != "map":
        raise refuse(f"{name}() of {argument.kind}", "it takes a map")


def _check(name: str, args: Sequence[Typed], expected: int) -> None:
    if len(args) != expected:
        raise refuse(f"{name}()", f"takes {expected} argument(s) here, found {len(args)}")


def _key(subject: Typed, key: Typed, what: str) -> str:
    wanted = subject.kind.parts[0]
    if common(wanted, key.kind) != wanted or not wanted.ordered:
        raise refuse(f"{what} of {subject.kind}", f"the key must be {wanted}")
    return key.to(wanted)


def subscript(subject: Typed, key: Typed) -> Typed:
    """Return `m[key]`: it fails where the map has no such key."""
    given = f"map_item({subject.sql}, {_key(subject, key, 'a subscript')})"
    return Typed(given, subject.kind.parts[1])


def element_at(name: str, args: Sequence[Typed]) -> Typed:
    """Compile element_at(map, key): null where there is no such key."""
    key = _key(args[0], args[1], name)
    return Typed(f"map_extract_value({args[0].sql}, {key})", args[0].kind.parts[1])


def cardinality(name: str, args: Sequence[Typed]) -> Typed:
    """Compile the number of keys."""
    _check(name, args, 1)
    return Typed(f"CAST(cardinality({args[0].sql}) AS BIGINT)", BIGINT)


def _map(name: str, args: Sequence[Typed]) -> Typed:
    if not args:
        return Typed("CAST(MAP {} AS MAP(INTEGER, INTEGER))", mapping(UNKNOWN, UNKNOWN))
    _check(name, args, 2)
    if any(argument.kind.name != "array" for argument in args):
        raise refuse("map()", "write map(ARRAY[keys], ARRAY[values])")
    keys, values = (argument.kind.parts[0] for argument in args)
    if not keys.ordered:
        raise refuse(f"a map with keys of {keys}", "keys are numbers, texts or times")
    return Typed(f"map_of({args[0].sql}, {args[1].sql})", mapping(keys, values))


def _keys(name: str, args: Sequence[Typed]) -> Typed:
    _check(name, args, 1)
    _of_map(args[0], name)
    place = 0 if name == "map_keys" else 1
    return Typed(f"{name}({args[0].sql})", array(args[0].kind.parts[place]))


def _entries(name: str, args: Sequence[Typed]) -> Typed:
    _check(name, args, 1)
    _of_map(args[0], name)
    packed = ", ".join(
        f"{field_name(place)} := struct_extract(item, '{part}')"
        for place, part in enumerate(("key", "value"))
    )
    sql = f"list_transform(map_entries({args[0].sql}), lambda item: struct_pack({packed}))"
    return Typed(sql, array(row(("", ""), args[0].kind.parts)))


def _from_entries(name: str, args: Sequence[Typed]) -> Typed:
    _check(name, args, 1)
    element = args[0].kind.parts[0] if args[0].kind.name == "array" else args[0].kind
    if element.name != "row" or len(element.parts) != 2:  # noqa: PLR2004  (key and value)
        raise refuse(f"{name}() of {args[0].kind}", "it takes an array of rows of key and value")
    return Typed(f"map_from_entries({args[0].sql})", mapping(*element.parts))


def _concat(name: str, args: Sequence[Typed]) -> Typed:
    if len(args) < 2:  # noqa: PLR2004  (two maps)
        raise refuse("map_concat()", "give it two maps or more")
    kind = args[0].kind
    for argument in args:
        _of_map(argument, name)
        wider = common(kind, argument.kind)
        if wider is None:
            raise refuse(f"map_concat() of {kind} and {argument.kind}", "CAST one of them")
        kind = wider
    given = [argument.to(kind) for argument in args]
    missing = " OR ".join(f"{sql} IS NULL" for sql in given)
    return Typed(f"(CASE WHEN {missing} THEN NULL ELSE map_concat({', '.join(given)}) END)", kind)


MAPS: Mapping[str, Callable[[str, Sequence[Typed]], Typed]] = {
    "map": _map,
    "map_keys": _keys,
    "map_values": _keys,
    "map_entries": _entries,
    "map_from_entries": _from_entries,
    "map_concat": _concat,
}
