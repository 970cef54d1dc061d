"""The types of Athena's SQL, and which of them turn into which by themselves."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from schemas.columns import ColumnType

_NUMERIC = ("integer", "bigint", "decimal", "double")
MAX_PRECISION = 38
MILLISECONDS = 3
"""Digits after the second that the tables hold."""
_BIGINT_DIGITS = 19
_INTEGER_DIGITS = 10
_INSTANTS = ("timestamp", "timestamp with time zone")
_IN_DUCKDB = {
    "unknown": "INTEGER",
    "json": "VARCHAR",
    "varbinary": "BLOB",
    "timestamp with time zone": "TIMESTAMP",
    "interval day to second": "BIGINT",
    "interval year to month": "BIGINT",
}
"""Type -> what holds it: JSON as canonical text, an instant as UTC, intervals as ms or months."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A type: `decimal` has precision and scale, `array` an element, `map` a key and a value.

    `row` has as many `names` as parts, empty where a field has none. The precision of a timestamp
    is the number of digits after the second. `json` marks text that the exporter wrote as canonical
    JSON; it is no part of the type.
    """

    name: str
    parts: tuple[Kind, ...] = ()
    precision: int = 0
    scale: int = 0
    json: bool = field(default=False, compare=False)
    names: tuple[str, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        if self.name == "decimal":
            return f"decimal({self.precision},{self.scale})"
        if self.name == "row":
            fields = zip(self.names, self.parts, strict=True)
            return f"row({', '.join(f'{name} {part}'.strip() for name, part in fields)})"
        if self.parts:
            return f"{self.name}({', '.join(str(part) for part in self.parts)})"
        if self.name in _INSTANTS:
            return self.name.replace("timestamp", f"timestamp({self.precision})")
        return self.name

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
        return self.numeric or self.name in _ORDERED

    @property
    def comparable(self) -> bool:
        """Whether its values can be grouped: ordered ones, and arrays and rows of them."""
        if self.name in {"array", "row"}:
            return all(part.comparable for part in self.parts)
        return self.ordered or self.name == "varbinary"

    @property
    def instant(self) -> bool:
        """Whether it is a timestamp, with or without a zone."""
        return self.name in _INSTANTS

    @property
    def interval(self) -> bool:
        """Whether it is a span of time."""
        return self.name.startswith("interval")

    def duckdb(self) -> str:
        """Return the type's name in DuckDB."""
        if self.name == "array":
            return f"{self.parts[0].duckdb()}[]"
        if self.name == "map":
            return f"MAP({self.parts[0].duckdb()}, {self.parts[1].duckdb()})"
        if self.name == "decimal":
            return f"DECIMAL({self.precision},{self.scale})"
        if self.name == "row":
            fields = ", ".join(
                f"{identifier(field_name(place))} {part.duckdb()}"
                for place, part in enumerate(self.parts)
            )
            return f"STRUCT({fields})"
        return _IN_DUCKDB.get(self.name, self.name.upper())


def field_name(place: int) -> str:
    """Return the name that a field of a row has in DuckDB: its place, whatever its own name."""
    return f"f{place}"


BOOLEAN = Kind("boolean")
INTEGER = Kind("integer")
BIGINT = Kind("bigint")
DOUBLE = Kind("double")
VARCHAR = Kind("varchar")
JSON_TEXT = Kind("varchar", json=True)
DATE = Kind("date")
TIMESTAMP = Kind("timestamp", precision=MILLISECONDS)
INSTANT = Kind("timestamp with time zone", precision=MILLISECONDS)
"""A timestamp with the zone UTC, the only one there is here."""
DAYS = Kind("interval day to second")
MONTHS = Kind("interval year to month")
JSON = Kind("json")
VARBINARY = Kind("varbinary")
UNKNOWN = Kind("unknown")
"""The type of NULL."""
_ORDERED = {
    "varchar",
    "boolean",
    "date",
    "unknown",
    *_INSTANTS,
    DAYS.name,
    MONTHS.name,
}


def timestamp(precision: int) -> Kind:
    """Return the type of timestamps of so many digits after the second."""
    return Kind("timestamp", precision=precision)


def row(names: tuple[str, ...], parts: tuple[Kind, ...]) -> Kind:
    """Return the type of rows."""
    return Kind("row", parts, names=names)


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
        return first if (first.json, first.names) == (second.json, second.names) else _plain(first)
    if UNKNOWN in (first, second):
        return second if first == UNKNOWN else first
    if first.numeric and second.numeric:
        return _common_number(first, second)
    if (first.instant or first == DATE) and (second.instant or second == DATE):
        name = max(first.name, second.name)
        return Kind(name, precision=max(first.precision, second.precision))
    if first.name == second.name and len(first.parts) == len(second.parts) and first.parts:
        parts = [common(*pair) for pair in zip(first.parts, second.parts, strict=True)]
        if all(part is not None for part in parts):
            known = tuple(part for part in parts if part is not None)
            return Kind(first.name, known, names=_plain(first).names)
    return None


def _plain(kind: Kind) -> Kind:
    """Return a type without what is not part of it: marks of JSON and names of fields."""
    return replace(kind, json=False, names=("",) * len(kind.parts) if kind.name == "row" else ())


def _common_number(first: Kind, second: Kind) -> Kind:
    if DOUBLE in (first, second):
        return DOUBLE
    if first.whole and second.whole:
        return BIGINT
    left, right = as_decimal(first), as_decimal(second)
    scale = max(left.scale, right.scale)
    return decimal(max(left.precision - left.scale, right.precision - right.scale) + scale, scale)


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
