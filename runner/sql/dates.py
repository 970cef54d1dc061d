"""Functions of dates and times. Times are UTC in whole milliseconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runner.sql import intervals
from runner.sql.arguments import count
from runner.sql.kinds import (
    BIGINT,
    DATE,
    DOUBLE,
    INSTANT,
    MILLISECONDS,
    MONTHS,
    TIMESTAMP,
    VARCHAR,
    Kind,
    Typed,
    common,
)
from runner.sql.overloads import Special
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

FIELDS = {
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
_OF_DAYS = {
    "day": "({0} // 86400000)",
    "hour": "(({0} // 3600000) % 24)",
    "minute": "(({0} // 60000) % 60)",
    "second": "(({0} // 1000) % 60)",
    "millisecond": "({0} % 1000)",
}
_OF_MONTHS = {"year": "({0} // 12)", "month": "({0} % 12)"}


def _unit(argument: Typed, name: str, allowed: set[str]) -> str:
    unit = argument.value.lower() if isinstance(argument.value, str) else ""
    if unit not in allowed:
        raise refuse(f"the unit of {name}()", f"must be one of {', '.join(sorted(allowed))}")
    return unit


def units_of(argument: Typed, name: str) -> set[str]:
    """Return the units in which a time can be counted.

    Raises
    ------
    Refused
        When it is no time.
    """
    if argument.kind == DATE:
        return _DAYS
    if argument.kind.instant:
        return set(_STEPS)
    raise refuse(
        f"{name}() of {argument.kind}", "it takes a date or timestamp; write DATE '2026-01-31'"
    )


def _date_diff(name: str, args: Sequence[Typed]) -> Typed:
    """Complete units between two times, not the boundaries that lie between."""
    count(name, args, 3)
    kind = common(args[1].kind, args[2].kind)
    for argument in args[1:]:
        units_of(argument, name)
    if kind is None:
        raise refuse("date_diff()", "it takes two dates or two timestamps")
    unit = _unit(args[0], name, units_of(Typed("", kind), name))
    return Typed(f"date_sub('{unit}', {args[1].to(kind)}, {args[2].to(kind)})", BIGINT)


def _date_add(name: str, args: Sequence[Typed]) -> Typed:
    count(name, args, 3)
    time = args[2]
    unit = _unit(args[0], name, units_of(time, name))
    if not args[1].kind.whole:
        raise refuse(f"date_add('{unit}', {args[1].kind}, ...)", "the amount must be whole")
    moved = f"({time.sql} + {_STEPS[unit].format(args[1].sql)})"
    if time.kind == DATE:
        return Typed(f"CAST({moved} AS DATE)", DATE)
    if unit == "millisecond" and time.kind.precision < MILLISECONDS:
        raise refuse(
            f"date_add('millisecond', ...) of {time.kind}",
            "write CAST(t AS timestamp) to keep them",
        )
    return Typed(moved, time.kind)


def _date_trunc(name: str, args: Sequence[Typed]) -> Typed:
    count(name, args, 2)
    unit = _unit(args[0], name, units_of(args[1], name))
    return Typed(
        f"CAST(date_trunc('{unit}', {args[1].sql}) AS {args[1].kind.duckdb()})", args[1].kind
    )


def _field(name: str, args: Sequence[Typed]) -> Typed:
    count(name, args, 1)
    return field(name, args[0])


def field(name: str, time: Typed) -> Typed:
    """Return a field of a time or a span: `year(t)` and `extract(year FROM t)`."""
    if name not in FIELDS:
        hint = "write to_unixtime(t)" if name == "epoch" else f"known: {', '.join(FIELDS)}"
        raise refuse(f"extract({name})", hint)
    if time.kind.interval:
        return _field_of_span(name, time)
    if time.kind == DATE and name in _OF_TIME:
        raise refuse(f"{name}() of a date", "a date has no time of day")
    units_of(time, name)
    part = f"CAST(date_part('{FIELDS[name]}', {time.sql}) AS BIGINT)"
    # DuckDB counts milliseconds from the start of the minute.
    return Typed(f"({part} % 1000)" if name == "millisecond" else part, BIGINT)


def _field_of_span(name: str, span: Typed) -> Typed:
    known = _OF_MONTHS if span.kind == MONTHS else _OF_DAYS
    if name not in known:
        raise refuse(f"{name}() of an interval", f"known: {', '.join(known)}")
    return Typed(known[name].format(span.sql), BIGINT)


def in_zone(time: Typed, zone: Typed) -> Typed:
    """Return `t AT TIME ZONE 'UTC'`, the one zone that there is here."""
    if not isinstance(zone.value, str) or zone.value.upper() != "UTC":
        raise refuse("AT TIME ZONE", "only 'UTC': times in the tables are UTC; write t + INTERVAL")
    if not time.kind.instant:
        raise refuse(f"AT TIME ZONE of {time.kind}", "it takes a timestamp")
    return Typed(time.sql, Kind(INSTANT.name, precision=time.kind.precision))


def _with_zone(name: str, args: Sequence[Typed]) -> Typed:
    count(name, args, 2)
    return in_zone(*args)


def _to_unixtime(name: str, args: Sequence[Typed]) -> Typed:
    count(name, args, 1)
    if args[0].kind != DATE:
        units_of(args[0], name)
    return Typed(f"epoch({args[0].to(TIMESTAMP)})", DOUBLE)


def _from_unixtime(name: str, args: Sequence[Typed]) -> Typed:
    count(name, args, 1)
    if not args[0].kind.numeric:
        raise refuse(f"{name}() of {args[0].kind}", "it takes seconds")
    return Typed(f"moment_of({args[0].to(DOUBLE)})", INSTANT)


def _date(name: str, args: Sequence[Typed]) -> Typed:
    from runner.sql.casts import cast

    count(name, args, 1)
    return cast(args[0], DATE, safe=False)


def _last_day(name: str, args: Sequence[Typed]) -> Typed:
    count(name, args, 1)
    units_of(args[0], name)
    return Typed(f"last_day({args[0].sql})", DATE)


def _from_iso(name: str, args: Sequence[Typed]) -> Typed:
    count(name, args, 1)
    if common(args[0].kind, VARCHAR) != VARCHAR:
        raise refuse(f"{name}() of {args[0].kind}", "it takes text")
    if name == "from_iso8601_date":
        return Typed(f"date_from_text({args[0].to(VARCHAR)})", DATE)
    return Typed(f"moment_from_iso({args[0].to(VARCHAR)})", INSTANT)


def _to_iso(name: str, args: Sequence[Typed]) -> Typed:
    count(name, args, 1)
    units_of(args[0], name)
    if args[0].kind == DATE:
        return Typed(f"CAST({args[0].sql} AS VARCHAR)", VARCHAR)
    zone = "" if args[0].kind.name == "timestamp" else "Z"
    digits = args[0].kind.precision
    sql = f"strftime({args[0].sql}, '%Y-%m-%dT%H:%M:%S.%g')"
    return Typed(f"(substr({sql}, 1, {20 + digits if digits else 19}) || '{zone}')", VARCHAR)


DATES: Mapping[str, Special] = {
    "at_timezone": _with_zone,
    "date": _date,
    "date_add": _date_add,
    "date_diff": _date_diff,
    "date_trunc": _date_trunc,
    "from_iso8601_date": _from_iso,
    "from_iso8601_timestamp": _from_iso,
    "from_unixtime": _from_unixtime,
    "last_day_of_month": _last_day,
    "to_iso8601": _to_iso,
    "to_milliseconds": intervals.in_milliseconds,
    "to_unixtime": _to_unixtime,
    **dict.fromkeys(FIELDS, _field),
}
