"""Rows of CSV and Parquet files, one after the other, and what is taken along of them, typed."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, StringConstraints

from schemas.columns import Column
from schemas.errors import UserError, suggestion
from schemas.model import JsonValue, Model

TakenType: TypeAlias = Literal["float", "int", "bool", "text"]
ColumnName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
"""A name that expressions and SQL know as a column."""
SUFFIXES = (".csv", ".parquet")
BATCH_ROWS = 512
"""Of a Parquet file that are in memory at once."""
LARGEST_CELL_BYTES = 2**26
"""A text in a CSV file may hold the CIF of a large cell."""
NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")
"""JSON's numbers; `007` is a text."""
LARGEST_INT = 2**63 - 1
"""Tables hold whole numbers in 64 bits."""
TRUTH: Mapping[str, bool] = {"true": True, "false": False, "1": True, "0": False}


class TakenColumn(Model):
    """A column that is taken along, where its type alone does not say enough."""

    type: TakenType = Field(description="float, int, bool or text.")
    header: str | None = Field(default=None, description="Its name in the file, if it is another.")
    unit: str | None = Field(default=None, description="Unit: eV, angstrom.")
    description: str = Field(default="", description="What it means.")


Taken: TypeAlias = dict[ColumnName, TakenType | TakenColumn]
TAKEN = (
    "Columns that are taken along, with their types (float, int, bool, text): {gap_ev: float}, or "
    "{gap_ev: {type: float, header: 'Band gap (eV)'}}. Expressions see them like scores."
)


def columns(taken: Taken, where: str) -> tuple[Column, ...]:
    """Return the columns that are taken along, described as being of `where`."""
    found = []
    for name, given in taken.items():
        one = _full(given)
        text = one.description or f"`{one.header or name}` of {where}."
        found.append(Column(name, one.type, text, one.unit))
    return tuple(found)


def headers(taken: Taken) -> dict[str, str]:
    """Return the names in the file by those of the columns."""
    return {name: _full(given).header or name for name, given in taken.items()}


def values(taken: Taken, row: Mapping[str, object]) -> dict[str, JsonValue]:
    """Return what is taken along of a row; what is not there, empty, NaN or infinite is null.

    Raises
    ------
    ValueError
        Naming the column whose value is of another type.
    """
    return {
        name: _typed(row.get(header), _full(taken[name]).type, header)
        for name, header in headers(taken).items()
    }


def check_file(path: Path, name: str) -> None:
    """Raise UserError for a file that is not there or no table."""
    if not path.is_file():
        raise UserError(f"there is no file '{name}'")
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"{name}: found a {path.suffix or 'nameless kind of'} file, expected "
                        f"{' or '.join(SUFFIXES)}")  # fmt: skip


def rows(path: Path, wanted: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table by the names of its columns, holding few at a time.

    Values of CSV files are texts, empty ones None.

    Parameters
    ----------
    path
        A CSV file in UTF-8 with a line of names, or a Parquet file.
    wanted
        Names of the columns that are needed; all, if not given.

    Raises
    ------
    UserError
        Naming the file, for a column that is not there, and for a file that cannot be read.
    """
    return _csv(path, wanted) if path.suffix.lower() == ".csv" else _parquet(path, wanted)


def names(path: Path) -> tuple[str, ...]:
    """Return the names of a table's columns. Raises UserError when it cannot be read."""
    if path.suffix.lower() == ".csv":
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                return tuple(next(csv.reader(file), ()))
        except (OSError, ValueError, csv.Error) as error:
            raise UserError(f"{path}: cannot be read: {error}") from error
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return tuple(pq.read_schema(path).names)
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path}: cannot be read: {error}") from error


def plain(value: object) -> JsonValue:
    """Return a text of a CSV file as the JSON value that it looks like: number, truth, text."""
    if isinstance(value, str):
        return _looked_at(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not isfinite(value):
        return None
    return value if value is None or isinstance(value, int | float) else str(value)


def _looked_at(text: str) -> JsonValue:
    if NUMBER.fullmatch(text):
        return float(text) if set(text) & set(".eE") else int(text)
    return {"true": True, "false": False}.get(text, text)


def check_names(path: Path, wanted: Sequence[str]) -> None:
    """Raise UserError for the first wanted column that the file lacks."""
    there = names(path)
    for name in wanted:
        if name not in there:
            raise UserError(f"{path}: has no column '{name}'{suggestion(name, there)}")


def _csv(path: Path, wanted: Sequence[str] | None) -> Iterator[dict[str, Any]]:
    check_names(path, wanted or ())
    csv.field_size_limit(max(csv.field_size_limit(), LARGEST_CELL_BYTES))
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                yield {name: row.get(name) or None for name in wanted or row if name is not None}
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read: {error}") from error


def _parquet(path: Path, wanted: Sequence[str] | None) -> Iterator[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    check_names(path, wanted or ())
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(BATCH_ROWS, columns=wanted and [*wanted]):
                yield from batch.to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path}: cannot be read: {error}") from error


def _full(given: TakenType | TakenColumn) -> TakenColumn:
    return given if isinstance(given, TakenColumn) else TakenColumn(type=given)


def _typed(value: object, kind: TakenType, name: str) -> JsonValue:
    found = _converted(value, kind) if value is not None and value != "" else None
    if kind == "int" and isinstance(found, int) and not -LARGEST_INT - 1 <= found <= LARGEST_INT:
        found = None
    if found is None and not (value is None or value == "" or _is_missing(value)):
        raise ValueError(f"column {name}: found {value!r}, expected {EXPECTED[kind]}")
    return found


EXPECTED: Mapping[TakenType, str] = {
    "float": "a number",
    "int": "a whole number of at most 64 bits",
    "bool": "true or false",
    "text": "a text",
}


def _is_missing(value: object) -> bool:
    """Tell whether a value is a number that is not finite."""
    if isinstance(value, str):
        return value.strip().lower().lstrip("+-") in {"nan", "inf", "infinity"}
    return isinstance(value, float) and not isfinite(value)


def _converted(value: object, kind: TakenType) -> JsonValue:
    """Return the value as one of that type, or None where it is none."""
    if kind == "text":
        return value if isinstance(value, str) else str(value)
    if isinstance(value, str):
        return _from_text(value.strip(), kind)
    if kind == "bool":
        return value if isinstance(value, bool) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return None
    if kind == "float":
        return float(value)
    return int(value) if value == int(value) else None


def _from_text(text: str, kind: TakenType) -> JsonValue:
    if kind == "bool":
        return TRUTH.get(text.lower())
    try:
        number = float(text)
        if kind == "float":
            return number if isfinite(number) else None
        return int(text)
    except ValueError:
        return None
