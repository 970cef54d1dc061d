"""Deforms cells and moves atoms: compression, tension, shear, rattling."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from random import Random
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from runner.crystal.deformation import (
    AXES,
    PLANES,
    UNSTRAINED,
    Voigt,
    component,
    deformed,
    rattled,
    volumetric,
)
from runner.space._of import OF, Of, Parent, columns, count, parents, transformed
from schemas.candidate import Candidate
from schemas.columns import Column
from schemas.identity import canonical_json
from schemas.model import Model
from schemas.protocols import Surroundings
from schemas.structure import Structure

Strain = Annotated[float, Field(gt=-0.5, lt=0.5)]
"""A fraction; the bounds catch percent."""


class StrainParams(Model):
    """Which deformations, and how many rattled copies of each."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "of": {
                        "kind": "prototype",
                        "prototype": "rocksalt",
                        "species": {"A": ["Mg"], "X": ["O"]},
                    },
                    "volumetric": [-0.05, 0.05],
                    "uniaxial": [0.02],
                    "shear": [0.03],
                    "rattles": 3,
                    "amplitude_ang": 0.05,
                },
                {
                    "of": {"kind": "structures", "files": "cifs/*.cif"},
                    "volumetric": [-0.1, -0.05, 0.05, 0.1],
                },
            ]
        }
    )

    of: Of = Field(description=OF)
    volumetric: tuple[Strain, ...] = Field(
        default=(), description="Relative changes of the volume: -0.05 is 5 % smaller."
    )
    uniaxial: tuple[Strain, ...] = Field(
        default=(), description="Relative changes of the length along one axis; the others stay."
    )
    axes: tuple[Literal["x", "y", "z"], ...] = Field(
        default=("x", "y", "z"), min_length=1, description="Cartesian axes of `uniaxial`."
    )
    shear: tuple[Strain, ...] = Field(
        default=(),
        description="Engineering shear strains, in radians: by how much a right angle changes.",
    )
    planes: tuple[Literal["yz", "xz", "xy"], ...] = Field(
        default=("yz", "xz", "xy"), min_length=1, description="Cartesian planes of `shear`."
    )
    rattles: int = Field(
        default=0,
        ge=0,
        description="Copies of each cell, strained or not, whose atoms are moved at random by the "
        "campaign's seed; the unmoved one is left out then.",
    )
    amplitude_ang: float | None = Field(
        default=None,
        gt=0.0,
        lt=2.0,
        description="Standard deviation of a random move in each direction, in angstrom.",
    )
    unstrained: bool = Field(
        default=False, description="The cell without strain too. With rattles alone it always is."
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if bool(self.rattles) != (self.amplitude_ang is not None):
            raise ValueError(
                "rattles and amplitude_ang go together; "
                f"found {'amplitude_ang' if self.amplitude_ang else 'rattles'} alone"
            )
        if not (self.volumetric or self.uniaxial or self.shear or self.rattles):
            raise ValueError("no strain; give volumetric, uniaxial, shear or rattles")
        return self

    def strains(self) -> list[tuple[str, Voigt]]:
        """Return the strains by name, in the order of the fields."""
        found = [(f"volumetric {x:g}", volumetric(x)) for x in self.volumetric]
        found += [
            (f"{axis} {x:g}", component(AXES[axis], x)) for x in self.uniaxial for axis in self.axes
        ]
        found += [
            (f"{plane} {x:g}", component(PLANES[plane], x))
            for x in self.shear
            for plane in self.planes
        ]
        if self.unstrained or not found:
            found.insert(0, ("none", UNSTRAINED))
        return found


class StrainGenerator:
    """Yields deformed cells; see `schemas.protocols.Generator`."""

    params = StrainParams

    def columns(self, params: StrainParams) -> tuple[Column, ...]:
        """Return the strain by name and by component, and the number of the rattled copy."""
        return columns(
            params.of,
            Column("strain", "text", "none, volumetric -0.05, x 0.02, xy 0.03."),
            Column("strain_voigt", "floats", "xx, yy, zz, yz, xz, xy; shears as angles."),
            Column("rattle", "int", "Number of the rattled copy, from 0; null for none."),
        )

    def count(self, params: StrainParams, surroundings: Surroundings) -> int | None:
        """Return the number of cells, strains and rattled copies multiplied."""
        cells = count(params.of, surroundings)
        return None if cells is None else cells * len(params.strains()) * max(1, params.rattles)

    def candidates(self, params: StrainParams, surroundings: Surroundings) -> Iterator[Candidate]:
        """Yield the strains of each cell, and of each strain its copies; nothing is built."""
        found = parents(params.of, surroundings)
        return transformed("strain", found, partial(_strained, params, surroundings.seed))


plugin = StrainGenerator()


def _strained(params: StrainParams, seed: int, parent: Parent) -> Iterator[Candidate]:
    # By the parent's choice and not by its place: a shorter list moves no atom of the others.
    key = f"{seed} strain {parent.entry} {canonical_json(dict(parent.candidate.choice))}"
    for name, strain in params.strains():
        for rattle in range(params.rattles) or (None,):
            yield parent.child(
                "strain",
                choice={"strain": name, "rattle": rattle},
                composition=parent.candidate.composition,
                build=partial(
                    _build, parent, strain, f"{key} {name} {rattle}", params.amplitude_ang
                ),
                extra={"strain": name, "strain_voigt": list(strain), "rattle": rattle},
                keeps_sites=True,
            )


def _build(parent: Parent, strain: Voigt, key: str, amplitude_ang: float | None) -> Structure:
    structure = deformed(parent.structure, strain)
    if amplitude_ang is None:
        return structure
    return rattled(structure, amplitude_ang, Random(key))  # noqa: S311  (no secret)
