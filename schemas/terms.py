"""The leaves of an expression, constants and names, and what all its parts can do.

Every number is a 64-bit float, and a number that is not finite (a division by zero, an overflow, a
NaN in a column) is null: unknown. Truth values follow Kleene: `false and unknown` is false.
"""

# ruff: noqa: D102  (a term's class says what it is; its methods are those of Term)

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from schemas.columns import ColumnType
from schemas.errors import suggestion

if TYPE_CHECKING:
    import pyarrow as pa

Kind: TypeAlias = Literal["number", "text", "truth", "time", "texts", "numbers", "json", "null"]
Value: TypeAlias = object
Columns: TypeAlias = Mapping[str, ColumnType]

KIND_OF: Mapping[ColumnType, Kind] = {
    "float": "number",
    "int": "number",
    "bool": "truth",
    "text": "text",
    "timestamp": "time",
    "texts": "texts",
    "floats": "numbers",
    "json": "json",
}
WORDS: Mapping[Kind, str] = {
    "number": "a number",
    "text": "text",
    "truth": "a truth value",
    "time": "a time",
    "texts": "a list of texts",
    "numbers": "a list of numbers",
    "json": "a JSON value",
    "null": "null",
}


@dataclass(frozen=True, slots=True)
class Term:
    """A part of an expression, and its text for messages."""

    text: str

    def names(self) -> set[str]:
        """Return the column names in it."""
        return set().union(*(part.names() for part in self.parts()))

    def parts(self) -> Sequence[Term]:
        """Return the terms that it is made of."""
        return ()

    def check(self, columns: Columns, problems: list[str]) -> Kind | None:
        """Return the kind of its value, or None after adding to `problems`."""
        raise NotImplementedError

    def value(self, row: Mapping[str, object]) -> Value:
        """Return its value for one row; None is unknown."""
        raise NotImplementedError

    def array(self, batch: pa.RecordBatch) -> pa.Array:
        """Return its values for all rows of a batch."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Constant(Term):
    """A number, text, truth value or null, or a list of numbers or of texts."""

    constant: bool | float | str | tuple[float, ...] | tuple[str, ...] | None

    def kind(self) -> Kind:
        """Return the kind of the constant."""
        if self.constant is None:
            return "null"
        if isinstance(self.constant, bool):
            return "truth"
        if isinstance(self.constant, tuple):
            return "texts" if isinstance(self.constant[0], str) else "numbers"
        return "text" if isinstance(self.constant, str) else "number"

    def check(self, columns: Columns, problems: list[str]) -> Kind | None:  # noqa: ARG002
        return self.kind()

    def value(self, row: Mapping[str, object]) -> Value:  # noqa: ARG002
        return self.constant

    def array(self, batch: pa.RecordBatch) -> pa.Array:
        import pyarrow as pa

        types: Mapping[Kind, pa.DataType] = {
            "number": pa.float64(),
            "text": pa.string(),
            "truth": pa.bool_(),
            "null": pa.float64(),
            "texts": pa.list_(pa.string()),
            "numbers": pa.list_(pa.float64()),
        }
        kind = types[self.kind()]
        if isinstance(self.constant, tuple):  # Arrow repeats no list zero times
            return pa.array([list(self.constant)] * batch.num_rows, type=kind)
        return pa.repeat(pa.scalar(self.constant, type=kind), batch.num_rows)


@dataclass(frozen=True, slots=True)
class Name(Term):
    """A column: `formula`, or of a stage: `scf.band_gap_ev`."""

    name: str

    def names(self) -> set[str]:
        return {self.name}

    def check(self, columns: Columns, problems: list[str]) -> Kind | None:
        if self.name in columns:
            return KIND_OF[columns[self.name]]
        problems.append(_unknown(self.name, columns))
        return None

    def value(self, row: Mapping[str, object]) -> Value:
        return _plain(row.get(self.name))

    def array(self, batch: pa.RecordBatch) -> pa.Array:
        return finite(batch.column(self.name))


def _unknown(name: str, columns: Columns) -> str:
    """Return the message for an unknown name, with the nearest known one."""
    stage, dot, column = name.rpartition(".")
    known = {known.rpartition(".")[::2] for known in columns}
    stages = {of_stage for of_stage, _ in known if of_stage}
    if dot and stage not in stages:
        return f"no stage '{stage}'{suggestion(stage, sorted(stages))}"
    nearest = suggestion(column, sorted(known for of_stage, known in known if of_stage == stage))
    return f"{stage} has no column '{column}'{nearest}" if dot else f"no column '{name}'{nearest}"


def _plain(value: object) -> Value:
    if isinstance(value, float | int) and not isinstance(value, bool):
        return finite_number(value)
    if isinstance(value, list | tuple):
        return tuple(_plain(item) for item in value)
    return value


def finite_number(value: float) -> float | None:
    """Return the number as a float, None where it is not finite."""
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def finite(array: pa.Array) -> pa.Array:
    """Return the array with numbers as 64-bit floats, and null where they are not finite."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_integer(array.type) or pa.types.is_floating(array.type):
        array = pc.cast(array, pa.float64(), safe=False)
        return pc.if_else(pc.is_finite(array), array, pa.scalar(None, pa.float64()))
    if pa.types.is_null(array.type):
        return pc.cast(array, pa.float64())
    return pc.cast(array, pa.string()) if pa.types.is_large_string(array.type) else array
