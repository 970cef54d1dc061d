"""Arithmetic and comparisons, with Athena's rules of types."""

from __future__ import annotations

from runner.sql.kinds import (
    BOOLEAN,
    DOUBLE,
    MAX_PRECISION,
    VARCHAR,
    Kind,
    Typed,
    as_decimal,
    common,
    decimal,
)
from runner.sql.refusal import refuse


def arithmetic(sign: str, left: Typed, right: Typed) -> Typed:
    """Return `left sign right` of two numbers.

    Whole numbers divide to whole numbers and fail at zero. Division of doubles fails at zero,
    where Athena answers Infinity or NaN. Division of decimals is refused: Athena rounds it to the
    operands' digits, which nobody means.
    """
    kind = common(left.kind, right.kind)
    for operand in (left, right):
        if not operand.kind.numeric and operand.kind.name != "unknown":
            raise refuse(f"'{sign}' with {operand.kind}", _hint_for(operand.kind, sign))
    if kind is None or not kind.numeric:
        raise refuse(f"'{sign}' of {left.kind} and {right.kind}", "CAST the operands")
    if kind.whole:
        operator = "//" if sign == "/" else sign
        return Typed(f"({left.to(kind)} {operator} {right.to(kind)})", kind)
    if kind == DOUBLE:
        first, second = left.to(DOUBLE), right.to(DOUBLE)
        if sign in "/%" and not (isinstance(right.value, int) and right.value):
            second = f"nonzero({second})"
        return Typed(f"({first} {sign} {second})", DOUBLE)
    return _of_decimals(sign, left, right, kind)


def _of_decimals(sign: str, left: Typed, right: Typed, kind: Kind) -> Typed:
    if sign in "/%":
        raise refuse(
            f"'{sign}' of decimals ({left.sql} {sign} {right.sql})",
            "Athena rounds the result to the digits of its operands; write numbers like 3600e0, "
            "or CAST(x AS double)",
        )
    scale = kind.scale
    if sign == "*":
        scale = as_decimal(left.kind).scale + as_decimal(right.kind).scale
    if scale > MAX_PRECISION:
        raise refuse("a product of decimals", "too many digits; write numbers like 2.5e0")
    return Typed(f"({left.sql} {sign} {right.sql})", decimal(MAX_PRECISION, scale))


def _hint_for(kind: Kind, sign: str) -> str:
    if kind.name in {"date", "timestamp"}:
        return "write date_diff('day', a, b), or t + INTERVAL '1' DAY"
    if kind.name == "varchar":
        return "write x || y" if sign == "+" else "CAST the text AS double"
    return "it takes numbers"


def negative(operand: Typed) -> Typed:
    """Return the number with the other sign."""
    if not operand.kind.numeric:
        raise refuse(f"'-' of {operand.kind}", "it takes numbers")
    value = -operand.value if isinstance(operand.value, int) else None
    return Typed(f"(-{operand.sql})", operand.kind, value=value)


def comparable(what: str, left: Typed, right: Typed) -> Kind:
    """Return the type in which two values are compared.

    Raises
    ------
    Refused
        When Athena would not compare them, or arrays with nulls would compare otherwise.
    """
    kind = common(left.kind, right.kind)
    if kind is None:
        raise refuse(f"{what} of {left.kind} and {right.kind}", _cast_hint(left.kind, right.kind))
    if not kind.ordered:
        raise refuse(f"{what} of {kind}", "compare its elements: element_at, contains, cardinality")
    return kind


def _cast_hint(left: Kind, right: Kind) -> str:
    names = {left.name, right.name}
    if "timestamp" in names and "varchar" in names:
        return "write TIMESTAMP '2026-01-31 00:00:00'"
    if "date" in names and "varchar" in names:
        return "write DATE '2026-01-31'"
    return "CAST one of them"


def comparison(sign: str, left: Typed, right: Typed) -> Typed:
    """Return `left sign right` as a condition."""
    kind = comparable(f"'{sign}'", left, right)
    return Typed(f"({left.to(kind)} {sign} {right.to(kind)})", BOOLEAN)


def condition(operand: Typed, what: str) -> str:
    """Return the SQL of a condition.

    Raises
    ------
    Refused
        When it is a number or text, which Athena does not take for one.
    """
    if operand.kind.name not in {"boolean", "unknown"}:
        raise refuse(f"{what} of {operand.kind}", "it takes a condition; write x <> 0")
    return operand.to(BOOLEAN)


def joined_text(left: Typed, right: Typed) -> Typed:
    """Return `left || right` of two texts."""
    for operand in (left, right):
        if common(operand.kind, VARCHAR) != VARCHAR:
            hint = (
                "CAST AS decimal, then AS varchar" if operand.kind == DOUBLE else "CAST AS varchar"
            )
            raise refuse(f"'||' with {operand.kind}", hint)
    return Typed(f"({left.to(VARCHAR)} || {right.to(VARCHAR)})", VARCHAR)
