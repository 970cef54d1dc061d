"""Takes candidates from structure files: CIF, POSCAR, and JSON."""

from __future__ import annotations

from collections.abc import Iterator
from glob import has_magic
from pathlib import Path

from pydantic import ConfigDict, Field, field_validator

from runner.crystal.reading import read_structures
from runner.space._readings import failed, read
from schemas.candidate import Candidate
from schemas.columns import Column
from schemas.errors import UserError
from schemas.model import JsonValue, Model
from schemas.protocols import Surroundings


class StructuresParams(Model):
    """Which files, and whether their cells are reduced."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"files": "cifs/*.cif"}]})

    files: tuple[str, ...] = Field(
        description="One glob or a list of them, relative to the campaign file: cifs/*.cif. "
        "Read are CIF (.cif), POSCAR (.vasp, .poscar, POSCAR*, CONTCAR*) and JSON (.json: a "
        "pymatgen structure, a structure of this program, or a list of them).",
    )
    primitive: bool = Field(
        default=False,
        description="Reduce each cell to its primitive cell. By default the cell stays as it is.",
    )

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


class StructuresGenerator:
    """Yields the structures of files, sorted by path; see `schemas.protocols.Generator`."""

    params = StructuresParams

    def columns(self, params: StructuresParams) -> tuple[Column, ...]:
        """Return where a structure came from, and what its reader remarked."""
        return (
            Column("file", "text", "File of the structure, relative to the campaign file."),
            Column("file_index", "int", "Position of the structure in its file, from 0."),
            Column("file_remarks", "text", "What the reader of the file warned of, or null."),
        )

    def count(self, params: StructuresParams, surroundings: Surroundings) -> None:
        """Return None: only reading tells how many structures files hold. Checks the globs."""
        structure_paths(params, surroundings.folder)

    def candidates(
        self, params: StructuresParams, surroundings: Surroundings
    ) -> Iterator[Candidate]:
        """Yield the structures file by file, holding one file at a time.

        What cannot be read of a file, or is partially occupied, is a candidate with a problem.

        Raises
        ------
        UserError
            When a glob matches nothing, or nothing could be read: the first reason.
        """
        first: UserError | None = None
        some = False
        for name, path in structure_paths(params, surroundings.folder).items():
            index = 0
            try:
                for found in read_structures(path, primitive=params.primitive):
                    extra: dict[str, JsonValue] = {
                        "file": name,
                        "file_index": index,
                        "file_remarks": found.remarks,
                    }
                    choice: dict[str, JsonValue] = {"file": name, "index": index}
                    yield read("structures", choice, found.structure, extra)
                    some, index = True, index + 1
            except UserError as error:
                first = first or error
                where: dict[str, JsonValue] = {"file": name, "index": index}
                nothing: dict[str, JsonValue] = {
                    "file": name,
                    "file_index": index,
                    "file_remarks": None,
                }
                yield failed("structures", where, None, error, extra=nothing)
        if first and not some:
            raise first


plugin = StructuresGenerator()


def structure_paths(params: StructuresParams, folder: Path) -> dict[str, Path]:
    """Return the files by their name relative to the folder, sorted, each once."""
    found: dict[str, Path] = {}
    for pattern in params.files:
        paths = [path for path in _matches(pattern, folder) if path.is_file()]
        if not paths:
            kind = "no file matches" if has_magic(pattern) else "there is no file"
            raise UserError(f"{kind} '{pattern}' (looked from {folder})")
        for path in paths:
            inside = path.is_relative_to(folder)
            found[path.relative_to(folder).as_posix() if inside else path.as_posix()] = path
    return dict(sorted(found.items()))


def _matches(pattern: str, folder: Path) -> Iterator[Path]:
    absolute = Path(pattern).expanduser()
    if not has_magic(pattern):
        # Taken as it stands: `..` may lead out of the folder.
        yield folder / absolute
    elif absolute.is_absolute():
        root = Path(absolute.anchor)
        yield from root.glob(absolute.relative_to(root).as_posix())
    else:
        yield from folder.glob(pattern)
