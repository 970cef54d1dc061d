"""Functions of JSON. JSON is held as text; what is marked as canonical has Athena's very letters.

Canonical text has its keys sorted and no blanks, as the exporter writes it. Where other text is
read, a macro fails at numbers that the two systems write differently.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from runner.sql.kinds import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    INTEGER,
    JSON,
    VARCHAR,
    Kind,
    Typed,
    common,
    field_name,
    text_literal,
)
from runner.sql.refusal import refuse

_STEP = r"(\.[A-Za-z_][A-Za-z0-9_]*|\[[0-9]+\]|\[\"[^\"\\*?]+\"\])"
_PATH = re.compile(rf"\${_STEP}*")
_QUOTED = re.compile(r"\[\"([^\"]+)\"\]")
_SCALARS = {
    VARCHAR: "json_item_text",
    DOUBLE: "json_item_number",
    BIGINT: "json_item_whole",
    BOOLEAN: "json_item_truth",
}
CANONICAL = replace(JSON, json=True)


def text(argument: Typed, name: str) -> str:
    """Return the SQL of a JSON document, as JSON or as text that holds it."""
    if argument.kind != JSON and common(argument.kind, VARCHAR) != VARCHAR:
        raise refuse(f"{name}() of {argument.kind}", "it takes JSON, or text that holds JSON")
    return argument.to(VARCHAR)


def path(argument: Typed, name: str) -> str:
    """Return a JSON path that both systems read alike."""
    written = argument.value
    if not isinstance(written, str) or not _PATH.fullmatch(written):
        shown = f"the path {written or ''} of {name}()"
        raise refuse(shown, "write it in the query, like '$.name.other[0]' or '$[\"a name\"]'")
    return text_literal(_QUOTED.sub(r'."\1"', written))


def parsed(argument: Typed) -> Typed:
    """Return json_parse(text), and JSON '...'."""
    if isinstance(argument.value, str):
        try:
            document = json.loads(argument.value)
        except ValueError as error:
            raise refuse(f"the JSON {argument.value}", f"not valid JSON: {error}") from error
        if re.search(r"[0-9][eE]|\.[0-9]+0\b|[0-9]{16}", argument.value):
            raise refuse(
                f"the JSON {argument.value}", "write numbers like 1.5, of 15 digits at most"
            )
        letters = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return Typed(text_literal(letters), CANONICAL)
    return Typed(
        f"json_document({text(argument, 'json_parse')})", replace(JSON, json=argument.kind.json)
    )


def extracted(kind: Kind, document: str, where: str) -> Typed:
    """Return json_extract of a document of that kind."""
    return Typed(f"json_part({document}, {where})", replace(JSON, json=kind.json))


def from_json(sql: str, kind: Kind, depth: int = 0) -> str:
    """Return the SQL of CAST(json AS kind); a JSON null becomes NULL.

    Raises
    ------
    Refused
        For types whose values might be read otherwise.
    """
    item = f"_j{depth}"
    if kind in _SCALARS:
        return f"{_SCALARS[kind]}({sql})"
    if kind == INTEGER:
        return f"CAST(json_item_whole({sql}) AS INTEGER)"
    if kind == JSON:
        return sql
    if kind.name == "array":
        inner = from_json(item, kind.parts[0], depth + 1)
        return f"list_transform(json_items({sql}), lambda {item}: {inner})"
    if kind.name == "map" and kind.parts[0] == VARCHAR:
        value = from_json(f"json_member({sql}, {item})", kind.parts[1], depth + 1)
        made = f"struct_pack(k := {item}, v := {value})"
        return f"map_from_entries(list_transform(json_names({sql}), lambda {item}: {made}))"
    if kind.name == "row" and all(kind.names):
        packed = ", ".join(
            f"{field_name(place)} := "
            + from_json(f"json_member({sql}, {text_literal(name)})", part, depth + 1)
            for place, (name, part) in enumerate(zip(kind.names, kind.parts, strict=True))
        )
        return f"(CASE WHEN json_is_object({sql}) THEN struct_pack({packed}) END)"
    raise refuse(
        f"CAST of JSON to {kind}",
        "known: varchar, double, bigint, integer, boolean, array(...), map(varchar, ...), "
        "row(name type, ...)",
    )


def to_json(sql: str, kind: Kind, depth: int = 0) -> str:
    """Return the SQL of CAST(x AS json).

    Raises
    ------
    Refused
        For types whose text in JSON might be another.
    """
    if kind.whole or kind == BOOLEAN:
        return f"CAST({sql} AS VARCHAR)"
    if kind == DOUBLE:
        return f"json_of_number({sql})"
    if kind == VARCHAR:
        return f"json_of_text({sql})"
    if kind.name == "array":
        item = f"_j{depth}"
        inner = to_json(item, kind.parts[0], depth + 1)
        return f"json_of_list(list_transform({sql}, lambda {item}: {inner}))"
    raise refuse(f"CAST of {kind} to JSON", "known: whole numbers, double, boolean, varchar, array")


def canonical(kind: Kind, source: Kind) -> Kind:
    """Return a type with the marks that JSON parts of a canonical document have."""
    if not source.json:
        return kind
    parts = tuple(canonical(part, source) for part in kind.parts)
    return replace(kind, parts=parts, json=kind == JSON)


def _check(name: str, args: Sequence[Typed], expected: int) -> None:
    if len(args) != expected:
        raise refuse(f"{name}() with {len(args)} argument(s)", f"only with {expected} here")


def _extract(name: str, args: Sequence[Typed]) -> Typed:
    _check(name, args, 2)
    return extracted(args[0].kind, text(args[0], name), path(args[1], name))


def _extract_scalar(name: str, args: Sequence[Typed]) -> Typed:
    _check(name, args, 2)
    macro = "json_scalar_canonical" if args[0].kind.json else "json_scalar"
    return Typed(f"{macro}({text(args[0], name)}, {path(args[1], name)})", VARCHAR)


def _array_length(name: str, args: Sequence[Typed]) -> Typed:
    _check(name, args, 1)
    return Typed(f"json_length({text(args[0], name)})", BIGINT)


def _size(name: str, args: Sequence[Typed]) -> Typed:
    _check(name, args, 2)
    return Typed(f"json_members({text(args[0], name)}, {path(args[1], name)})", BIGINT)


def _parse(name: str, args: Sequence[Typed]) -> Typed:
    _check(name, args, 1)
    if common(args[0].kind, VARCHAR) != VARCHAR:
        raise refuse(f"{name}() of {args[0].kind}", "it takes text")
    return parsed(args[0])


def _format(name: str, args: Sequence[Typed]) -> Typed:
    _check(name, args, 1)
    if args[0].kind != JSON:
        raise refuse(f"{name}() of {args[0].kind}", "it takes JSON, as json_parse gives it")
    return Typed(printed(args[0]), VARCHAR)


def printed(argument: Typed) -> str:
    """Return JSON as text.

    Raises
    ------
    Refused
        When its letters may be others than Athena's.
    """
    if not argument.kind.json:
        raise refuse("this JSON as text", "only JSON columns and JSON '...' are written alike")
    return argument.sql


JSONS: Mapping[str, Callable[[str, Sequence[Typed]], Typed]] = {
    "json_array_length": _array_length,
    "json_extract": _extract,
    "json_extract_scalar": _extract_scalar,
    "json_format": _format,
    "json_parse": _parse,
    "json_size": _size,
}
