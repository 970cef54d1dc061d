"""Cuts surfaces: slabs between vacuum."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from math import gcd
from typing import Annotated, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from runner.crystal.surfaces import (
    Cut,
    Cutting,
    Miller,
    crystal,
    cuts,
    distinct_millers,
    formal_charges,
)
from runner.space._of import OF, Of, Parent, columns, count, parents, transformed
from schemas.candidate import Candidate
from schemas.columns import Column
from schemas.model import Model
from schemas.protocols import Surroundings
from schemas.structure import Structure

Index = Annotated[int, Field(ge=-20, le=20)]


class SlabsParams(Model):
    """Which surfaces, how thick, and which terminations."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "of": {
                        "kind": "prototype",
                        "prototype": "rocksalt",
                        "species": {"A": ["Mg"], "X": ["O"]},
                        "lattice_ang": 4.21,
                    },
                    "max_miller": 1,
                    "thickness_ang": 6.0,
                    "vacuum_ang": 12.0,
                },
                {
                    "of": {"kind": "structures", "files": "cifs/*.cif"},
                    "millers": [[1, 0, 0], [1, 1, 1]],
                    "thickness_ang": 6.0,
                    "vacuum_ang": 15.0,
                    "symmetrize": True,
                },
            ]
        }
    )

    of: Of = Field(description=OF)
    max_miller: int | None = Field(
        default=None,
        ge=1,
        le=4,
        description="All surfaces with Miller indices up to this, one of each set that symmetry "
        "makes equal.",
    )
    millers: tuple[tuple[Index, Index, Index], ...] = Field(
        default=(), description="Miller indices h, k, l of the surfaces: [[1, 0, 0], [1, 1, -1]]."
    )
    thickness_ang: float = Field(
        gt=0.0,
        le=200.0,
        description="Least thickness of the slab in whole layers, in angstrom; each counts with "
        "the gap to the next one.",
    )
    vacuum_ang: float = Field(
        gt=0.0, le=200.0, description="Least thickness of the vacuum, in angstrom."
    )
    conventional: bool = Field(
        default=True,
        description="Miller indices refer to the conventional standard cell; with false, to the "
        "cell as it stands.",
    )
    symmetrize: bool = Field(
        default=False,
        description="Take atoms off one side until both surfaces are alike; the slab may lose its "
        "stoichiometry. Without it, `keep: slab_symmetric` chooses those that are alike anyway.",
    )

    @field_validator("millers")
    @classmethod
    def _directions(cls, millers: tuple[Miller, ...]) -> tuple[Miller, ...]:
        for miller in millers:
            common = gcd(*miller)
            if common == 0:
                raise ValueError("0, 0, 0 is no surface")
            if common > 1:
                lowest = ", ".join(str(index // common) for index in miller)
                raise ValueError(f"[{', '.join(map(str, miller))}] is the surface [{lowest}]")
        if len(set(millers)) < len(millers):
            raise ValueError("lists a surface more than once")
        return millers

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.millers) == (self.max_miller is not None):
            raise ValueError(
                f"give either max_miller or millers; found {'both' if self.millers else 'neither'}"
            )
        return self


class SlabsGenerator:
    """Yields slabs; see `schemas.protocols.Generator`."""

    params = SlabsParams

    def columns(self, params: SlabsParams) -> tuple[Column, ...]:
        """Return which surface it is, and what it looks like."""
        return columns(
            params.of,
            Column("miller", "text", "Miller indices h k l of the surface: 1 1 -1."),
            Column("termination", "int", "Number of the termination of that surface, from 0."),
            Column("slab_symmetric", "bool", "Whether both surfaces of the slab are alike."),
            Column(
                "slab_polar",
                "bool",
                "Whether formal charges give a dipole along c; null where states are not known.",
            ),
            Column(
                "slab_dipole_e_per_ang",
                "float",
                "Dipole along c per area from formal charges.",
                "e/angstrom",
            ),
            Column("slab_thickness_ang", "float", "From lowest to highest atom.", "angstrom"),
            Column("slab_area_ang2", "float", "Area of one surface of the cell.", "angstrom^2"),
        )

    def count(self, params: SlabsParams, surroundings: Surroundings) -> None:
        """Return None: only cutting tells. Checks the files of the entries."""
        count(params.of, surroundings)

    def candidates(self, params: SlabsParams, surroundings: Surroundings) -> Iterator[Candidate]:
        """Yield the slabs of each crystal: lowest indices first, then by termination."""
        found = parents(params.of, surroundings)
        return transformed("slabs", found, partial(_slabs, params))


plugin = SlabsGenerator()


def _slabs(params: SlabsParams, parent: Parent) -> Iterator[Candidate]:
    structure = parent.structure
    bulk = crystal(structure, conventional=params.conventional)
    how = Cutting(
        thickness_ang=params.thickness_ang,
        vacuum_ang=params.vacuum_ang,
        symmetrize=params.symmetrize,
        charges=formal_charges(structure.species),
        elements=tuple(dict.fromkeys(structure.species)),
    )
    largest = params.max_miller
    for miller in params.millers if largest is None else distinct_millers(bulk, largest):
        for cut in cuts(bulk, miller, how):
            yield _candidate(parent, cut)


def _candidate(parent: Parent, cut: Cut) -> Candidate:
    def build() -> Structure:
        return cut.structure

    return parent.child(
        "slabs",
        choice={"miller": list(cut.miller), "termination": cut.termination},
        composition=Counter(cut.structure.species),
        build=build,
        extra={
            "miller": " ".join(map(str, cut.miller)),
            "termination": cut.termination,
            "slab_symmetric": cut.symmetric,
            "slab_polar": cut.polar,
            "slab_dipole_e_per_ang": cut.dipole_e_per_ang,
            "slab_thickness_ang": cut.thickness_ang,
            "slab_area_ang2": cut.area_ang2,
        },
    )
