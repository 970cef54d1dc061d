"""A candidate: one material of the search space, known by its choice until it is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from schemas.columns import Column
from schemas.identity import candidate_id, canonical_json
from schemas.model import JsonValue
from schemas.structure import Structure

BASE_COLUMNS = (
    Column("formula", "text", "Reduced formula, elements in the order of the cell."),
    Column("elements", "texts", "Elements of the cell, sorted by symbol."),
    Column("amounts", "floats", "Atoms per cell of each of `elements`, in the same order."),
    Column("n_elements", "int", "Number of different elements."),
    Column("n_atoms", "int", "Number of atoms in the cell."),
    Column("generator", "text", "The generator that made the candidate."),
    Column("choice", "json", "The generator's choice: species by site label, or file and index."),
    Column("sites", "json", "Element by site label (A, B, X), where the generator knows labels."),
)
"""What every candidate has before any score; structures are built only where something asks."""


REFERENCES = "references"
"""What stands for the generator of a reference structure that goes through stages."""


@dataclass(frozen=True)
class Candidate:
    """One row of the search space.

    `composition` counts atoms per cell by element; `sites` maps a prototype's site labels to
    elements and is empty where the generator knows none. `build` makes the cell as generated,
    without side effects. `problem` says why what was read is no structure; the composition is
    empty then, and `build` raises the same as a UserError.
    """

    generator: str
    choice: Mapping[str, JsonValue]
    composition: Mapping[str, int]
    build: Callable[[], Structure] = field(repr=False, compare=False)
    formula: str
    sites: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, JsonValue] = field(default_factory=dict)
    problem: str | None = None

    @cached_property
    def structure(self) -> Structure:
        """The cell as generated."""
        return self.build()

    @cached_property
    def id(self) -> str:
        """SHA-256 of the cell as generated; see `schemas.identity`."""
        return candidate_id(self.structure)

    def row(self) -> dict[str, object]:
        """Return the values of `BASE_COLUMNS` and of the generator's own columns."""
        composition = self.composition
        elements = sorted(composition)
        choice = canonical_json({**self.choice})
        # Prototypes choose their sites: written once.
        same = self.sites is self.choice
        return {
            "formula": self.formula or None,
            "elements": elements,
            "amounts": [float(composition[element]) for element in elements],
            "n_elements": len(elements),
            "n_atoms": sum(composition.values()),
            "generator": self.generator,
            "choice": choice,
            "sites": choice if same else canonical_json({**self.sites}) if self.sites else None,
            **self.extra,
        }
