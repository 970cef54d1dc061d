"""Properties of entries as typed columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, Literal, TypeAlias

from pydantic import Field

from schemas.columns import Column
from schemas.identity import canonical_json
from schemas.model import JsonValue, Model

AskedType: TypeAlias = Literal["float", "int", "bool", "text", "texts", "floats", "json"]


class AskedColumn(Model):
    """A column that is filled from a property of the entries."""

    property: str = Field(
        pattern=r"^[a-z_][a-z0-9_]*(\.[^.\s,&]+)*$",
        max_length=200,
        description="Property of the database, which begins with its prefix: _oqmd_band_gap. Dots "
        "lead into nested values: _mp_stability.gga_gga+u.energy_above_hull.",
    )
    type: AskedType = Field(
        description="Type of the column. Values that are not of it become null; `json` takes all."
    )
    unit: str | None = Field(
        default=None, description="Unit of the values, as the database documents it."
    )

    def field_name(self) -> str:
        """Return what the database is asked for: the part before the first dot."""
        return self.property.partition(".")[0]

    def column(self, name: str) -> Column:
        """Return the column of that name."""
        return Column(name, self.type, f"`{self.property}` of the database.", self.unit)

    def value(self, attributes: Mapping[str, Any]) -> JsonValue:
        """Return the value of an entry, or None where it has none of that type."""
        found: Any = attributes
        for part in self.property.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        return None if found is None else _READERS[self.type](found)


def _float(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if isfinite(number) else None


def _int(value: Any) -> int | None:
    number = _float(value)
    whole = number is not None and number.is_integer() and abs(number) < 2**63
    return int(value) if whole else None


def _bool(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _text(value: Any) -> str | None:
    # What JSON calls a text may hold halves of characters, which no table takes.
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else None


def _all_of(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def values(value: Any) -> list[Any] | None:
        read_ones = [read(one) for one in value] if isinstance(value, list) else [None]
        return None if None in read_ones else read_ones

    return values


def _json(value: Any) -> str | None:
    try:
        return _text(canonical_json(value))
    except ValueError:  # numbers that are none
        return None


_READERS: Mapping[AskedType, Callable[[Any], Any]] = {
    "float": _float,
    "int": _int,
    "bool": _bool,
    "text": _text,
    "texts": _all_of(_text),
    "floats": _all_of(_float),
    "json": _json,
}
