"""CAST and TRY_CAST, where both systems give the same value."""

from __future__ import annotations

from runner.sql import intervals, jsons, literals
from runner.sql.kinds import (
    BOOLEAN,
    DATE,
    DOUBLE,
    INSTANT,
    INTEGER,
    JSON,
    MAX_PRECISION,
    UNKNOWN,
    VARBINARY,
    VARCHAR,
    Kind,
    Typed,
    common,
    field_name,
)
from runner.sql.refusal import Refused, refuse

_FROM_TEXT = {
    "bigint": ("whole_from_text", "try_whole_from_text"),
    "integer": ("whole_from_text", "try_whole_from_text"),
    "double": ("number_from_text", "try_number_from_text"),
    "boolean": ("truth_from_text", "try_truth_from_text"),
    "date": ("date_from_text", "try_date_from_text"),
    "timestamp": ("timestamp_from_text", "try_timestamp_from_text"),
}


def cast(argument: Typed, kind: Kind, *, safe: bool, length: int | None = None) -> Typed:  # noqa: PLR0911  (one per pair of types)
    """Return a CAST (`safe`: a TRY_CAST); `length` is that of varchar(n).

    Raises
    ------
    Refused
        When the value or its text would differ.
    """
    source = argument.kind
    if kind == JSON:
        return _to_json(argument)
    if kind.name == "varchar":
        return _to_text(argument, length)
    if source == UNKNOWN:
        return Typed(argument.to(kind), kind)
    if isinstance(argument.value, str) and (kind == DATE or kind.instant) and not safe:
        return _time_literal(argument.value, kind)
    if source == JSON:
        if safe:
            raise refuse("TRY_CAST of JSON", "write CAST, and leave odd values out with WHERE")
        return Typed(jsons.from_json(argument.sql, kind), jsons.canonical(kind, source))
    if source == VARCHAR:
        return _from_text(argument, kind, safe=safe)
    return _among_others(argument, kind, "TRY_CAST" if safe else "CAST")


def _among_others(argument: Typed, kind: Kind, operator: str) -> Typed:
    """Return a cast between types that are neither text nor JSON."""
    source = argument.kind
    if source == BOOLEAN and kind.numeric:
        return Typed(argument.to(kind), kind)
    if source.whole and kind == BOOLEAN:
        return Typed(f"({argument.sql} <> 0)", BOOLEAN)
    if source.numeric and kind.numeric:
        return _number(argument, kind, operator)
    if (source.instant or source == DATE) and (kind.instant or kind == DATE):
        if kind.instant and source.precision > kind.precision:
            raise refuse(f"CAST of {source} to {kind}", "write date_trunc('second', t)")
        return Typed(argument.to(kind), kind)
    if source.parts and source.name == kind.name and len(source.parts) == len(kind.parts):
        return _nested(argument, kind)
    if source == kind:
        return argument
    raise _no_cast(source, kind)


def _nested(argument: Typed, kind: Kind) -> Typed:
    """Return a cast of an array, a map or a row, part by part."""
    source = argument.kind
    if source == kind:
        return Typed(argument.sql, kind)
    if kind.name == "array":
        item = cast(Typed("item", source.parts[0]), kind.parts[0], safe=False)
        return Typed(f"list_transform({argument.sql}, lambda item: {item.sql})", kind)
    if kind.name == "row":
        parts = (
            cast(
                Typed(f"struct_extract({argument.sql}, '{field_name(place)}')", inner),
                part,
                safe=False,
            )
            for place, (inner, part) in enumerate(zip(source.parts, kind.parts, strict=True))
        )
        packed = ", ".join(f"{field_name(place)} := {part.sql}" for place, part in enumerate(parts))
        return Typed(f"(CASE WHEN {argument.sql} IS NOT NULL THEN struct_pack({packed}) END)", kind)
    if common(source, kind) == kind:
        return Typed(argument.to(kind), kind)
    raise _no_cast(source, kind)


def _no_cast(source: Kind, kind: Kind) -> Refused:
    return refuse(f"CAST from {source} to {kind}", "not known to give Athena's value here")


