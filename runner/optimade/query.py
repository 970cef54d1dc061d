"""What is asked of a database: one query, known by its hash, and filters made from words."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

STRUCTURE_FIELDS = (
    "lattice_vectors",
    "cartesian_site_positions",
    "species",
    "species_at_sites",
    "structure_features",
    "dimension_types",
)
"""What a cell is read from."""


@dataclass(frozen=True, slots=True)
class Query:
    """One question; two that are equal are answered from the same file of the cache."""

    base_url: str
    filter: str
    fields: tuple[str, ...]
    limit: int

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that identify the question."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def filter_from_words(
    *,
    text: str | None = None,
    elements: Sequence[str] = (),
    n_elements: int | None = None,
    n_atoms_max: int | None = None,
    systems: Sequence[Sequence[str]] = (),
) -> str:
    """Return one OPTIMADE filter that asks for all of it.

    `elements` must all be there, others may; of `systems` one must be met exactly.
    """
    parts = [f"({text})"] if text else []
    if elements:
        parts.append(f"elements HAS ALL {_quoted(elements)}")
    if n_elements is not None:
        parts.append(f"nelements={n_elements}")
    if n_atoms_max is not None:
        parts.append(f"nsites<={n_atoms_max}")
    if systems:
        choices = [
            f"elements HAS ALL {_quoted(system)} AND nelements={len(system)}" for system in systems
        ]
        joined = " OR ".join(f"({choice})" for choice in choices)
        parts.append(f"({joined})" if len(choices) > 1 else choices[0])
    if text and len(parts) == 1:
        return text
    return " AND ".join(parts)


def _quoted(symbols: Sequence[str]) -> str:
    return ",".join(f'"{symbol}"' for symbol in sorted(symbols))
