"""Spans of time, held as whole milliseconds or whole months, as both systems count them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runner.sql.kinds import BIGINT, DATE, DAYS, MILLISECONDS, MONTHS, Kind, Typed, common
from runner.sql.nodes import only
from runner.sql.refusal import refuse

_MILLISECONDS = {"second": 1_000, "minute": 60_000, "hour": 3_600_000, "day": 86_400_000}
_MONTHS = {"month": 1, "year": 12}
_DAY_MS = _MILLISECONDS["day"]


def literal(node: Any) -> Typed:
    """Return INTERVAL '1' DAY."""
    only(node, "this", "unit")
    unit = str(node.args["unit"].name).lower()
    amount = int(node.this.name)
    if unit in _MONTHS:
        return Typed(f"CAST({amount * _MONTHS[unit]} AS BIGINT)", MONTHS)
    if unit not in _MILLISECONDS:
        raise refuse(f"an INTERVAL of {unit}", "write year, month, day, hour, minute or second")
    return Typed(f"CAST({amount * _MILLISECONDS[unit]} AS BIGINT)", DAYS)


def moved(time: Typed, span: Typed, sign: str) -> Typed:
    """Return a time plus or minus a span; a date stays a date.

    Raises
    ------
    Refused
        For a date and a span that is not of whole days, which Athena refuses too.
    """
    if sign not in "+-":
        raise refuse(f"'{sign}' of a time", "only + and -")
    months = span.kind == MONTHS
    step = f"to_months(CAST({span.sql} AS INTEGER))" if months else f"to_milliseconds({span.sql})"
    if time.kind == DATE:
        if not months:
            step = f"to_days(CAST(whole_days({span.sql}) AS INTEGER))"
        return Typed(f"CAST(({time.sql} {sign} {step}) AS DATE)", DATE)
    precision = time.kind.precision if months else MILLISECONDS
    return Typed(f"({time.sql} {sign} {step})", Kind(time.kind.name, precision=precision))


def arithmetic(sign: str, left: Typed, right: Typed) -> Typed | None:
    """Return times moved by spans, differences of times, sums and multiples of spans.

    None where no operand is a time or a span, or where Athena has no such operation.
    """
    if _is_time(left) and right.kind.interval:
        return moved(left, right, sign)
    if left.kind.interval and _is_time(right) and sign == "+":
        return moved(right, left, sign)
    if _is_time(left) and _is_time(right) and sign == "-":
        return _between(left, right)
    if left.kind.interval and left.kind == right.kind and sign in "+-":
        return Typed(f"({left.sql} {sign} {right.sql})", left.kind)
    for span, factor in ((left, right), (right, left)):
        if span.kind.interval and factor.kind.whole and sign == "*":
            return Typed(f"({span.sql} * {factor.to(BIGINT)})", span.kind)
    return None


def _is_time(value: Typed) -> bool:
    return value.kind.instant or value.kind == DATE


def _between(later: Typed, earlier: Typed) -> Typed:
    if later.kind == earlier.kind == DATE:
        return Typed(f"(date_diff('day', {earlier.sql}, {later.sql}) * {_DAY_MS})", DAYS)
    kind = common(later.kind, earlier.kind) or later.kind
    return Typed(f"(epoch_ms({later.to(kind)}) - epoch_ms({earlier.to(kind)}))", DAYS)


def in_milliseconds(_: str, args: Sequence[Typed]) -> Typed:
    """Compile to_milliseconds(interval)."""
    if len(args) != 1 or args[0].kind != DAYS:
        raise refuse("to_milliseconds()", "it takes a difference of times")
    return Typed(args[0].sql, BIGINT)


def as_text(span: Typed) -> str:
    """Return the SQL of a span as Athena prints it."""
    return f"{'months' if span.kind == MONTHS else 'days'}_text({span.sql})"
