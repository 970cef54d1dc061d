"""What Athena prints, as the values that the local engine gives.

Athena's answers come as text with the type of each column. Lists and maps come as it prints them,
`[a, b]`, without the type of what is in them and without quotes; they are read where the type is
known from the query and no text in them can be taken apart in two ways, and left as text else.
(UNLOAD would write typed Parquet, but loses the order of rows, asks for rights to read and write
another folder, and does not take every query.)
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from runner.sql.answer import Answer
from runner.sql.kinds import MILLISECONDS, Kind

Cells = Sequence[str | None]

NESTED = frozenset({"array", "map", "row"})
_WHOLE = ("tinyint", "smallint", "integer", "int", "bigint")
_PLAIN = re.compile(r"[^\s,=\[\]{}]+")
"""A text inside a list or map that ends where it seems to end."""


def _boolean(text: str) -> bool:
    if text not in {"true", "false"}:
        raise ValueError(text)
    return text == "true"


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        raise ValueError(text)
    return moment


_SCALARS: Mapping[str, Callable[[str], object]] = {
    **dict.fromkeys(_WHOLE, int),
    **dict.fromkeys(("float", "real", "double"), float),
    "decimal": Decimal,
    "boolean": _boolean,
    "date": date.fromisoformat,
    "timestamp": _moment,
    "varbinary": bytes.fromhex,
}
"""Readers of what is no text, by the type's name."""


def typed_answer(
    columns: Sequence[Mapping[str, Any]],
    rows: Sequence[Cells],
    kinds: Sequence[Kind] | None,
    warnings: Sequence[str] = (),
) -> Answer:
    """Return rows of text as an answer.

    Parameters
    ----------
    columns
        `ColumnInfo` of Athena.
    rows
        Texts; None for NULL.
    kinds
        Types of the columns where the query is one that this program can read; only they tell
        what lists and maps hold.
    warnings
        What is known before.
    """
    if kinds is not None and len(kinds) != len(columns):
        kinds = None
    named: list[tuple[str, str]] = []
    values: list[Sequence[object]] = []
    said = list(warnings)
    for place, info in enumerate(columns):
        kind = kinds[place] if kinds is not None else None
        cells = [row[place] for row in rows]
        name, type_name = str(info.get("Label") or info["Name"]), _type_name(info, kind)
        try:
            read: Sequence[object] = list(_read(cells, info, kind))
        except ValueError:
            read, type_name = cells, "varchar"
            said.append(_left_as_text(name, str(info["Type"])))
        if any(isinstance(value, float) and not math.isfinite(value) for value in read):
            said.append(f"column '{name}' holds what is infinite or no number; JSON has null there")
        named.append((name, type_name))
        values.append(read)
    return Answer(named, list(zip(*values, strict=True)), tuple(said))


def _type_name(info: Mapping[str, Any], kind: Kind | None) -> str:
    """Return a type as the local engine names it."""
    name = str(info["Type"])
    if name == "decimal":
        return f"decimal({info.get('Precision', 38)},{info.get('Scale', 0)})"
    if name.startswith("timestamp"):
        return name.replace("timestamp", f"timestamp({info.get('Precision') or MILLISECONDS})")
    return str(kind) if name in NESTED and kind is not None else name


def _read(cells: Cells, info: Mapping[str, Any], kind: Kind | None) -> Iterator[object]:
    name = str(info["Type"])
    if name in NESTED:
        if kind is None or kind.name != name:
            if any(cell is not None for cell in cells):
                raise ValueError(name)
            kind = None
        for cell in cells:
            yield None if cell is None or kind is None else _nested(cell, kind)
        return
    reader = _SCALARS.get(name)
    for cell in cells:
        yield cell if cell is None or reader is None else reader(cell)


def _nested(text: str, kind: Kind) -> object:  # noqa: PLR0911  (one per type)
    """Return a list or map, or what is inside one; ValueError where that is not sure."""
    if text == "null":
        return None
    if kind.name == "array":
        return [_nested(part, kind.parts[0]) for part in _parts(text, "[]")]
    if kind.name == "map":
        pairs = [part.split("=", 1) for part in _parts(text, "{}")]
        key, value = kind.parts
        return {_nested(pair[0], key): _nested(pair[1], value) for pair in pairs if _is_pair(pair)}
    if kind.name == "row":
        fields = [part.partition("=")[2] for part in _parts(text, "{}")]
        typed = zip(fields, kind.parts, strict=True)
        return tuple(_nested(field, part) for field, part in typed)
    reader = _SCALARS.get(kind.name)
    if reader is not None:
        return reader(text)
    if kind.instant or kind.interval:
        return text  # as the local engine gives them; no comma is in them
    if kind.name != "varchar" or not _PLAIN.fullmatch(text):
        raise ValueError(text)
    return text


def _is_pair(pair: Sequence[str]) -> bool:
    if len(pair) != 2:  # noqa: PLR2004  (key and value)
        raise ValueError(pair)
    return True


def _parts(text: str, brackets: str) -> Iterator[str]:
    """Yield what stands between commas, but for those inside brackets."""
    if len(text) < len(brackets) or (text[0], text[-1]) != tuple(brackets):
        raise ValueError(text)
    inner, depth, begin = text[1:-1], 0, 0
    if not inner:
        return
    for place, letter in enumerate(inner):
        depth += (letter in "[{") - (letter in "]}")
        if depth == 0 and inner.startswith(", ", place):
            yield inner[begin:place]
            begin = place + 2
    yield inner[begin:]


def _left_as_text(name: str, kind: str) -> str:
    if kind in NESTED:
        return (
            f"column '{name}' is a {kind}, which Athena prints without saying where its texts end; "
            f"it is left as text. json_format(CAST({name} AS json)) says it"
        )
    return f"column '{name}': not every value is a {kind} as this program knows it; left as text"
