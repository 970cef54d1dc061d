"""Elements times stoichiometries whose charges balance, on a structure type or without a cell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice, product
from math import prod
from typing import Annotated, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from runner.crystal.charge_balance import ChargeBalance, Choice, States, is_ordered
from runner.crystal.elements import element, symbol_problem
from runner.crystal.oxidation import State, StateTable
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
)
from runner.crystal.stoichiometry import FINEST, check_amounts, stoichiometries
from schemas.candidate import Candidate
from schemas.columns import Column
from schemas.errors import UserError
from schemas.model import JsonValue, Model
from schemas.protocols import Surroundings
from schemas.structure import Structure

Amount = Annotated[float, Field(ge=1.0 / FINEST, le=1000.0)]


class CompositionsParams(Model):
    """Elements by label, how many of each, and what counts as balanced."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "prototype": "layered-o3",
                    "species": {
                        "A": ["Li", "Na", "K"],
                        "M": ["Ti", "Mn", "Fe", "Co", "Ni"],
                        "X": ["O", "S"],
                    },
                },
                {
                    "prototype": "olivine",
                    "species": {
                        "A": ["Li", "Na", "K"],
                        "M": ["Mn", "Fe", "Co", "Ni"],
                        "T": ["P", "Si", "S", "V"],
                        "X": ["O"],
                    },
                    "oxidation_states": {"Mn": [2, 3], "Fe": [2, 3], "Ni": [2, 3]},
                },
            ]
        }
    )

    species: dict[str, tuple[str, ...]] = Field(
        description="Elements by label: {A: [Li, Na], M: [Mn, Fe], X: [O, F]}. The labels are "
        "those of the prototype, or free names."
    )
    prototype: str | None = Field(
        default=None,
        description="Structure type that gives the amounts and the cell; see `kind: prototype`.",
    )
    amounts: dict[str, Amount | tuple[Amount, ...]] | None = Field(
        default=None,
        description="Atoms by label, or a list of them, where there is no prototype: {A: [0.5, 1], "
        f"M: 1, X: 2}}. All combinations are made, each ratio once; fractions are the nearest with "
        f"denominators up to {FINEST}. Such candidates have no cell: they can be screened by "
        "what needs none, and not computed.",
    )
    lattice_ang: Lattice | None = Field(default=None, description=LATTICE_MEANING)
    neutral: bool = Field(
        default=True,
        description="Make only what some choice of oxidation states, one for each label, balances.",
    )
    states: StateTable = Field(
        default="common",
        description="The common oxidation states of each element, or all that are known.",
    )
    oxidation_states: dict[str, tuple[State, ...]] = Field(
        default_factory=dict,
        description="States of elements in place of those of the table: {Fe: [2, 3]}.",
    )
    ordered: bool = Field(
        default=False,
        description="Ask also that no cation is more electronegative (Pauling) than an anion.",
    )
    repeated: bool = Field(
        default=True,
        description="Let an element be on several labels, as iron is in the spinel Fe3O4.",
    )

    @field_validator("species")
    @classmethod
    def _elements(cls, species: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        if not species:
            raise ValueError("at least one label with its elements")
        return check_species(species)

    @field_validator("prototype")
    @classmethod
    def _known(cls, name: str | None) -> str | None:
        return name if name is None else check_prototype(name)

    @field_validator("oxidation_states")
    @classmethod
    def _states(cls, states: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
        if problem := symbol_problem(tuple(states)):
            raise ValueError(problem)
        empty = [symbol for symbol, of in states.items() if not of]
        if empty:
            raise ValueError(f"no states are given for {', '.join(empty)}; give at least one")
        return states

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.prototype is None) == (self.amounts is None):
            found = "neither" if self.prototype is None else "both"
            raise ValueError(f"found {found} of prototype and amounts, expected one of them")
        if self.prototype is not None:
            check_labels(self.prototype, self.species)
            check_axes(self.prototype, self.lattice_ang)
            return self
        if self.lattice_ang is not None:
            raise ValueError("lattice_ang: needs a prototype")
        check_amounts(self.species, _lists(self.amounts or {}))
        return self

    def stoichiometries(self) -> list[dict[str, int]]:
        """Return the whole numbers of atoms by label, each ratio once, labels as in `species`."""
        if self.prototype is not None:
            counts = PROTOTYPES[self.prototype].multiplicity
            return [{label: counts[label] for label in self.species}]
        return stoichiometries(self.species, _lists(self.amounts or {}))


class CompositionsGenerator:
    """Yields balanced combinations; see `schemas.protocols.Generator`."""

    params = CompositionsParams

    def columns(self, params: CompositionsParams) -> tuple[Column, ...]:
        """Return the structure type and the states that balance."""
        return (
            Column("prototype", "text", "Structure type that was decorated, or null."),
            Column(
                "states_by_site",
                "json",
                "Oxidation states by label that balance, those with the smallest charges; null "
                "where they were not asked for.",
            ),
        )

    def count(self, params: CompositionsParams, surroundings: Surroundings) -> int | None:
        """Return the number where it takes no table of oxidation states, else None."""
        if not params.repeated:
            return None
        found = params.stoichiometries()
        if not params.neutral:
            return len(found) * prod(len(symbols) for symbols in params.species.values())
        symbols = {symbol for of in params.species.values() for symbol in of}
        if params.ordered or not symbols <= params.oxidation_states.keys():
            return None
        return sum(_Space(params, amounts).balance.count() for amounts in found)

    def candidates(
        self, params: CompositionsParams, surroundings: Surroundings
    ) -> Iterator[Candidate]:
        """Yield them stoichiometry by stoichiometry, the last label changing fastest.

        Raises
        ------
        UserError
            When balance is asked for and an element has no oxidation states in the table.
        """
        for amounts in params.stoichiometries():
            yield from _Space(params, amounts).candidates()


plugin = CompositionsGenerator()


@dataclass(frozen=True)
class _Space:
    """The combinations of one stoichiometry."""

    params: CompositionsParams
    amounts: Mapping[str, int]

    @cached_property
    def balance(self) -> ChargeBalance:
        options = [
            {symbol: _states(self.params, symbol) for symbol in symbols}
            for symbols in self.params.species.values()
        ]
        return ChargeBalance(options, tuple(self.amounts.values()))

    def candidates(self) -> Iterator[Candidate]:
        params = self.params
        counts = self._in_order_of_the_cell()
        formula_of = formula_writer(counts)
        order = tuple(counts.items())
        for choice, states in self._chosen():
            sites = dict(zip(params.species, choice, strict=True))
            composition: dict[str, int] = {}
            for label, count in order:
                composition[sites[label]] = composition.get(sites[label], 0) + count
            formula = formula_of(composition)
            yield Candidate(
                generator="compositions",
                choice=sites if params.prototype else self._free_choice(sites),
                composition=composition,
                build=partial(_build, params, sites, formula),
                formula=formula,
                sites=sites,
                extra={"prototype": params.prototype, "states_by_site": self._written(states)},
            )

    def _chosen(self) -> Iterator[tuple[Choice, States | None]]:
        """Yield elements by label, and the states that balance them."""
        params = self.params
        if not params.neutral:
            every: Iterator[Choice] = product(*params.species.values())
            yield from ((choice, None) for choice in every if self._allowed(choice))
            return
        for choice in self.balance.choices():
            if not self._allowed(choice):
                continue
            found = iter(self.balance.assignments(choice))
            if params.ordered:
                found = (states for states in found if is_ordered(choice, states))
            yield from ((choice, states) for states in islice(found, 1))

    def _allowed(self, choice: Choice) -> bool:
        return self.params.repeated or len(set(choice)) == len(choice)

    def _in_order_of_the_cell(self) -> Mapping[str, int]:
        prototype = self.params.prototype
        return self.amounts if prototype is None else PROTOTYPES[prototype].multiplicity

    def _free_choice(self, sites: Mapping[str, str]) -> dict[str, JsonValue]:
        return {"amounts": {**self.amounts}, "species": {**sites}}

    def _written(self, states: States | None) -> str | None:
        from schemas.identity import canonical_json

        if states is None:
            return None
        return canonical_json(dict(zip(self.params.species, states, strict=True)))


def _build(params: CompositionsParams, sites: Mapping[str, str], formula: str) -> Structure:
    if params.prototype is None:
        raise UserError(
            f"{formula} is a composition without a cell; give `prototype` in place of `amounts`"
        )
    return build(params.prototype, sites, params.lattice_ang, formula)


def _states(params: CompositionsParams, symbol: str) -> States:
    given = params.oxidation_states.get(symbol)
    if given:
        return tuple(sorted(set(given)))
    data = element(symbol)
    states = data.common_states if params.states == "common" else data.all_states
    if not states:
        raise UserError(
            f"no {params.states} oxidation states of {symbol} are known; take it out, or give "
            f"oxidation_states: {{{symbol}: [...]}}"
        )
    return states


def _lists(amounts: Mapping[str, Amount | tuple[Amount, ...]]) -> dict[str, tuple[float, ...]]:
    return {
        label: given if isinstance(given, tuple) else (given,) for label, given in amounts.items()
    }
