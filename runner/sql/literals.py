"""Numbers, times and types as a query writes them."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlglot import exp

from runner.sql import jsons
from runner.sql.kinds import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INSTANT,
    INTEGER,
    JSON,
    MAX_PRECISION,
    MILLISECONDS,
    TIMESTAMP,
    VARBINARY,
    VARCHAR,
    Kind,
    Typed,
    array,
    decimal,
    mapping,
    row,
    text_literal,
    timestamp,
)
from runner.sql.refusal import refuse

_INT32 = 2**31
_INT64 = 2**63
_TIME = re.compile(r"\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d(\.(\d{1,3}))?)?)?")
_TYPES = {
    "BOOLEAN": BOOLEAN,
    "INT": INTEGER,
    "BIGINT": BIGINT,
    "DOUBLE": DOUBLE,
    "VARCHAR": VARCHAR,
    "DATE": DATE,
    "TIMESTAMP": TIMESTAMP,
    "TIMESTAMPTZ": INSTANT,
    "JSON": JSON,
    "VARBINARY": VARBINARY,
}
_KNOWN = (
    "known: boolean, integer, bigint, double, decimal(p, s), varchar, date, timestamp, json, "
    "array(...), map(...), row(...)"
)


def number(text: str) -> Typed:
    """Return a number; `1.5` is a decimal, `1.5e0` a double.

    Raises
    ------
    Refused
        When it is too large, or written as Athena does not read it.
    """
    if re.fullmatch(r"[0-9]+", text):
        value = int(text)
        if value >= _INT64:
            raise refuse(text, "larger than a bigint; write it like 1e19")
        kind = INTEGER if value < _INT32 else BIGINT
        return Typed(text, kind, value=value)
    if re.fullmatch(r"[0-9]*\.[0-9]*", text) and len(text) > 1:
        return decimal_number(text)
    if re.fullmatch(r"([0-9]+\.?[0-9]*|\.[0-9]+)[eE][+-]?[0-9]+", text):
        if float(text) == float("inf"):
            raise refuse(text, "larger than a double")
        return Typed(f"CAST('{text}' AS DOUBLE)", DOUBLE)
    raise refuse(text, "not a number that Athena reads")


def decimal_number(text: str) -> Typed:
    """Return a decimal number: `1.50`, and what stands in DECIMAL '1.50'."""
    if not re.fullmatch(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)", text):
        raise refuse(f"DECIMAL '{text}'", "write DECIMAL '1.50'")
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    whole, _dot, fraction = digits.partition(".")
    whole = whole.lstrip("0")
    precision = max(len(whole) + len(fraction), 1)
    if precision > MAX_PRECISION:
        raise refuse(text, f"more than {MAX_PRECISION} digits; write it like 1.5e0")
    kind = decimal(precision, len(fraction))
    value = f"{sign}{whole or 0}.{fraction or 0}"
    return Typed(f"CAST('{value}' AS {kind.duckdb()})", kind)


def time(text: str, kind: Kind) -> Typed:
    """Return DATE '...' or TIMESTAMP '...', of as many digits after the second as are written.

    Raises
    ------
    Refused
        When it is written otherwise, or there is no such time.
    """
    wanted = "DATE 'YYYY-MM-DD'" if kind == DATE else "TIMESTAMP 'YYYY-MM-DD HH:MM:SS.mmm'"
    day_only = len(text) == len("2026-01-31")
    found = _TIME.fullmatch(text)
    if found is None or (kind == DATE and not day_only):
        raise refuse(f"'{text}'", f"write {wanted}, in UTC, without zone")
    try:
        value = datetime.fromisoformat(text)  # noqa: DTZ007, RUF100  (naive UTC on purpose)
    except ValueError as error:
        raise refuse(f"'{text}'", f"there is no such time; write {wanted}") from error
    if kind == DATE:
        return Typed(f"DATE {text_literal(value.date().isoformat())}", DATE)
    digits = len(found.group(4) or "")
    return Typed(f"TIMESTAMP {text_literal(value.isoformat(sep=' '))}", timestamp(digits))


def typed(text: str, kind: Kind, name: str) -> Typed:
    """Return a literal with its type before it: DATE '...', DECIMAL '1.5', JSON '{}'.

    Raises
    ------
    Refused
        When the text is not one of that type.
    """
    if kind == DATE:
        return time(text, kind)
    if kind.instant:
        found = time(text.removesuffix(" UTC"), TIMESTAMP)
        zone = INSTANT if text.endswith(" UTC") else TIMESTAMP
        return replace(found, kind=replace(zone, precision=found.kind.precision))
    if kind == JSON:
        return jsons.parsed(Typed(text_literal(text), VARCHAR, value=text))
    if kind == VARCHAR:
        return Typed(text_literal(text), VARCHAR, value=text)
    if kind == DOUBLE:
        sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
        return Typed(f"CAST({sign}{number(digits).sql} AS DOUBLE)", DOUBLE)
    if kind.whole and re.fullmatch(r"-?[0-9]{1,18}", text):
        return Typed(f"CAST({text} AS {kind.duckdb()})", kind, value=int(text))
    raise refuse(f"{name} '{text}'", f"write CAST('{text}' AS {name})")


def written_type(target: Any) -> tuple[Kind, int | None]:
    """Return the type that a CAST names, and the length of varchar(n).

    Raises
    ------
    Refused
        For types whose values differ between the systems, or that these tables have no use for.
    """
    name = target.this.name
    sizes = [
        int(part.this.name) for part in target.expressions if isinstance(part, exp.DataTypeParam)
    ]
    nested = _nested(name, target.expressions)
    if nested is not None:
        return nested, None
    if name == "DECIMAL" and sizes:
        precision, scale = (*sizes, 0)[:2]
        if not 1 <= precision <= MAX_PRECISION or scale > precision:
            raise refuse(f"decimal({precision}, {scale})", f"at most {MAX_PRECISION} digits")
        return decimal(precision, scale), None
    if name not in _TYPES:
        raise refuse(f"CAST AS {target.sql('trino').lower()}", _KNOWN)
    if name in {"TIMESTAMP", "TIMESTAMPTZ"}:
        if sizes and sizes[0] > MILLISECONDS:
            raise refuse("CAST AS timestamp(n)", "the tables hold milliseconds; write timestamp")
        return Kind(_TYPES[name].name, precision=sizes[0] if sizes else MILLISECONDS), None
    if name == "VARCHAR" and sizes:
        return VARCHAR, sizes[0]
    if sizes:
        raise refuse(f"CAST AS {name.lower()}(n)", "leave out the number")
    return _TYPES[name], None


def _nested(name: str, parts: list[Any]) -> Kind | None:
    """Return array(...), map(...) or row(...)."""
    if name == "ARRAY" and len(parts) == 1:
        return array(_inner(parts[0]))
    if name == "MAP" and len(parts) == 2:  # noqa: PLR2004  (key and value)
        return mapping(_inner(parts[0]), _inner(parts[1]))
    if name != "STRUCT" or not parts:
        return None
    names, kinds = [], []
    for part in parts:
        named = isinstance(part, exp.ColumnDef)
        names.append(str(part.name) if named else "")
        kinds.append(_inner(part.args["kind"] if named else part))
    return row(tuple(names), tuple(kinds))


def _inner(target: Any) -> Kind:
    kind, length = written_type(target)
    if length is not None:
        raise refuse("varchar(n) inside another type", "write varchar")
    return kind
