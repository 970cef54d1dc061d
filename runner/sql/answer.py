"""The answer to a query, and how it is written as JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from schemas.model import JsonValue


@dataclass(frozen=True, slots=True)
class Answer:
    """Names and types of the columns, in order, the rows, and what may surprise about them."""

    columns: list[tuple[str, str]]
    rows: list[tuple[object, ...]]
    warnings: tuple[str, ...] = ()

    def to_data(self) -> dict[str, object]:
        """Return the answer as plain JSON values: times and decimals as text."""
        return {
            "columns": [{"name": name, "type": kind} for name, kind in self.columns],
            "rows": [list(row) for row in self.to_rows()],
        }

    def to_rows(self) -> tuple[tuple[JsonValue, ...], ...]:
        """Return the rows as plain JSON values; NaN and infinity stay as they are."""
        return tuple(tuple(_plain(value) for value in row) for row in self.rows)

    def to_json(self) -> str:
        """Return the answer as JSON text."""
        return json.dumps(self.to_data(), ensure_ascii=False, allow_nan=False)

    def to_csv(self) -> str:
        """Return the answer as CSV: a line of names, then the rows; NULL is an empty field."""
        target = io.StringIO()
        writer = csv.writer(target, lineterminator="\n")
        writer.writerow([name for name, _ in self.columns])
        for row in self.rows:
            writer.writerow([as_field(value) for value in row])
        return target.getvalue()


def _plain(value: object) -> JsonValue:  # noqa: PLR0911  (one per type)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="milliseconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(_plain(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, bytes):
        return value.hex(" ")  # as Athena prints them
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)


def as_field(value: object) -> object:
    """Return a value as a field of CSV: lists and mappings as JSON, NULL empty."""
    plain = _plain(value)
    if plain is None:
        return ""
    if isinstance(plain, bool):
        return "true" if plain else "false"
    if isinstance(plain, list | dict):
        return json.dumps(plain, ensure_ascii=False)
    return plain
