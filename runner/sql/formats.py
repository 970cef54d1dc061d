"""The pieces of format(): `%d`, `%5d`, `%05d`, `%.2f`, `%s`, `%%`, as Java prints them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from runner.sql.kinds import VARCHAR, Typed, text_literal
from runner.sql.refusal import refuse

_PLACE = re.compile(r"%(?P<flag>0?)(?P<width>[1-9][0-9]*)?(\.(?P<digits>[0-9]+))?(?P<code>[sdf])")
_KNOWN = "known: %s of text and whole numbers, %d, %5d, %05d, %.2f, %%"
_DIGITS = 6
"""Digits of %f after the point, unless it says how many."""
_MOST_DIGITS = 15


def piece(part: str, values: Iterator[Typed]) -> str:
    """Return a piece of the pattern with its value as SQL.

    Raises
    ------
    Refused
        For pieces that are not known to come out alike.
    """
    if part == "%%":
        return "'%'"
    if not part.startswith("%"):
        if "%" in part:
            raise refuse(f"'{part}' in format()", _KNOWN)
        return text_literal(part)
    found = _PLACE.fullmatch(part)
    value = next(values, None)
    if found is None or value is None:
        raise refuse(f"'{part}' in format()", _KNOWN if found is None else "it has no value")
    code, digits = found["code"], found["digits"]
    sql = _printed(part, code, digits, value)
    width = int(found["width"] or 0)
    if not width:
        return sql
    if found["flag"] and code != "s":
        return f"zeros_before({sql}, {width})"
    if found["flag"]:
        raise refuse(f"'{part}' in format()", _KNOWN)
    return f"blanks_before({sql}, {width})"


def _printed(part: str, code: str, digits: str | None, value: Typed) -> str:
    kind = value.kind
    if code == "d" and kind.whole and digits is None:
        return f"coalesce({value.to(VARCHAR)}, 'null')"
    if code == "s" and (kind.whole or kind == VARCHAR or kind.name == "boolean") and not digits:
        return f"coalesce({value.to(VARCHAR)}, 'null')"
    if code == "f" and kind.name in {"double", "decimal"}:
        places = int(digits or _DIGITS)
        if places > _MOST_DIGITS:
            raise refuse(f"'{part}' in format()", f"at most {_MOST_DIGITS} digits")
        as_text = f"CAST({value.sql} AS VARCHAR)"
        rounded = f"CAST(CAST({as_text} AS DECIMAL(38,{places})) AS VARCHAR)"
        # A null is cut to so many letters.
        return f"coalesce(signed_like({rounded}, {value.sql}), '{'null'[:places]}')"
    raise refuse(f"'{part}' of {kind} in format()", _KNOWN)
