"""Dates and times as text: the letters of MySQL, of Joda, and those that DuckDB takes for them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from runner.sql.arguments import count, literal
from runner.sql.dates import units_of
from runner.sql.kinds import INSTANT, TIMESTAMP, VARCHAR, Typed, common, text_literal
from runner.sql.overloads import Special
from runner.sql.refusal import refuse

_MYSQL = {
    "Y": "%Y",
    "y": "%y",
    "m": "%m",
    "c": "%-m",
    "d": "%d",
    "e": "%-d",
    "H": "%H",
    "k": "%-H",
    "h": "%I",
    "I": "%I",
    "l": "%-I",
    "i": "%M",
    "s": "%S",
    "S": "%S",
    "f": "%g000",
    "p": "%p",
    "j": "%j",
    "b": "%b",
    "M": "%B",
    "a": "%a",
    "W": "%A",
    "v": "%V",
    "x": "%G",
    "r": "%I:%M:%S %p",
    "T": "%H:%M:%S",
    "%": "%%",
}
_MYSQL_PARSED = set("YmdHisST")
_JODA = {
    "yyyy": "%Y",
    "YYYY": "%Y",
    "yy": "%y",
    "MM": "%m",
    "M": "%-m",
    "MMM": "%b",
    "MMMM": "%B",
    "dd": "%d",
    "d": "%-d",
    "HH": "%H",
    "H": "%-H",
    "hh": "%I",
    "h": "%-I",
    "mm": "%M",
    "ss": "%S",
    "SSS": "%g",
    "a": "%p",
    "EEE": "%a",
    "E": "%a",
    "EEEE": "%A",
    "DDD": "%j",
    "ww": "%V",
    "xxxx": "%G",
}
_JODA_PART = re.compile(r"'(?:[^']|'')*'|([A-Za-z])\1*|[^A-Za-z]")
_JODA_PARSED = {"yyyy", "MM", "dd", "HH", "mm", "ss"}


def _of_mysql(argument: Typed, name: str, letters: AbstractSet[str]) -> str:
    parts = iter(literal(argument, f"the format of {name}()"))
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
        text += _MYSQL[code]
    return text


def _of_joda(argument: Typed, name: str, letters: AbstractSet[str]) -> str:
    written = literal(argument, f"the format of {name}()")
    text = ""
    for found in _JODA_PART.finditer(written):
        part = found.group()
        if part.startswith("'"):
            inner = part[1:-1].replace("''", "'") if len(part) > 1 else "'"
            text += (inner or "'").replace("%", "%%")
        elif part[0].isalpha():
            if part not in letters:
                raise refuse(
                    f"'{part}' in the format of {name}()", f"known: {', '.join(sorted(letters))}"
                )
            text += _JODA[part]
        else:
            text += part.replace("%", "%%")
    return text


def _date_format(name: str, args: Sequence[Typed]) -> Typed:
    count(name, args, 2)
    units_of(args[0], name)
    mysql = name == "date_format"
    form = (
        _of_mysql(args[1], name, _MYSQL.keys()) if mysql else _of_joda(args[1], name, _JODA.keys())
    )
    return Typed(f"strftime({args[0].sql}, {text_literal(form)})", VARCHAR)


def _date_parse(name: str, args: Sequence[Typed]) -> Typed:
    count(name, args, 2)
    if common(args[0].kind, VARCHAR) != VARCHAR:
        raise refuse(f"{name}() of {args[0].kind}", "it takes text")
    mysql = name == "date_parse"
    form = (
        _of_mysql(args[1], name, _MYSQL_PARSED) if mysql else _of_joda(args[1], name, _JODA_PARSED)
    )
    if re.search(r"%[YmdHMST]%[YmdHMST]", form):
        raise refuse(f"the format of {name}()", "parts must have something between them")
    if form.endswith(" ") or form.startswith(" "):
        raise refuse(f"the format of {name}()", "no blank at an end")
    sql = f"strptime(one_date({args[0].to(VARCHAR)}), {text_literal(form)})"
    return Typed(sql, TIMESTAMP if mysql else INSTANT)


DATE_FORMATS: Mapping[str, Special] = {
    "date_format": _date_format,
    "date_parse": _date_parse,
    "format_datetime": _date_format,
    "parse_datetime": _date_parse,
}
