"""Ordered cells of disordered ones: which atom sits where, up to symmetry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from runner.crystal import frame, ordering
from runner.crystal.disorder import (
    DisorderedCell,
    Occupants,
    any_of,
    disordered,
    fractional,
    replaced,
)
from runner.crystal.reading import read_disordered
from runner.space import structures
from runner.space._of import OF, Of, Parent, columns, count, transformed
from schemas.candidate import Candidate
from schemas.columns import Column
from schemas.errors import UserError
from schemas.identity import canonical_json
from schemas.model import JsonValue, Model
from schemas.protocols import Surroundings
from schemas.structure import Structure

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
Fraction = Annotated[float, Field(gt=0.0, le=1.0)]


class OrderingsParams(Model):
    """What is ordered, which sites have a choice, and how large the cells may become."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "of": {
                        "kind": "prototype",
                        "prototype": "perovskite-cubic",
                        "species": {"A": ["Sr", "Ba"], "B": ["Ti"], "X": ["O"]},
                    },
                    "replace": {"Ti": {"Ti": 0.5, "Zr": 0.5}},
                    "max_atoms": 20,
                },
                {"of": {"kind": "structures", "files": "cifs/*.cif"}, "max_atoms": 40},
                {
                    "of": {"kind": "structures", "files": "cifs/*.cif"},
                    "replace": {"Na": ["Na", "vacancy"]},
                    "max_size": 4,
                },
            ]
        }
    )

    of: Of = Field(
        description=f"{OF} Files of `kind: structures` may have partially occupied sites here."
    )
    replace: dict[str, tuple[str, ...] | dict[str, Fraction]] = Field(
        default={},
        description="What the sites of an element may hold: fractions, {Ti: {Ti: 0.5, Zr: 0.5}}, "
        "what is missing to 1 being empty sites; or any proportion, {Ti: [Ti, Zr]}. An empty site "
        "is called vacancy: {Li: [Li, vacancy]}. Sites that may hold the same share their atoms.",
    )
    max_atoms: int | None = Field(
        default=None,
        ge=1,
        description="The most sites of an ordered cell, empty ones counted. With it or max_size, "
        "each ordering comes once, in the smallest cell that it repeats in; without either, the "
        "cells are ordered as they stand (a supercell too).",
    )
    max_size: int | None = Field(
        default=None,
        ge=1,
        le=100,
        description="The largest volume of an ordered cell, in primitive cells of its parent.",
    )
    sample: int | None = Field(
        default=None,
        ge=1,
        description="At most so many orderings of each supercell and composition, drawn at random "
        "by the campaign's seed. Without it all are made.",
    )
    occupancy_tolerance: float = Field(
        default=0.005,
        ge=0.0,
        le=0.5,
        description="How far the fractions of an ordered cell may be from those asked for.",
    )

    @field_validator("replace")
    @classmethod
    def _occupants(cls, replace: dict[str, Any]) -> dict[str, Any]:
        for symbol, held in replace.items():
            try:
                _occupants(held)
            except ValueError as error:
                raise ValueError(f"{symbol}: {error}") from error
        return replace

    @model_validator(mode="after")
    def _has_a_choice(self) -> Self:
        others = [inner.kind for inner in self.of if inner.plugin is not structures.plugin]
        if others and not self.replace:
            raise ValueError(
                f"`kind: {others[0]}` yields ordered cells: give `replace`, "
                "{Ti: {Ti: 0.5, Zr: 0.5}}, to say which sites have a choice"
            )
        return self

    def held(self) -> dict[str, Occupants]:
        """Return `replace` as occupants by element."""
        return {symbol: _occupants(held) for symbol, held in self.replace.items()}


