"""Repeats cells."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from pydantic import ConfigDict, Field

from runner.crystal.supercell import Matrix, SupercellSize, determinant, repeated
from runner.space._of import OF, Of, Parent, columns, count, parents, transformed
from schemas.candidate import Candidate
from schemas.columns import Column
from schemas.model import JsonValue
from schemas.protocols import Surroundings
from schemas.structure import Structure


class SupercellsParams(SupercellSize):
    """What is repeated, and how: exactly one of `matrix`, `n_atoms` and `min_length_ang`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "of": {
                        "kind": "prototype",
                        "prototype": "rocksalt",
                        "species": {"A": ["Li", "Na"], "X": ["F"]},
                    },
                    "matrix": [[-1, 1, 1], [1, -1, 1], [1, 1, -1]],
                },
                {"of": {"kind": "structures", "files": "cifs/*.cif"}, "min_length_ang": 10.0},
            ]
        }
    )

    of: Of = Field(description=OF)


class SupercellsGenerator:
    """Yields a supercell of every cell; see `schemas.protocols.Generator`."""

    params = SupercellsParams

    def columns(self, params: SupercellsParams) -> tuple[Column, ...]:
        """Return how many times larger the cell became, and by which matrix."""
        return columns(
            params.of,
            Column("supercell_size", "int", "Volume of the supercell in cells of its parent."),
            Column("supercell", "json", "Rows of the matrix: new cell vectors in the old ones."),
        )

    def count(self, params: SupercellsParams, surroundings: Surroundings) -> int | None:
        """Return the number of cells that are repeated."""
        return count(params.of, surroundings)

    def candidates(
        self, params: SupercellsParams, surroundings: Surroundings
    ) -> Iterator[Candidate]:
        """Yield the supercells; a `matrix` needs no cell built before it is asked for."""
        return transformed(
            "supercells", parents(params.of, surroundings), partial(_supercell, params)
        )


plugin = SupercellsGenerator()


def _supercell(params: SupercellsParams, parent: Parent) -> Iterator[Candidate]:
    fixed = params.fixed()
    matrix = fixed if fixed is not None else params.matrix_of(parent.structure)
    size = determinant(matrix)
    rows: list[JsonValue] = [list(row) for row in matrix]
    yield parent.child(
        "supercells",
        choice={"matrix": rows},
        composition={symbol: n * size for symbol, n in parent.candidate.composition.items()},
        build=partial(_build, parent, matrix),
        extra={"supercell_size": size, "supercell": _text(rows)},
        keeps_sites=True,
    )


def _build(parent: Parent, matrix: Matrix) -> Structure:
    return repeated(parent.structure, matrix)


def _text(rows: list[JsonValue]) -> str:
    return str(rows).replace(" ", "")
