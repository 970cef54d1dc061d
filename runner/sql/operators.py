"""Arithmetic and comparisons, with Athena's rules of types."""

from __future__ import annotations

from runner.sql import intervals
from runner.sql.kinds import (
    BOOLEAN,
    DATE,
    DOUBLE,
    MAX_PRECISION,
    UNKNOWN,
    VARCHAR,
    Kind,
    Typed,
    as_decimal,
    common,
    decimal,
    field_name,
)
from runner.sql.refusal import refuse


def arithmetic(sign: str, left: Typed, right: Typed) -> Typed:
    """Return `left sign right`, of numbers, times or spans of time.

    Whole numbers divide to whole numbers and fail at zero. Division of doubles fails at zero,
    where Athena answers Infinity or NaN. A quotient of decimals has the digits of its operands.
    """
    timed = intervals.arithmetic(sign, left, right)
    if timed is not None:
        return timed
    kind = common(left.kind, right.kind)
    for operand in (left, right):
        if not operand.kind.numeric and operand.kind != UNKNOWN:
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
    left, right = (
        Typed(operand.to(kind), kind) if operand.kind == UNKNOWN else operand
        for operand in (left, right)
    )
    return _of_decimals(sign, left, right)


def _of_decimals(sign: str, left: Typed, right: Typed) -> Typed:
    """Return an operation of decimals, with the digits that Athena gives the result.

    Source: https://trino.io/docs/current/functions/decimal.html
    """
    first, second = as_decimal(left.kind), as_decimal(right.kind)
    scale = max(first.scale, second.scale)
    whole = max(first.precision - first.scale, second.precision - second.scale)
    if sign == "*":
        scale = first.scale + second.scale
        precision = first.precision + second.precision
    elif sign == "/":
        precision = first.precision + second.scale + max(0, second.scale - first.scale)
    elif sign == "%":
        precision = min(first.precision - first.scale, second.precision - second.scale) + scale
    else:
        precision = whole + scale + 1
    if scale > MAX_PRECISION:
        raise refuse("a product of decimals", "too many digits; write numbers like 2.5e0")
    kind = decimal(precision, scale)
    if sign in "/%":
        macro = "decimal_quotient" if sign == "/" else "decimal_rest"
        shift = scale - first.scale + second.scale if sign == "/" else scale - first.scale
        others = 0 if sign == "/" else scale - second.scale
        dividend = f"{unscaled(left.sql, first)} * {_ten(shift)}"
        divisor = f"{unscaled(right.sql, second)} * {_ten(others)}"
        return Typed(scaled(f"{macro}({dividend}, {divisor})", kind), kind)
    # In 38 digits, since DuckDB's own product of 18 and 18 digits may overflow.
    wide = [f"CAST({one.sql} AS DECIMAL(38,{as_decimal(one.kind).scale}))" for one in (left, right)]
    return Typed(f"CAST(({wide[0]} {sign} {wide[1]}) AS {kind.duckdb()})", kind)


def unscaled(sql: str, kind: Kind) -> str:
    """Return a decimal as the whole number of its last digits."""
    return f"CAST(CAST({sql} AS DECIMAL(38,{kind.scale})) * {_ten(kind.scale)} AS HUGEINT)"


def scaled(units: str, kind: Kind) -> str:
    """Return a whole number of last digits as the decimal it stands for."""
    last_digit = "0." + "1".rjust(kind.scale, "0") if kind.scale else "1"
    unit = f"CAST('{last_digit}' AS DECIMAL(38,{kind.scale}))"
    return f"CAST(CAST({units} AS DECIMAL(38,0)) * {unit} AS {kind.duckdb()})"


def _ten(digits: int) -> str:
    return f"CAST(1{'0' * digits} AS HUGEINT)"


def _hint_for(kind: Kind, sign: str) -> str:
    if kind == DATE or kind.instant:
        return "write date_diff('day', a, b), or t + INTERVAL '1' DAY"
    if kind.name == "varchar":
        return "write x || y" if sign == "+" else "CAST the text AS double"
    if kind.interval:
        return "write to_milliseconds(a - b) to have a number"
    return "it takes numbers"


