"""Takes candidates from tables: CSV and Parquet files with a structure in each row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeAlias

from pydantic import ConfigDict, Field, field_validator, model_validator

from runner.crystal.elements import SYMBOLS
from runner.crystal.reading import read_structures, structure_of
from runner.space import _rows
from runner.space._readings import failed, read
from runner.space._rows import TAKEN, Taken
from runner.space.structures import StructuresParams, structure_paths
from schemas.candidate import Candidate
from schemas.columns import Column
from schemas.errors import UserError
from schemas.model import JsonValue, Model
from schemas.protocols import Surroundings
from schemas.structure import Structure

CELL = ("lattice_ang", "numbers", "frac_coords")
"""Columns of a cell; `moments_bohr` and `charge` may stand beside them."""
ALSO = ("moments_bohr", "charge")
Reader: TypeAlias = Callable[[Mapping[str, Any]], Structure]


class TableParams(Model):
    """Which files, where in a row the structure is, and what else is taken."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "files": "candidates.csv",
                    "structure": "cif",
                    "columns": {
                        "gap_ev": {"type": "float", "header": "Band gap", "unit": "eV"},
                        "origin": "text",
                    },
                },
                {"files": ["shards/*.parquet"]},
                {"files": "candidates.csv", "path": "file"},
            ]
        }
    )

    files: tuple[str, ...] = Field(
        description="One glob or a list of them, relative to the campaign file, of CSV files in "
        "UTF-8 with a line of names and of Parquet files: shards/*.parquet."
    )
    structure: str | None = Field(
        default=None,
        description="Name of the column with the structure: a text in CIF, POSCAR or JSON, or, in "
        "Parquet, a cell (lattice_ang, numbers, frac_coords). Where neither this nor path is "
        "given, `structure`, or the columns of a cell themselves.",
    )
    path: str | None = Field(
        default=None,
        description="Name of the column with paths to structure files, relative to the table.",
    )
    columns: Taken = Field(default_factory=dict, description=TAKEN)

    @field_validator("files", mode="before")
    @classmethod
    def _one_or_many(cls, files: object) -> object:
        return (files,) if isinstance(files, str) else files

    @field_validator("files")
    @classmethod
    def _some(cls, files: tuple[str, ...]) -> tuple[str, ...]:
        if not files or not all(files):
            raise ValueError("at least one file or glob, none of them empty")
        return files

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.structure is not None and self.path is not None:
            raise ValueError("found both structure and path, expected one of them")
        return self


class TableGenerator:
    """Yields the rows of tables, sorted by path; see `schemas.protocols.Generator`."""

    params = TableParams

    def columns(self, params: TableParams) -> tuple[Column, ...]:
        """Return where a row stands, and the columns that are taken along."""
        return (
            Column("file", "text", "File of the structure, relative to the campaign file."),
            Column("file_index", "int", "Position of the structure in its file, from 0."),
            *_rows.columns(params.columns, "the table"),
        )

    def count(self, params: TableParams, surroundings: Surroundings) -> int | None:
        """Return the number of rows of Parquet files; None where there are CSV files.

        Checks that the files are there and have the columns.
        """
        paths = _paths(params, surroundings.folder)
        for path in paths.values():
            _wanted(params, path)
        if any(path.suffix.lower() == ".csv" for path in paths.values()):
            return None
        import pyarrow.parquet as pq

        return sum(int(pq.read_metadata(path).num_rows) for path in paths.values())

    def candidates(self, params: TableParams, surroundings: Surroundings) -> Iterator[Candidate]:
        """Yield the rows file by file, a few at a time.

        A row whose structure or values are wrong gives a candidate that has a problem.

        Raises
        ------
        UserError
            When a file is not there, cannot be read or lacks a column.
        """
        for name, path in _paths(params, surroundings.folder).items():
            wanted, structure = _wanted(params, path)
            for index, row in enumerate(_rows.rows(path, wanted)):
                yield _candidate(params, structure, row, name, index)


plugin = TableGenerator()


def _paths(params: TableParams, folder: Path) -> dict[str, Path]:
    paths = structure_paths(StructuresParams(files=params.files), folder)
    for name, path in paths.items():
        _rows.check_file(path, name)
    return paths


def _wanted(params: TableParams, path: Path) -> tuple[list[str], Reader]:
    """Return the columns that are read of a file, and how its structures are found in a row.

    Raises
    ------
    UserError
        When the file lacks a column.
    """
    there = _rows.names(path)
    taken = list(_rows.headers(params.columns).values())
    _rows.check_names(path, taken)
    if params.path is not None:
        _rows.check_names(path, [params.path])
        return _distinct([params.path, *taken]), _file_of(params.path, path.parent)
    named = params.structure
    if named is None and "structure" not in there and set(CELL) <= set(there):
        more = [name for name in ALSO if name in there]
        return _distinct([*CELL, *more, *taken]), _cell
    named = named or "structure"
    if named not in there and params.structure is None:
        raise UserError(
            f"{path}: has no column 'structure', and not all of {', '.join(CELL)}; "
            "name the column with `structure` or `path`"
        )
    _rows.check_names(path, [named])
    return _distinct([named, *taken]), lambda row: _value(row[named], named)


def _distinct(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _candidate(
    params: TableParams, structure: Reader, row: Mapping[str, Any], name: str, index: int
) -> Candidate:
    choice: dict[str, JsonValue] = {"file": name, "index": index}
    origin: dict[str, JsonValue] = {"file": name, "file_index": index}
    try:
        extra = origin | _rows.values(params.columns, row)
        return read("table", choice, structure(row), extra)
    except (UserError, ValueError) as error:
        return failed("table", choice, f"{name}: row {index}", error, extra=origin)


def _value(value: object, name: str) -> Structure:
    if value is None:
        raise ValueError(f"column {name} is empty")
    if isinstance(value, Mapping) and "numbers" in value:
        return _cell(value)
    return structure_of(value, f"column {name}")


def _cell(row: Mapping[str, Any]) -> Structure:
    """Return the structure of a row with the columns of a cell. Raises ValueError for a bad one."""
    lattice, numbers, frac = (row[name] for name in CELL)
    if lattice is None or numbers is None or frac is None:
        raise ValueError("a part of the cell is empty")
    if not all(0 < number <= len(SYMBOLS) for number in numbers):
        raise ValueError(f"found the atomic numbers {numbers}, expected 1 to {len(SYMBOLS)}")
    return Structure.model_validate(
        {
            "lattice_ang": _vectors(lattice),
            "species": tuple(SYMBOLS[number - 1] for number in numbers),
            "frac_coords": _vectors(frac),
            "moments_bohr": row.get("moments_bohr"),
            "charge": row.get("charge") or 0.0,
        }
    )


def _vectors(given: Sequence[Any]) -> tuple[Any, ...]:
    """Return vectors that are given as lists of three, or all numbers end to end."""
    if given and isinstance(given[0], Sequence):
        return tuple(tuple(vector) for vector in given)
    if len(given) % 3:
        raise ValueError(f"found {len(given)} numbers of vectors, expected three for each")
    return tuple(zip(given[::3], given[1::3], given[2::3], strict=True))


def _file_of(column: str, folder: Path) -> Reader:
    def structure(row: Mapping[str, Any]) -> Structure:
        name = row[column]
        if not name:
            raise ValueError(f"column {column} is empty")
        path = folder / Path(str(name)).expanduser()
        if not path.is_file():
            raise ValueError(f"there is no file '{name}'")
        found = [one.structure for one in read_structures(path)]
        if len(found) != 1:
            raise ValueError(f"{name} holds {len(found)} structures, expected one")
        return found[0]

    return structure
