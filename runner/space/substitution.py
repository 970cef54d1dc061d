"""Replaces elements of known structures by chemically similar ones, the likeliest first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import islice

from pydantic import ConfigDict, Field, field_validator

from runner.crystal.elements import symbol_problem
from runner.crystal.oxidation import Oxidation, State, StateTable, oxidation
from runner.crystal.radii import ion_name
from runner.crystal.similarity import Ion, Rules, ionic_similarity
from runner.space._of import OF, Of, Parent, columns, count, parents, transformed
from schemas.candidate import Candidate
from schemas.columns import Column
from schemas.identity import canonical_json
from schemas.model import JsonValue, Model
from schemas.protocols import Surroundings
from schemas.structure import Structure

KIND = "substitution"


class SubstitutionParams(Model):
    """What is substituted, by what, and how unlikely it may be."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "of": {
                        "kind": "prototype",
                        "prototype": "olivine",
                        "species": {"A": ["Li"], "M": ["Fe"], "T": ["P"], "X": ["O"]},
                    },
                    "keep": ["O"],
                },
                {
                    "of": {"kind": "structures", "files": "cifs/*.cif"},
                    "threshold": 1e-4,
                    "at_most": 1,
                    "elements": ["Li", "Na", "K", "Br", "F"],
                    "per_parent": 5,
                },
            ]
        }
    )

    of: Of = Field(description=OF)
    threshold: float = Field(
        default=1e-3,
        gt=0.0,
        lt=1.0,
        description="The least probability of a substitution: the product over all ions of the "
        "compound, those that stay too (Hautier et al. 2011, doi:10.1021/ic102031h).",
    )
    at_most: int = Field(default=2, ge=1, description="How many elements are replaced at once.")
    keep: tuple[str, ...] = Field(default=(), description="Elements that stay: [O].")
    elements: tuple[str, ...] | None = Field(
        default=None,
        description="Elements that may come; all of which the data hold an ion, if not given.",
    )
    per_parent: int | None = Field(
        default=None,
        ge=1,
        description="How many substitutions of each parent are made, the likeliest; all that "
        "reach the threshold, if not given.",
    )
    neutral: bool = Field(
        default=True, description="Make only those in which the charges balance as before."
    )
    states: StateTable = Field(
        default="common",
        description="Where the oxidation states of a parent are looked for: among the common ones "
        "of each element, or all that are known.",
    )
    oxidation_states: dict[str, tuple[State, ...]] = Field(
        default_factory=dict,
        description="States of the parents' elements in place of those of the table: {Fe: [2]}.",
    )

    @field_validator("keep", "elements")
    @classmethod
    def _symbols(cls, symbols: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if symbols is not None and (problem := symbol_problem(symbols)):
            raise ValueError(problem)
        return symbols

    @field_validator("oxidation_states")
    @classmethod
    def _states(cls, states: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
        if problem := symbol_problem(tuple(states)):
            raise ValueError(problem)
        empty = [symbol for symbol, of in states.items() if not of]
        if empty:
            raise ValueError(f"no states are given for {', '.join(empty)}; give at least one")
        return states


class SubstitutionGenerator:
    """Yields parents with other elements; see `schemas.protocols.Generator`."""

    params = SubstitutionParams

    def columns(self, params: SubstitutionParams) -> tuple[Column, ...]:
        """Return the parent, what was replaced and how likely that is, and the parent's columns."""
        return columns(
            params.of,
            Column("parent", "text", "Candidate id of the structure that was substituted."),
            Column("substitutions", "json", "Ions that came, by the ion that they replaced."),
            Column(
                "substitution_probability",
                "float",
                "Probability of these ions given those of the parent (Hautier et al. 2011).",
            ),
        )

    def count(self, params: SubstitutionParams, surroundings: Surroundings) -> None:
        """Return None: only the parents' ions tell. Checks the entries of `of`."""
        count(params.of, surroundings)

    def candidates(
        self, params: SubstitutionParams, surroundings: Surroundings
    ) -> Iterator[Candidate]:
        """Yield the substitutions of one parent after the other, the likeliest first.

        A parent whose oxidation states cannot be found, or are not in the data, gives one
        candidate without a structure that says so. Cells keep the parent's lattice.
        """
        others = tuple(sorted(params.oxidation_states.items()))
        states = oxidation(params.states, ordered=True, mixed_valence=False, others=others)
        rules = Rules(
            threshold=params.threshold,
            most=params.at_most,
            kept=frozenset(params.keep),
            allowed=None if params.elements is None else frozenset(params.elements),
            balanced=params.neutral,
        )
        make = partial(_substituted, params, states, rules)
        return transformed(KIND, parents(params.of, surroundings), make)


plugin = SubstitutionGenerator()


def _substituted(
    params: SubstitutionParams, states: Oxidation, rules: Rules, parent: Parent
) -> Iterator[Candidate]:
    # In the order of the cell, which is that of formulas.
    composition = Counter(parent.structure.species)
    old = _ions(states, composition)
    found = ionic_similarity().substitutions(old, tuple(composition.values()), rules)
    for probability, new in islice(found, params.per_parent):
        instead = {before[0]: after[0] for before, after in zip(old, new, strict=True)}
        replaced: dict[str, JsonValue] = {
            ion_name(*before): ion_name(*after)
            for before, after in zip(old, new, strict=True)
            if before != after
        }
        child = parent.child(
            KIND,
            choice={"replaced": replaced},
            composition={instead[symbol]: n for symbol, n in composition.items()},
            build=partial(_build, parent, instead),
            extra={
                "parent": parent.candidate.id,
                "substitutions": canonical_json(replaced),
                "substitution_probability": probability,
            },
        )
        sites = {label: instead[symbol] for label, symbol in parent.candidate.sites.items()}
        yield replace(child, sites=sites)


def _ions(states: Oxidation, composition: Counter[str]) -> tuple[Ion, ...]:
    """Return the ions of a compound, in its order. Raises ValueError where they are not known."""
    found = states.assign(tuple(composition), tuple(composition.values()))
    if not found.states:
        reason = found.note or "no choice of oxidation states is neutral"
        raise ValueError(f"{reason}; give `oxidation_states`, or `states: all`")
    return tuple((symbol, found.state(symbol) or 0) for symbol in composition)


def _build(parent: Parent, instead: dict[str, str]) -> Structure:
    """Return the parent's cell with other elements; moments of others mean nothing to them."""
    structure = parent.structure
    species = tuple(instead[symbol] for symbol in structure.species)
    return structure.model_copy(update={"species": species, "moments_bohr": None})
