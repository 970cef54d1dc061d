"""Takes candidates from a user's program: for the rows of a table, or by itself."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import NoReturn

from pydantic import ConfigDict, Field, field_validator

from runner.crystal.reading import structure_of
from runner.space import _rows
from runner.space._readings import failed, read
from runner.space._rows import TAKEN, Taken
from runner.space._script import Script, argv_of
from schemas.candidate import Candidate
from schemas.columns import Column
from schemas.errors import UserError
from schemas.model import JsonValue, Model
from schemas.protocols import Surroundings

KEYS = ("structure", "params", "error")
SHOWN_CHARACTERS = 80
LINE_LIMIT_S = 60.0


class PointsParams(Model):
    """Which program, what it is given, and what is taken along of what it prints."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"script": "make.py", "table": "params.csv", "columns": {"x": "float"}},
                {"script": ["python3", "make.py", "--tilts"], "line_limit_s": 600.0},
            ]
        }
    )

    script: str | tuple[str, ...] = Field(
        description="A Python file, which this program's own interpreter runs; another file that "
        "can be executed; or the words of a command: [julia, make.jl]. No shell reads them. It "
        "runs once, in the folder of the campaign file, and only when candidates are made. It "
        "prints a JSON object per line: {structure: ..., params: {x: 0.5}}, the structure as "
        "pymatgen's `as_dict()` or this program have it, or a text in CIF or POSCAR; {error: why} "
        "where it has none. Random numbers: `MATCAMPAIGN_SEED` holds the campaign's seed.",
    )
    table: str | None = Field(
        default=None,
        description="CSV or Parquet file whose rows the program gets on standard input, a JSON "
        "object per line; nothing, if not given.",
    )
    columns: Taken = Field(default_factory=dict, description=f"{TAKEN} They are in `params`.")
    line_limit_s: float = Field(
        default=LINE_LIMIT_S,
        gt=0.0,
        description="The longest time that a line may take, in seconds.",
    )

    @field_validator("script")
    @classmethod
    def _words(cls, script: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if not script or not script[0]:
            raise ValueError("at least the name of a program")
        return script


class PointsGenerator:
    """Yields what a program prints; see `schemas.protocols.Generator`."""

    params = PointsParams

    def columns(self, params: PointsParams) -> tuple[Column, ...]:
        """Return the columns that are taken along."""
        return _rows.columns(params.columns, "the program's `params`")

    def count(self, params: PointsParams, surroundings: Surroundings) -> None:
        """Return None: only the program tells. Checks that it and the table are there."""
        argv_of(params.script, surroundings.folder)
        if params.table is not None:
            _rows.check_file(surroundings.folder / params.table, params.table)

    def candidates(self, params: PointsParams, surroundings: Surroundings) -> Iterator[Candidate]:
        """Run the program and yield a candidate for each of its lines, as they come.

        A line whose structure or params are wrong gives a candidate that has a problem.

        Raises
        ------
        UserError
            When the program cannot be started, fails, is silent for too long, or prints a line
            that is no JSON object.
        """
        folder = surroundings.folder
        argv = argv_of(params.script, folder)
        table = None if params.table is None else folder / params.table
        if table is not None and params.table is not None:
            _rows.check_file(table, params.table)
        name = params.script if isinstance(params.script, str) else " ".join(params.script)
        script = Script(name, argv, folder, surroundings.seed, _fed(table), params.line_limit_s)
        with closing(script.lines()) as lines:
            for number, line in enumerate(lines, start=1):
                yield _candidate(params, f"{name}: line {number}", number, line)


plugin = PointsGenerator()


def _fed(table: Path | None) -> Iterable[str]:
    if table is None:
        return ()
    return (
        json.dumps({name: _rows.plain(value) for name, value in row.items()})
        for row in _rows.rows(table)
    )


def _candidate(params: PointsParams, place: str, number: int, line: str) -> Candidate:
    printed = _object(line, place)
    given = printed.get("params")
    point = given if isinstance(given, dict) else {}
    choice: dict[str, JsonValue] = {"line": number, "params": point}
    try:
        _check(printed)
        extra = _rows.values(params.columns, point)
        structure = structure_of(printed["structure"], "structure")
    except (UserError, ValueError) as error:
        return failed("points", choice, place, error)
    return read("points", choice, structure, extra)


def _check(printed: Mapping[str, JsonValue]) -> None:
    """Raise ValueError for a line that gives no structure, with its own reason if it has one."""
    if unknown := [key for key in printed if key not in KEYS]:
        raise ValueError(f"found {', '.join(unknown)}, expected {', '.join(KEYS)}")
    if printed.get("error") is not None:
        raise ValueError(str(printed["error"]))
    missing = "structure" not in printed
    if missing or not isinstance(printed.get("params") or {}, dict):
        raise ValueError("structure: missing" if missing else "params: expected an object")


def _object(line: str, place: str) -> dict[str, JsonValue]:
    try:
        printed = json.loads(line, parse_constant=_refuse)
    except ValueError as error:
        raise UserError(
            f"{place}: found {line.strip()[:SHOWN_CHARACTERS]!r}, expected a JSON object "
            f"({error}); print other messages to standard error"
        ) from error
    if not isinstance(printed, dict):
        raise UserError(
            f"{place}: found {line.strip()[:SHOWN_CHARACTERS]!r}, expected a JSON object"
        )
    return printed


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