def _to_json(argument: Typed) -> Typed:
    if argument.kind == JSON:
        return argument
    return Typed(jsons.to_json(argument.sql, argument.kind), jsons.CANONICAL)


def _to_text(argument: Typed, length: int | None) -> Typed:
    source = argument.kind
    sql = _text_of(argument)
    if length is None:
        return Typed(sql, VARCHAR, value=argument.value if source == VARCHAR else None)
    if source not in (VARCHAR, UNKNOWN):
        raise refuse(f"CAST of {source} to varchar({length})", "write CAST(x AS varchar)")
    return Typed(f"substr({sql}, 1, {length})", VARCHAR)


def _text_of(argument: Typed) -> str:
    source = argument.kind
    if source == DOUBLE:
        return f"double_text({argument.sql})"
    if source.instant:
        return _instant_text(argument)
    if source.interval:
        return intervals.as_text(argument)
    if source == JSON:
        return jsons.from_json(argument.sql, VARCHAR)
    if source.parts:
        raise refuse(f"CAST of {source} to varchar", "write array_join(x, ',')")
    if source == VARBINARY:
        raise refuse("CAST of varbinary to varchar", "write to_hex(x), or from_utf8(x)")
    if source.name == "decimal" and source.precision == source.scale:
        return _fraction_text(argument)
    return argument.to(VARCHAR)


def _fraction_text(argument: Typed) -> str:
    """Return a decimal below 1 as text: DuckDB leaves out the zero before its point."""
    digits = argument.kind.scale
    if digits == MAX_PRECISION:
        raise refuse(f"CAST of {argument.kind} to varchar", "CAST it to fewer digits first")
    return f"CAST(CAST({argument.sql} AS DECIMAL({digits + 1},{digits})) AS VARCHAR)"


def _instant_text(argument: Typed) -> str:
    """Return a time as text, with as many digits after the second as its type has."""
    zone = "" if argument.kind.name == "timestamp" else " UTC"
    digits = argument.kind.precision
    whole = f"strftime({argument.sql}, '%Y-%m-%d %H:%M:%S"
    if not digits:
        return f"{whole}{zone}')"
    cut = f"{whole}.%g')"
    return f"(substr({cut}, 1, {20 + digits}) || '{zone}')"


def _time_literal(text: str, kind: Kind) -> Typed:
    found = literals.time(text.removesuffix(" UTC") if kind == INSTANT else text, kind)
    if kind.instant and found.kind.precision > kind.precision:
        raise refuse(f"'{text}' as {kind}", "write no more digits than the type has")
    return Typed(found.sql, kind)


def _from_text(argument: Typed, kind: Kind, *, safe: bool) -> Typed:
    if kind.name == "decimal":
        macro = "try_decimal_from_text" if safe else "decimal_from_text"
        operator = "TRY_CAST" if safe else "CAST"
        return Typed(f"{operator}({macro}({argument.sql}) AS {kind.duckdb()})", kind)
    if kind.name not in _FROM_TEXT:
        raise _no_cast(argument.kind, kind)
    sql = f"{_FROM_TEXT[kind.name][safe]}({argument.sql})"
    if kind == INTEGER:
        sql = f"{'TRY_CAST' if safe else 'CAST'}({sql} AS INTEGER)"
    return Typed(sql, kind)


def _number(argument: Typed, kind: Kind, operator: str) -> Typed:
    """Numbers to numbers; halves go away from zero, which DuckDB's own cast does not do."""
    source = argument.kind
    if kind.whole and not source.whole:
        return Typed(f"{operator}(round({argument.sql}) AS {kind.duckdb()})", kind)
    if source == DOUBLE and kind.name == "decimal":
        # By its shortest digits, as Athena does: 1.005 becomes 1.01 and not 1.00.
        return Typed(f"{operator}(CAST({argument.sql} AS VARCHAR) AS {kind.duckdb()})", kind)
    return Typed(f"{operator}({argument.sql} AS {kind.duckdb()})", kind)
