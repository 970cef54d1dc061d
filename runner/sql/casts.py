"""CAST and TRY_CAST, where both systems give the same value."""

from __future__ import annotations

import re
from datetime import date, datetime

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
    text_literal,
)
from runner.sql.refusal import Refused, refuse
from runner.sql.texts import json_path, json_text

_TIME = re.compile(r"\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d(\.\d{1,3})?)?)?")
_FROM_TEXT = {
    "bigint": ("whole_from_text", "try_whole_from_text"),
    "integer": ("whole_from_text", "try_whole_from_text"),
    "double": ("number_from_text", "try_number_from_text"),
    "boolean": ("truth_from_text", "try_truth_from_text"),
    "date": ("date_from_text", ""),
    "timestamp": ("timestamp_from_text", ""),
}
_JSON = {DOUBLE: "json_number", BIGINT: "json_whole", array(DOUBLE): "json_numbers"}


def cast(argument: Typed, kind: Kind, *, safe: bool, length: int | None = None) -> Typed:  # noqa: PLR0911  (one per pair of types)
    """Return a CAST (`safe`: a TRY_CAST); `length` is that of varchar(n).

    Raises
    ------
    Refused
        When the value or its text would differ.
    """
    source = argument.kind
    if kind.name == "varchar":
        return _to_text(argument, length)
    if source == kind or source.name == "unknown":
        return Typed(argument.to(kind) if source != kind else argument.sql, kind)
    if isinstance(argument.value, str) and kind in {DATE, TIMESTAMP} and not safe:
        return _time_literal(argument.value, kind)
    if source == VARCHAR:
        return _from_text(argument, kind, safe=safe)
    operator = "TRY_CAST" if safe else "CAST"
    if source.numeric and kind.numeric:
        return _number(argument, kind, operator)
    if {source.name, kind.name} == {"date", "timestamp"} or (source == BOOLEAN and kind.whole):
        return Typed(argument.to(kind), kind)
    if source.name == kind.name == "array" and common(source, kind) == kind:
        return Typed(argument.to(kind), kind)
    raise _no_cast(source, kind)


def cast_json(document: Typed, path: Typed, kind: Kind) -> Typed:
    """Return CAST(json_extract(document, path) AS kind)."""
    if kind not in _JSON:
        raise refuse(
            f"CAST(json_extract(...) AS {kind})",
            "only AS double, bigint and array(double); for text use json_extract_scalar",
        )
    name = "json_extract"
    return Typed(f"{_JSON[kind]}({json_text(document, name)}, {json_path(path, name)})", kind)


def _no_cast(source: Kind, kind: Kind) -> Refused:
    return refuse(f"CAST from {source} to {kind}", "not known to give Athena's value here")


def _to_text(argument: Typed, length: int | None) -> Typed:
    source = argument.kind
    if source == DOUBLE:
        raise refuse(
            "CAST of double to varchar",
            "Athena prints 2.5E0; CAST it AS decimal(18, 6) first, for as many digits as you want",
        )
    if source == TIMESTAMP:
        sql = f"strftime({argument.sql}, '%Y-%m-%d %H:%M:%S.%g')"
    elif source.parts:
        raise refuse(f"CAST of {source} to varchar", "write array_join(x, ',')")
    else:
        sql = argument.to(VARCHAR)
    if length is None:
        return Typed(sql, VARCHAR)
    if source.name != "varchar":
        raise refuse(f"CAST of {source} to varchar({length})", "write CAST(x AS varchar)")
    return Typed(f"substr({sql}, 1, {length})", VARCHAR)


def _from_text(argument: Typed, kind: Kind, *, safe: bool) -> Typed:
    if kind.name not in _FROM_TEXT:
        raise _no_cast(argument.kind, kind)
    macro = _FROM_TEXT[kind.name][safe]
    if not macro:
        raise refuse(f"TRY_CAST of text to {kind}", "write date_parse, or CAST where it is sure")
    sql = f"{macro}({argument.sql})"
    if kind == INTEGER:
        sql = f"{'TRY_CAST' if safe else 'CAST'}({sql} AS INTEGER)"
    return Typed(sql, kind)


def _number(argument: Typed, kind: Kind, operator: str) -> Typed:
    """Numbers to numbers; halves go away from zero, which DuckDB's own cast does not do."""
    if kind.whole and not argument.kind.whole:
        return Typed(f"{operator}(round({argument.sql}) AS {kind.duckdb()})", kind)
    return Typed(f"{operator}({argument.sql} AS {kind.duckdb()})", kind)


def _time_literal(text: str, kind: Kind) -> Typed:
    wanted = "DATE 'YYYY-MM-DD'" if kind == DATE else "TIMESTAMP 'YYYY-MM-DD HH:MM:SS.mmm'"
    day_only = len(text) == len("2026-01-31")
    if not _TIME.fullmatch(text) or (kind == DATE and not day_only):
        raise refuse(f"'{text}'", f"write {wanted}, in UTC, without zone")
    try:
        value = datetime.fromisoformat(text)  # noqa: DTZ007, RUF100  (naive UTC on purpose)
    except ValueError as error:
        raise refuse(f"'{text}'", f"there is no such time; write {wanted}") from error
    if kind == DATE:
        return Typed(f"DATE {text_literal(date.isoformat(value.date()))}", DATE)
    return Typed(f"TIMESTAMP {text_literal(value.isoformat(sep=' '))}", TIMESTAMP)
