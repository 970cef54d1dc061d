"""Decorates a structure type with every combination of elements on its sites."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import product
from math import prod
from typing import Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from runner.crystal.prototypes import PROTOTYPES
from runner.crystal.prototypes.decoration import (
    LATTICE_MEANING,
    Lattice,
    build,
    check_axes,
    check_labels,
    check_prototype,
    check_species,
    formula_writer,
    formulas_given,
)
from schemas.candidate import Candidate
from schemas.columns import Column
from schemas.errors import suggestion
from schemas.model import Model
from schemas.protocols import Surroundings

MANY = 1000
"""Among more formulas than that the nearest one is not searched for: it takes seconds."""


class PrototypeParams(Model):
    """A structure type, and the elements that each of its sites may hold."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "prototype": "perovskite-cubic",
                    "species": {"A": ["Ca", "Sr", "Ba"], "B": ["Ti", "Zr"], "X": ["O"]},
                },
                {
                    "prototype": "diamond",
                    "species": {"A": ["C", "Si"]},
                    "lattice_ang": {"Si": 5.43},
                },
                {
                    "prototype": "olivine",
                    "species": {
                        "A": ["Li", "Na", "K"],
                        "M": ["Mn", "Fe", "Co", "Ni"],
                        "T": ["P", "Si", "S"],
                        "X": ["O"],
                    },
                },
                {
                    "prototype": "rutile",
                    "species": {"A": ["Ti", "Sn"], "X": ["O"]},
                    "lattice_ang": {"SnO2": {"a": 4.738, "c": 3.187}},
                },
            ]
        }
    )

    prototype: str = Field(
        description=f"Structure type: {', '.join(sorted(PROTOTYPES))}. Cells are primitive: the "
        "fcc-based ones (fcc, diamond, zincblende, rocksalt, fluorite) hold one formula unit."
    )
    species: dict[str, tuple[str, ...]] = Field(
        description="Elements by site label: {A: [Ca, Sr], B: [Ti], X: [O]}. All combinations "
        "are made, the last label changing fastest. T is the centre of a polyanion (P, Si, S)."
    )
    lattice_ang: Lattice | None = Field(default=None, description=LATTICE_MEANING)

    @field_validator("prototype")
    @classmethod
    def _known(cls, name: str) -> str:
        return check_prototype(name)

    @field_validator("species")
    @classmethod
    def _elements(cls, species: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        return check_species(species)

    @model_validator(mode="after")
    def _sites_and_formulas(self) -> Self:
        check_labels(self.prototype, self.species)
        check_axes(self.prototype, self.lattice_ang)
        given = formulas_given(self.lattice_ang)
        if given:
            formulas = {candidate.formula for candidate in _decorated(self)}
            for formula in given:
                if formula not in formulas:
                    near = suggestion(formula, sorted(formulas)) if len(formulas) < MANY else ""
                    raise ValueError(f"lattice_ang: the species make no {formula}{near}")
        return self


class PrototypeGenerator:
    """Yields one candidate for each combination of elements; see `schemas.protocols.Generator`."""

    params = PrototypeParams

    def columns(self, params: PrototypeParams) -> tuple[Column, ...]:
        """Return the column `prototype`."""
        return (Column("prototype", "text", "Structure type that was decorated."),)

    def count(self, params: PrototypeParams, surroundings: Surroundings) -> int:
        """Return the product of the lengths of the lists."""
        return prod(len(symbols) for symbols in params.species.values())

    def candidates(
        self,
        params: PrototypeParams,
        surroundings: Surroundings,
    ) -> Iterator[Candidate]:
        """Yield the combinations in the order of the file, the last label changing fastest."""
        return _decorated(params)


plugin = PrototypeGenerator()


def _decorated(params: PrototypeParams) -> Iterator[Candidate]:
    """Yield the candidates; structures and lattice parameters are worked out when asked for."""
    counts = PROTOTYPES[params.prototype].multiplicity
    order = tuple(counts.items())
    formula_of = formula_writer(counts)
    extra = {"prototype": params.prototype}
    labels = tuple(params.species)
    for combination in product(*params.species.values()):
        sites = dict(zip(labels, combination, strict=True))
        composition: dict[str, int] = {}
        for label, count in order:
            symbol = sites[label]
            composition[symbol] = composition.get(symbol, 0) + count
        formula = formula_of(composition)
        yield Candidate(
            generator="prototype",
            choice=sites,
            composition=composition,
            build=partial(build, params.prototype, sites, params.lattice_ang, formula),
            formula=formula,
            sites=sites,
            extra=extra,
        )
