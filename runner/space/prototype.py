"""Decorates a cubic prototype with every combination of elements on its sites."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial, reduce
from itertools import product
from math import gcd, prod
from typing import Annotated, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from runner.crystal.elements import symbol_problem
from runner.crystal.prototypes import PROTOTYPES, estimated_lattice_ang
from schemas.candidate import Candidate
from schemas.columns import Column
from schemas.errors import UserError, suggestion
from schemas.model import Model
from schemas.protocols import Surroundings
from schemas.structure import Structure

Lattice = Annotated[float, Field(gt=0.5, lt=100.0)]
"""A cubic lattice parameter, in angstrom; the bounds catch other units."""


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
            ]
        }
    )

    prototype: str = Field(
        description=f"Structure type: {', '.join(sorted(PROTOTYPES))}. Cells are primitive: the "
        "fcc-based ones (fcc, diamond, zincblende, rocksalt, fluorite) hold one formula unit."
    )
    species: dict[str, tuple[str, ...]] = Field(
        description="Elements by site label: {A: [Ca, Sr], B: [Ti], X: [O]}. All combinations "
        "are made, the last label changing fastest."
    )
    lattice_ang: Lattice | dict[str, Lattice] | None = Field(
        default=None,
        description="Parameter of the conventional cubic cell, in angstrom: one number for all, "
        "or a number by formula ({SrTiO3: 3.905}). Where it is not given it is estimated from "
        "radii (Shannon 1976 for ions, Cordero 2008 for covalent bonds): a start for relaxation.",
    )

    @field_validator("prototype")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in PROTOTYPES:
            raise ValueError(f"no prototype '{name}'{suggestion(name, tuple(PROTOTYPES))}")
        return name

    @field_validator("species")
    @classmethod
    def _elements(cls, species: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for label, symbols in species.items():
            if not symbols:
                raise ValueError(f"site {label} has no elements; give at least one")
            if problem := symbol_problem(symbols):
                raise ValueError(f"site {label}: {problem}")
            twice = [symbol for symbol, count in Counter(symbols).items() if count > 1]
            if twice:
                raise ValueError(f"site {label} lists {', '.join(twice)} more than once")
        return species

    @model_validator(mode="after")
    def _sites_and_formulas(self) -> Self:
        labels = PROTOTYPES[self.prototype].labels
        if set(self.species) != set(labels):
            raise ValueError(
                f"{self.prototype} has the sites {', '.join(labels)}; "
                f"species gives {', '.join(self.species) or 'none'}"
            )
        if isinstance(self.lattice_ang, dict):
            formulas = {candidate.formula for candidate in _decorated(self)}
            for formula in self.lattice_ang:
                if formula not in formulas:
                    near = suggestion(formula, sorted(formulas)) if len(formulas) < 1000 else ""  # noqa: PLR2004  (a search through more takes seconds)
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
    order = tuple(counts)
    formula_of = _formula_writer(counts)
    extra = {"prototype": params.prototype}
    for combination in product(*params.species.values()):
        sites = dict(zip(params.species, combination, strict=True))
        composition: dict[str, int] = {}
        for label in order:
            symbol = sites[label]
            composition[symbol] = composition.get(symbol, 0) + counts[label]
        formula = formula_of(composition)
        yield Candidate(
            generator="prototype",
            choice=sites,
            composition=composition,
            build=partial(_build, params.prototype, sites, params.lattice_ang, formula),
            formula=formula,
            sites=sites,
            extra=extra,
        )


def _formula_writer(counts: Mapping[str, int]) -> Callable[[Mapping[str, int]], str]:
    """Return a function that writes reduced formulas, elements in the order of the cell."""
    divisor = reduce(gcd, counts.values())
    suffixes = ["" if n == divisor else str(n // divisor) for n in counts.values()]

    def write(composition: Mapping[str, int]) -> str:
        if len(composition) == len(suffixes):
            return "".join(map(str.__add__, composition, suffixes))
        common = reduce(gcd, composition.values())
        return "".join(
            symbol if n == common else f"{symbol}{n // common}" for symbol, n in composition.items()
        )

    return write


def _build(
    name: str,
    sites: Mapping[str, str],
    lattice_ang: float | Mapping[str, float] | None,
    formula: str,
) -> Structure:
    prototype = PROTOTYPES[name]
    given = lattice_ang.get(formula) if isinstance(lattice_ang, Mapping) else lattice_ang
    length = given if given is not None else estimated_lattice_ang(prototype, sites)
    if length is None:
        raise UserError(
            f"{formula} in {name}: no radii to estimate its lattice from; "
            f"give lattice_ang: {{{formula}: ...}}"
        )
    return prototype.structure(sites, length)