class OrderingsGenerator:
    """Yields ordered cells; see `schemas.protocols.Generator` and `runner.crystal.ordering`."""

    params = OrderingsParams

    def columns(self, params: OrderingsParams) -> tuple[Column, ...]:
        """Return how large an ordered cell is, and how many arrangements it stands for."""
        return columns(
            params.of,
            Column("ordering_size", "int", "Volume of the ordered cell in cells of its parent."),
            Column(
                "ordering_degeneracy",
                "int",
                "Arrangements of the atoms in this cell that symmetry makes equal to this one.",
            ),
        )

    def count(self, params: OrderingsParams, surroundings: Surroundings) -> None:
        """Return None: only enumeration tells. Checks the files of the entries."""
        count(params.of, surroundings)

    def candidates(
        self, params: OrderingsParams, surroundings: Surroundings
    ) -> Iterator[Candidate]:
        """Yield the orderings of each cell: smaller cells first, then by composition."""
        return transformed(
            "orderings",
            _parents(params, surroundings),
            partial(_orderings, params, params.held(), surroundings.seed),
        )


plugin = OrderingsGenerator()


@dataclass(frozen=True)
class _FileParent(Parent):
    """A structure of a file, which may be partially occupied."""

    cell: DisorderedCell = field(kw_only=True)
    primitive: bool = field(kw_only=True)


def _occupants(held: tuple[str, ...] | Mapping[str, float]) -> Occupants:
    return fractional(held) if isinstance(held, Mapping) else any_of(held)


def _parents(params: OrderingsParams, surroundings: Surroundings) -> Iterator[Parent]:
    for index, inner in enumerate(params.of):
        entry = index if len(params.of) > 1 else None
        if inner.plugin is structures.plugin:
            yield from _file_parents(inner.params, surroundings, entry)
        else:
            for candidate in inner.plugin.candidates(inner.params, surroundings):
                yield Parent(candidate, entry)


def _file_parents(
    params: structures.StructuresParams, surroundings: Surroundings, entry: int | None
) -> Iterator[Parent]:
    """Yield the structures of files as `structures` names them, also those it would refuse."""
    for name, path in structures.structure_paths(params, surroundings.folder).items():
        for index, found in enumerate(read_disordered(path)):
            candidate = Candidate(
                generator="structures",
                choice={"file": name, "index": index},
                composition=Counter(site.symbols[0] for site in found.cell.sites),
                build=_unbuilt,
                formula=found.cell.formula,
                extra={"file": name, "file_index": index, "file_remarks": found.remarks},
            )
            yield _FileParent(candidate, entry, cell=found.cell, primitive=params.primitive)


def _unbuilt() -> Structure:
    raise UserError("a partially occupied cell is not built")


def _orderings(
    params: OrderingsParams, held: Mapping[str, Occupants], seed: int, parent: Parent
) -> Iterator[Candidate]:
    smallest = params.max_atoms is not None or params.max_size is not None
    if isinstance(parent, _FileParent):
        source, primitive = parent.cell, smallest or parent.primitive
    else:
        source, primitive = disordered(parent.structure), smallest
    whole = frame.Parent(replaced(source, held), primitive=primitive)
    choice = canonical_json(dict(parent.candidate.choice))
    for found in ordering.orderings(
        whole,
        largest=_largest(params, len(whole.cell)),
        superperiodic=not smallest,
        tolerance=params.occupancy_tolerance,
        sample=params.sample,
        random=Random(f"{seed} orderings {parent.entry} {choice}"),  # noqa: S311  (no secret)
    ):
        yield _candidate(parent, found)


def _largest(params: OrderingsParams, n_sites: int) -> int:
    """Return the largest size of a cell, in cells of `n_sites` sites."""
    if params.max_atoms is None:
        return params.max_size or 1
    if params.max_atoms < n_sites:
        raise ValueError(f"its primitive cell has {n_sites} sites, more than max_atoms")
    return min(params.max_atoms // n_sites, params.max_size or params.max_atoms)


def _candidate(parent: Parent, found: ordering.Ordering) -> Candidate:
    (a, _, _), (b, c, _), (d, e, f) = found.frame.hermite
    colouring = found.colouring
    colours = None if colouring is None else "".join(_DIGITS[n] for n in colouring.colours)
    choice: dict[str, JsonValue] = {"superlattice": [a, b, c, d, e, f], "colouring": colours}
    if colouring is None:
        choice["composition"] = dict(found.amounts)
    return parent.child(
        "orderings",
        choice=choice,
        composition=found.amounts,
        build=found.build,
        extra={
            "ordering_size": found.frame.size,
            "ordering_degeneracy": None if colouring is None else colouring.degeneracy,
        },
    )
