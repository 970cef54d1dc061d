"""Whether a structure is new, compared with a set of known ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from runner.crystal.cells import from_arrow
from runner.crystal.equivalence import SITE_TOLERANCE, TOLERANCE_ANG, Equivalence
from runner.crystal.reference_structures import file_hash, named_structures
from runner.space.structures import StructuresParams, structure_paths
from schemas.columns import Column
from schemas.identity import candidate_id
from schemas.model import Model
from schemas.protocols import Scorer, Surroundings
from schemas.structure import Structure

if TYPE_CHECKING:
    import pyarrow as pa


class NoveltyParams(Model):
    """What is known, and how near counts as the same."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"use_references": True}, {"files": "known/*.cif"}]}
    )

    files: tuple[str, ...] = Field(
        default=(),
        description="Globs of structure files, relative to the campaign file (known/*.cif), and of "
        "Parquet tables with a column `structure` and, if there is one, `name`.",
    )
    use_references: bool = Field(
        default=False, description="Compare also with the structures of the campaign's references."
    )
    tolerance_ang: float = Field(
        default=TOLERANCE_ANG,
        gt=0.0,
        description="Difference of mean distances between atoms, in angstrom, above which "
        "structures are different.",
    )
    site_tolerance: float = Field(
        default=SITE_TOLERANCE,
        gt=0.0,
        le=1.0,
        description="Root mean square displacement, over the cube root of the volume per atom, "
        "above which they are different.",
    )

    @field_validator("files", mode="before")
    @classmethod
    def _one_or_many(cls, files: object) -> object:
        return (files,) if isinstance(files, str) else files

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.files and not self.use_references:
            raise ValueError("nothing to compare with; give files, or use_references: true")
        return self


class Novelty:
    """Looks for each structure among the known ones; see `schemas.protocols.Score`."""

    params = NoveltyParams
    version = 1

    def columns(self, params: NoveltyParams) -> tuple[Column, ...]:
        """Return whether formula and structure are new, and what a structure is equal to."""
        return (
            Column("novel", "bool", "No known structure is equivalent."),
            Column("equivalent_to", "text", "The first known structure that is: its file."),
            Column("novel_formula", "bool", "No known structure has that reduced formula."),
        )

    def requires(self, params: NoveltyParams) -> tuple[str, ...]:
        """Return the cell."""
        return ("structure",)

    def seconds(self, params: NoveltyParams) -> float:
        """Return the time of one row whose formula is known."""
        return 5e-3

    def files(self, params: NoveltyParams, surroundings: Surroundings) -> dict[str, str]:
        """Return the hash of every file, and of the campaign's references."""
        hashes: dict[str, str] = {}
        if params.files:
            paths = structure_paths(StructuresParams(files=params.files), surroundings.folder)
            hashes = {name: file_hash(path) for name, path in paths.items()}
        if params.use_references:
            for at, structure in enumerate(surroundings.references):
                hashes[f"reference {at}"] = candidate_id(structure)
        return hashes

    def lacking(
        self,
        params: NoveltyParams,
        *,
        elements: bool,
        compounds: bool,
        sample: Callable[[], object],
    ) -> str | None:
        """Return what the campaign's references lack: without any, everything would be new."""
        if not params.use_references or elements:
            return None
        return (
            "`use_references: true`, and the campaign has no references; give it `references: "
            "{structures: known/*.cif}`, or the score `files`"
        )

    def scorer(self, params: NoveltyParams, surroundings: Surroundings) -> Scorer:
        """Read what is known; return the function that scores batches, cell by cell."""
        known: Equivalence[str] = Equivalence(
            tolerance_ang=params.tolerance_ang, site_tolerance=params.site_tolerance
        )
        formulas = set()
        for name, structure in _known(params, surroundings):
            known.add(name, structure)
            formulas.add(_formula(structure))

        def score(batch: pa.RecordBatch) -> pa.RecordBatch:
            import pyarrow as pa

            from schemas.columns import arrow_schema

            rows = [
                _row(structure, known, formulas) for structure in from_arrow(batch["structure"])
            ]
            texts = (Column("note", "text", ""), Column("error", "text", ""))
            schema = arrow_schema((*self.columns(params), *texts))
            return pa.RecordBatch.from_pylist(rows, schema=schema)

        return score


plugin = Novelty()


def _known(params: NoveltyParams, surroundings: Surroundings) -> Iterator[tuple[str, Structure]]:
    if params.files:
        paths = structure_paths(StructuresParams(files=params.files), surroundings.folder)
        for name, path in paths.items():
            yield from named_structures(name, path)
    if params.use_references:
        for at, structure in enumerate(surroundings.references):
            yield f"reference {at} ({structure.formula})", structure


def _row(structure: Structure, known: Equivalence[str], formulas: set[str]) -> dict[str, object]:
    try:
        equivalent = known.find(structure)
    except ValueError as error:
        return {"error": str(error)}
    return {
        "novel": equivalent is None,
        "equivalent_to": equivalent,
        "novel_formula": _formula(structure) not in formulas,
    }


def _formula(structure: Structure) -> str:
    from runner.crystal.fingerprint import group_of

    return group_of(structure.model_copy(update={"moments_bohr": None, "charge": 0.0}))
