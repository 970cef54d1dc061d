"""Reads a user's file of reference energies: JSON, CSV or Parquet, all by one method."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from runner.crystal.elements import symbol_problem
from runner.hull.facets import Entry
from runner.hull.reference_set import EntrySet
from schemas.errors import UserError

METHOD = "method"
PER_ATOM = "energy_ev_per_atom"
TOTAL = "energy_ev"
COMPOSITIONS = ("formula", "composition")
EXPECTED = (
    "expected the columns `formula` (or `composition`), `energy_ev_per_atom` (or `energy_ev` of "
    "the formula as it is written) and `method`"
)


def read_entries(path: Path) -> EntrySet:
    """Return the reference set of a file.

    JSON is a list of entries, or {method: KEY, entries: [...]}; in CSV and Parquet every row has
    its method. A composition is a formula (`SrTiO3`) or amounts by element. `label` names an entry;
    without it, its formula does.

    Raises
    ------
    UserError
        Naming file and entry, when it cannot be read, lacks something, or mixes methods.
    """
    rows = list(_rows(path))
    if not rows:
        raise UserError(f"{path}: holds no entries; {EXPECTED}")
    method = _method(path, rows)
    labels: dict[str, int] = {}
    entries = []
    for number, row in enumerate(rows, start=1):
        try:
            entries.append(_entry(row, labels))
        except ValueError as error:
            raise UserError(f"{path}: entry {number}: {error}") from error
    return EntrySet(method, entries, str(path))


def _rows(path: Path) -> Iterator[Mapping[str, Any]]:
    readers = {".json": _from_json, ".csv": _from_csv, ".parquet": _from_parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise UserError(f"{path}: found '{path.suffix}', expected .json, .csv or .parquet")
    try:
        yield from reader(path)
    except UserError:
        raise
    except (OSError, ValueError) as error:
        # Decoders of JSON, CSV and Parquet raise ValueErrors, pyarrow's among them.
        raise UserError(f"{path}: cannot be read: {error}") from error


def _from_json(path: Path) -> Iterable[Mapping[str, Any]]:
    data = json.loads(path.read_text(encoding="utf-8"))
    shared = {}
    if isinstance(data, dict):
        shared = {METHOD: data.get(METHOD)} if METHOD in data else {}
        data = data.get("entries")
    if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
        raise UserError(f"{path}: expected a list of entries, or {{method: ..., entries: [...]}}")
    return [{**shared, **row} for row in data]


def _from_csv(path: Path) -> Iterable[Mapping[str, Any]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return [
            {key: value for key, value in row.items() if value} for row in csv.DictReader(lines)
        ]


def _from_parquet(path: Path) -> Iterable[Mapping[str, Any]]:
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return rows


def _method(path: Path, rows: Iterable[Mapping[str, Any]]) -> str:
    found: dict[str, int] = {}
    for number, row in enumerate(rows, start=1):
        method = row.get(METHOD)
        if not isinstance(method, str) or not method.strip():
            raise UserError(
                f"{path}: entry {number} says no method; every energy needs its method key: model "
                "and version (chgnet-0.3.0), or code, functional and family of pseudopotentials"
            )
        found.setdefault(method.strip(), number)
    if len(found) > 1:
        (one, first), (other, second) = list(found.items())[:2]
        raise UserError(
            f"{path}: mixes methods: entry {first} is '{one}', entry {second} '{other}'; energies "
            "of different methods have different zeros and cannot be compared"
        )
    return next(iter(found))


def _entry(row: Mapping[str, Any], labels: dict[str, int]) -> Entry:
    composition, text = _composition(row)
    if problem := symbol_problem(list(composition)):
        raise ValueError(problem)
    name = str(row.get("label") or text)
    labels[name] = labels.get(name, 0) + 1
    label = name if labels[name] == 1 else f"{name} ({labels[name]})"
    if row.get(PER_ATOM) is not None:
        return Entry(composition, _number(row[PER_ATOM], PER_ATOM), label)
    if row.get(TOTAL) is not None:
        return Entry(composition, _number(row[TOTAL], TOTAL) / sum(composition.values()), label)
    raise ValueError(f"no energy; {EXPECTED}")


def _composition(row: Mapping[str, Any]) -> tuple[dict[str, float], str]:
    """Return the amounts by element, and how they are written."""
    from pymatgen.core import Composition

    given = next((row[key] for key in COMPOSITIONS if row.get(key) is not None), None)
    if isinstance(given, str) and given.strip().startswith("{"):
        given = json.loads(given)
    if isinstance(given, Mapping):
        amounts = {str(symbol): _number(n, "an amount") for symbol, n in given.items() if n}
    elif isinstance(given, list):  # a map column of Parquet
        amounts = {str(symbol): _number(n, "an amount") for symbol, n in given if n}
    elif isinstance(given, str):
        # Reads parentheses too; refuses what is no formula with a ValueError. An invented element
        # becomes a dummy with a charge of 0, whose own text is `Xx0+`.
        found = Composition(given)
        return {one.symbol: float(n) for one, n in found.items()}, given
    else:
        raise ValueError(f"no composition; {EXPECTED}")  # noqa: TRY004  (told with entry and file)
    if not amounts or min(amounts.values()) < 0:
        raise ValueError("a composition needs amounts above 0")
    return amounts, "".join(f"{symbol}{n:g}" for symbol, n in amounts.items())


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool):
        raise ValueError(f"{name} is no number")  # noqa: TRY004  (told with entry and file)
    try:
        number = float(value)
    except TypeError as error:
        raise ValueError(f"{name} is no number") from error
    if not isfinite(number):
        raise ValueError(f"{name} is {number}, no finite number")
    return number
