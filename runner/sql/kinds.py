"""The types of Athena's SQL, and which of them turn into which by themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from schemas.columns import ColumnType

_NUMERIC = ("integer", "bigint", "decimal", "double")
MAX_PRECISION = 38
_BIGINT_DIGITS = 19
_INTEGER_DIGITS = 10


@dataclass(frozen=True, slots=True)
class Kind:
    """A type: `decimal` has precision and scale, `array` an element, `map` a key and a value.

    `json` marks text that the exporter wrote as canonical JSON; it is no part of the type.
    """

    name: str
    parts: tuple[Kind, ...] = ()
    precision: int = 0
    scale: int = 0
    json: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        if self.name == "decimal":
            return f"decimal({self.precision},{self.scale})"
        if self.parts:
            return f"{self.name}({', '.join(str(part) for part in self.parts)})"
        return "timestamp(3)" if self.name == "timestamp" else self.name

    @property
    def numeric(self) -> bool:
        """Whether it is a number."""
        return self.name in _NUMERIC

    @property
    def whole(self) -> bool:
        """Whether it is a number without fraction."""
        return self.name in {"integer", "bigint"}

    @property
    def ordered(self) -> bool:
        """Whether its values can be compared with < and sorted alike in both systems."""
        return self.numeric or self.name in {"varchar", "boolean", "date", "timestamp", "unknown"}

    def duckdb(self) -> str:
        """Return the type's name in DuckDB."""
        if self.name == "array":
            return f"{self.parts[0].duckdb()}[]"
        if self.name == "map":
            return f"MAP({self.parts[0].duckdb()}, {self.parts[1].duckdb()})"
        if self.name == "decimal":
            return f"DECIMAL({self.precision},{self.scale})"
        return "INTEGER" if self.name == "unknown" else self.name.upper()


BOOLEAN = Kind("boolean")
INTEGER = Kind("integer")
BIGINT = Kind("bigint")
DOUBLE = Kind("double")
VARCHAR = Kind("varchar")
JSON_TEXT = Kind("varchar", json=True)
DATE = Kind("date")
TIMESTAMP = Kind("timestamp")
UNKNOWN = Kind("unknown")
"""The type of NULL."""


def array(element: Kind) -> Kind:
    """Return the type of arrays of the element."""
    return Kind("array", (element,))


def mapping(key: Kind, value: Kind) -> Kind:
    """Return the type of maps."""
    return Kind("map", (key, value))


def decimal(precision: int, scale: int) -> Kind:
    """Return the type of decimal numbers of so many digits, `scale` of them after the point."""
    return Kind("decimal", precision=min(precision, MAX_PRECISION), scale=scale)


_COLUMNS: dict[ColumnType, Kind] = {
    "float": DOUBLE,
    "int": BIGINT,
    "bool": BOOLEAN,
    "text": VARCHAR,
    "timestamp": TIMESTAMP,
    "texts": array(VARCHAR),
    "floats": array(DOUBLE),
    "json": JSON_TEXT,
}


def kind_of(column: ColumnType) -> Kind:
    """Return the type of a published column."""
    return _COLUMNS[column]


def as_decimal(kind: Kind) -> Kind:
    """Return the decimal type that holds a whole number or a decimal."""
    if kind.whole:
        return decimal(_BIGINT_DIGITS if kind == BIGINT else _INTEGER_DIGITS, 0)
    return kind


def common(first: Kind, second: Kind) -> Kind | None:
    """Return the type to which both turn by themselves, or None where there is none."""
    if first == second:
        return first if first.json == second.json else Kind(first.name)
    if UNKNOWN in (first, second):
        return second if first == UNKNOWN else first
    if first.numeric and second.numeric:
        return _common_number(first, second)
    if {first.name, second.name} == {"date", "timestamp"}:
        return TIMESTAMP
    if first.name == second.name == "array":
        element = common(first.parts[0], second.parts[0])
        return array(element) if element else None
    return None


def _common_number(first: Kind, second: Kind) -> Kind:
    if DOUBLE in (first, second):
        return DOUBLE
    if first.whole and second.whole:
        return BIGINT
    left, right = as_decimal(first), as_decimal(second)
    scale = max(left.scale, right.scale)
    return decimal(max(left.precision - left.scale, right.precision - right.scale) + scale, scale)


Form = Literal["column", "literal", "star", "other"]


@dataclass(frozen=True, slots=True)
class Typed:
    """An expression as DuckDB's SQL, and its type in Athena.

    `value` is what a literal stands for; `name` the output name that a bare column keeps.
    """

    sql: str
    kind: Kind
    value: str | int | None = None
    name: str | None = None

    def to(self, kind: Kind) -> str:
        """Return the SQL with the type that it is to turn into, written out."""
        same = self.kind == kind
        return self.sql if same else f"CAST({self.sql} AS {kind.duckdb()})"


def text_literal(value: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return a name in double quotes."""
    return '"' + name.replace('"', '""') + '"'