def negative(operand: Typed) -> Typed:
    """Return the number or span with the other sign."""
    if not operand.kind.numeric and not operand.kind.interval:
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
        raise refuse(f"{what} of {kind}", _compare_hint(kind))
    return kind


def _compare_hint(kind: Kind) -> str:
    if kind.name == "json":
        return "write json_extract_scalar(x, '$.name') = 'text', or CAST(x AS varchar)"
    if kind.name == "varbinary":
        return "compare their to_hex"
    if kind.name == "row":
        return "compare its fields"
    return "compare its elements: element_at, contains, cardinality"


def _cast_hint(left: Kind, right: Kind) -> str:
    names = {left.name, right.name}
    if "varchar" in names and (left.instant or right.instant):
        return "write TIMESTAMP '2026-01-31 00:00:00'"
    if "date" in names and "varchar" in names:
        return "write DATE '2026-01-31'"
    return "CAST one of them"


def comparison(sign: str, left: Typed, right: Typed) -> Typed:
    """Return `left sign right` as a condition."""
    kind = common(left.kind, right.kind)
    if kind is not None and kind.name == "array" and sign in {"=", "<>"}:
        if kind.parts[0].ordered:
            same = f"same_array({left.to(kind)}, {right.to(kind)})"
            return Typed(same if sign == "=" else f"(NOT {same})", BOOLEAN)
    elif kind is not None and kind.name == "row" and sign in {"=", "<>"}:
        return _of_rows(sign, left, right)
    elif kind is not None and kind.name == "varbinary" and sign in {"=", "<>"}:
        return Typed(f"({left.sql} {sign} {right.sql})", BOOLEAN)
    kind = comparable(f"'{sign}'", left, right)
    return Typed(f"({left.to(kind)} {sign} {right.to(kind)})", BOOLEAN)


def _of_rows(sign: str, left: Typed, right: Typed) -> Typed:
    """Return whether two rows are equal, field by field."""
    fields = (
        comparison(
            sign, *(Typed(f"struct_extract({one.sql}, '{name}')", kinds) for one, kinds in pair)
        )
        for name, pair in (
            (field_name(place), tuple(zip((left, right), kinds, strict=True)))
            for place, kinds in enumerate(zip(left.kind.parts, right.kind.parts, strict=True))
        )
    )
    return Typed(
        f"({(' AND ' if sign == '=' else ' OR ').join(one.sql for one in fields)})", BOOLEAN
    )


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


def joined(left: Typed, right: Typed) -> Typed:
    """Return `left || right` of two texts, two arrays, or an array and an element."""
    if "array" in (left.kind.name, right.kind.name):
        return _joined_arrays(left, right)
    for operand in (left, right):
        if operand.kind != VARCHAR:
            hint = "write CAST(NULL AS varchar)" if operand.kind == UNKNOWN else "CAST AS varchar"
            raise refuse(f"'||' with {operand.kind}", hint)
    return Typed(f"({left.to(VARCHAR)} || {right.to(VARCHAR)})", VARCHAR)


def _joined_arrays(left: Typed, right: Typed) -> Typed:
    kind = common(left.kind, right.kind)
    if kind is not None and UNKNOWN not in (left.kind, right.kind):
        return Typed(f"arrays_joined({left.to(kind)}, {right.to(kind)})", kind)
    whole, element = (left, right) if left.kind.name == "array" else (right, left)
    if common(whole.kind.parts[0], element.kind) != whole.kind.parts[0] or element.kind == UNKNOWN:
        raise refuse(f"'||' of {left.kind} and {right.kind}", "CAST one of them")
    one = f"[{element.to(whole.kind.parts[0])}]"
    given = (left.sql, one) if left.kind.name == "array" else (one, right.sql)
    return Typed(f"arrays_joined({', '.join(given)})", whole.kind)
