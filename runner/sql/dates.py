"""Functions of dates and times. Times are naive UTC in whole milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from runner.sql.kinds import BIGINT, DATE, TIMESTAMP, VARCHAR, Typed, common, text_literal
from runner.sql.refusal import refuse

_DAYS = {"day", "week", "month", "quarter", "year"}
_STEPS = {
    "millisecond": "to_milliseconds({0})",
    "second": "to_seconds({0})",
    "minute": "to_minutes({0})",
    "hour": "to_hours({0})",
    "day": "to_days(CAST({0} AS INTEGER))",
    "week": "to_days(CAST({0} * 7 AS INTEGER))",
    "month": "to_months(CAST({0} AS INTEGER))",
    "quarter": "to_months(CAST({0} * 3 AS INTEGER))",
    "year": "to_years(CAST({0} AS INTEGER))",
}
"""Unit -> DuckDB's interval of so many."""

_FIELDS = {
    "year": "year",
    "quarter": "quarter",
    "month": "month",
    "week": "week",
    "week_of_year": "week",
    "day": "day",
    "day_of_month": "day",
    "day_of_week": "isodow",
    "dow": "isodow",
    "day_of_year": "doy",
    "doy": "doy",
    "year_of_week": "isoyear",
    "yow": "isoyear",
    "hour": "hour",
    "minute": "minute",
    "second": "second",
    "millisecond": "millisecond",
}
_OF_TIME = {"hour", "minute", "second", "millisecond"}

# MySQL's letters, which Athena takes, to those of strftime, which DuckDB takes.
_FORMAT = {
    "Y": "%Y",
    "m": "%m",
    "d": "%d",
    "H": "%H",
    "i": "%M",
    "s": "%S",
    "S": "%S",
    "j": "%j",
    "b": "%b",
    "M": "%B",
    "a": "%a",
    "W": "%A",
    "T": "%H:%M:%S",
    "%": "%%",
}
_PARSED = set("YmdHisST")


def _unit(argument: Typed, name: str, allowed: set[str]) -> str:
    unit = argument.value.lower() if isinstance(argument.value, str) else ""
    if unit not in allowed:
        raise refuse(f"the unit of {name}()", f"must be one of {', '.join(sorted(allowed))}")
    return unit


def _check(name: str, args: Sequence[Typed], count: int) -> None:
    if len(args) != count:
        raise refuse(f"{name}()", f"takes {count} arguments, found {len(args)}")


def _units_of(argument: Typed, name: str) -> set[str]:
    if argument.kind == DATE:
        return _DAYS
    if argument.kind == TIMESTAMP:
        return set(_STEPS)
    raise refuse(
        f"{name}() of {argument.kind}", "it takes a date or timestamp; write DATE '2026-01-31'"
    )


def _date_diff(name: str, args: Sequence[Typed]) -> Typed:
    """Complete units between two times, not the boundaries that lie between."""
    _check(name, args, 3)
    allowed = _units_of(args[1], name) & _units_of(args[2], name)
    unit = _unit(args[0], name, allowed)
    kind = common(args[1].kind, args[2].kind) or TIMESTAMP
    return Typed(f"date_sub('{unit}', {args[1].to(kind)}, {args[2].to(kind)})", BIGINT)


def _date_add(name: str, args: Sequence[Typed]) -> Typed:
    _check(name, args, 3)
    unit = _unit(args[0], name, _units_of(args[2], name))
    if not args[1].kind.whole:
        raise refuse(f"date_add('{unit}', {args[1].kind}, ...)", "the amount must be whole")
    return plus(args[2], _STEPS[unit].format(args[1].sql))


def plus(time: Typed, interval: str, sign: str = "+") -> Typed:
    """Return a time moved by a DuckDB interval; a date stays a date."""
    moved = f"({time.sql} {sign} {interval})"
    return Typed(f"CAST({moved} AS DATE)" if time.kind == DATE else moved, time.kind)


def interval(unit: str, amount: int, time: Typed) -> str:
    """Return the DuckDB interval of an INTERVAL literal that is added to a time."""
    if unit not in _units_of(time, "INTERVAL"):
        raise refuse(f"a date and an INTERVAL of {unit}", "CAST the date AS timestamp first")
    return _STEPS[unit].format(f"({amount})")


def _date_trunc(name: str, args: Sequence[Typed]) -> Typed:
    _check(name, args, 2)
    unit = _unit(args[0], name, _units_of(args[1], name))
    return Typed(
        f"CAST(date_trunc('{unit}', {args[1].sql}) AS {args[1].kind.duckdb()})", args[1].kind
    )


def _field(name: str, args: Sequence[Typed]) -> Typed:
    _check(name, args, 1)
    return field(name, args[0])


def field(name: str, time: Typed) -> Typed:
    """Return a field of a time: `year(t)` and `extract(year FROM t)`."""
    if name not in _FIELDS:
        hint = "write to_unixtime(t)" if name == "epoch" else f"known: {', '.join(_FIELDS)}"
        raise refuse(f"extract({name})", hint)
    if time.kind == DATE and name in _OF_TIME:
        raise refuse(f"{name}() of a date", "a date has no time of day")
    _units_of(time, name)
    part = f"date_part('{_FIELDS[name]}', {time.sql})"
    # DuckDB counts milliseconds from the start of the minute.
    return Typed(f"({part} % 1000)" if name == "millisecond" else part, BIGINT)


def _translated(argument: Typed, name: str, letters: set[str]) -> str:
    written = argument.value
    if not isinstance(written, str):
        raise refuse(f"the format of {name}()", "must be written as a text in the query")
    parts = iter(written)
    text = ""
    for letter in parts:
        if letter != "%":
            text += letter
            continue
        code = next(parts, "")
        if code not in letters:
            raise refuse(
                f"'%{code}' in the format of {name}()",
                f"known: {', '.join('%' + known for known in sorted(letters))}",
            )
        text += _FORMAT[code]
    return text_literal(text)


def _date_format(name: str, args: Sequence[Typed]) -> Typed:
    _check(name, args, 2)
    _units_of(args[0], name)
    return Typed(f"strftime({args[0].sql}, {_translated(args[1], name, set(_FORMAT))})", VARCHAR)


def _date_parse(name: str, args: Sequence[Typed]) -> Typed:
    _check(name, args, 2)
    if common(args[0].kind, VARCHAR) != VARCHAR:
        raise refuse(f"date_parse() of {args[0].kind}", "it takes text")
    pattern = _translated(args[1], name, _PARSED)
    return Typed(f"strptime({args[0].to(VARCHAR)}, {pattern})", TIMESTAMP)


DATES: Mapping[str, Callable[[str, Sequence[Typed]], Typed]] = {
    "date_diff": _date_diff,
    "date_add": _date_add,
    "date_trunc": _date_trunc,
    "date_format": _date_format,
    "date_parse": _date_parse,
    **dict.fromkeys(_FIELDS, _field),
}
