"""Distances to the convex hull of the campaign's own results: what decomposes into what.

Formation energies are against the lowest candidate of each element, so elements and competing
compounds have to be candidates too. Energies of one method only are comparable; the campaign sees
to that. Distances as in Ong, Wang, Kang and Ceder, Chem. Mater. 20, 1798 (2008),
doi:10.1021/cm702327g.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from pydantic import ConfigDict, Field, field_validator

from schemas.columns import Column
from schemas.model import JsonValue, Model
from schemas.protocols import Gathered

if TYPE_CHECKING:
    from runner.hull.facets import Entry, Hull

Row = dict[str, JsonValue]
WHOLE_CELL = "_ev"
"""What the names of columns in eV, not eV/atom, end in."""
TERNARY = 3
"""Elements from which on a compound has binaries that compete with it."""


class HullParams(Model):
    """Which energy makes the hull."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}]})

    energy: str = Field(
        default="energy_ev_per_atom",
        description="Column of the gathered stage that holds the energy, in eV/atom.",
    )

    @field_validator("energy")
    @classmethod
    def _per_atom(cls, energy: str) -> str:
        """Refuse what makes no hull: the energy of a cell, a gap."""
        if energy.endswith(WHOLE_CELL):
            raise ValueError(f"'{energy}' is in eV, expected a column in eV/atom")
        return energy


class HullAnalysis:
    """See `schemas.protocols.Analysis`."""

    params = HullParams
    version = 1

    def columns(self, params: HullParams) -> tuple[Column, ...]:  # noqa: ARG002  (protocol)
        """Return distance, formation energy, whether it is stable, and what it decomposes into."""
        return (
            Column(
                "above_hull_ev_per_atom",
                "float",
                "Energy above the hull of all candidates that have a result; 0: stable.",
                "eV/atom",
            ),
            Column(
                "formation_energy_ev_per_atom",
                "float",
                "Energy of formation from the lowest candidate of each element.",
                "eV/atom",
            ),
            Column("on_hull", "bool", "Whether nothing that it may decompose into is lower."),
            Column(
                "decomposition",
                "json",
                "Stable phases of its composition: candidate, formula, fraction of the atoms.",
            ),
        )

    def requires(self, params: HullParams) -> tuple[str, ...]:
        """Return the column with the energy."""
        return (params.energy,)

    def rows(self, gathered: Sequence[Gathered], params: HullParams) -> list[Row]:
        """Return a row per candidate; where an element has no reference, it is unknown.

        The note also tells of binaries that would compete with a compound and have no result.
        """
        from runner.hull.facets import Entry

        entries: dict[str, Entry] = {}
        for one in gathered:
            energy = one.values.get(params.energy)
            if isinstance(energy, int | float):
                amounts = dict(Counter(one.structure.species))
                entries[one.candidate] = Entry(amounts, float(energy), one.candidate)
        formulas = {one.candidate: one.formula for one in gathered}
        references = _references(entries.values())
        hulls: dict[frozenset[str], Hull | str] = {}
        systems = {frozenset(entry.composition) for entry in entries.values()}
        remark = _Remarks()
        rows = []
        for one in gathered:
            entry = entries.get(one.candidate)
            if entry is None:
                rows.append(_unknown(f"the result has no {params.energy}"))
                continue
            system = frozenset(entry.composition)
            if system not in hulls:
                hulls[system] = _hull(system, entries.values(), references)
            hull = hulls[system]
            if isinstance(hull, str):
                rows.append(_unknown(hull))
            else:
                rows.append(_row(hull, entry, references, formulas) | remark(entry, systems))
        return rows


def _references(entries: Iterable[Entry]) -> dict[str, float]:
    """Return the lowest energy of each element that has an entry of its own, in eV/atom."""
    lowest: dict[str, float] = {}
    for entry in entries:
        if len(entry.composition) == 1:
            (element,) = entry.composition
            lowest[element] = min(entry.energy_ev_per_atom, lowest.get(element, math.inf))
    return lowest


def _hull(
    system: frozenset[str], entries: Iterable[Entry], references: Mapping[str, float]
) -> Hull | str:
    """Return the hull of a chemical system, or why there is none."""
    from runner.hull.facets import Hull, IncompleteHull

    missing = sorted(system - references.keys())
    if missing:
        return f"no candidate of {' or '.join(missing)} alone has a result to refer to"
    try:
        return Hull.of(entry for entry in entries if system.issuperset(entry.composition))
    except IncompleteHull as error:
        return str(error)


def _row(
    hull: Hull, entry: Entry, references: Mapping[str, float], formulas: Mapping[str, str]
) -> Row:
    energy, atoms = entry.energy_ev_per_atom, sum(entry.composition.values())
    elements = sum(n * references[element] for element, n in entry.composition.items()) / atoms
    above = float(hull.energy_above_hull([entry.composition], [energy])[0])
    parts = hull.decomposition(entry.composition)
    decomposition: list[JsonValue] = [
        {"candidate": name, "formula": formulas[name], "fraction": fraction}
        for name, fraction in sorted(parts.items(), key=lambda part: (-part[1], part[0]))
    ]
    return {
        "above_hull_ev_per_atom": above,
        "formation_energy_ev_per_atom": energy - elements,
        "on_hull": above <= 0.0,
        "decomposition": decomposition,
    }


class _Remarks:
    """Notes for compounds whose competitors are not there: they look too stable."""

    def __init__(self) -> None:
        self._known: dict[tuple[tuple[str, float], ...], str | None] = {}

    def __call__(self, entry: Entry, systems: Container[frozenset[str]]) -> Row:
        """Return the note of an entry, if there is anything to say."""
        amounts = tuple(sorted(entry.composition.items()))
        if amounts not in self._known:
            self._known[amounts] = _lacking(entry.composition, systems)
        note = self._known[amounts]
        return {"note": note} if note else {}


def _lacking(composition: Mapping[str, float], systems: Container[frozenset[str]]) -> str | None:
    """Say which binaries compete with a compound and have no result, if any."""
    from runner.hull.competing import missing_binaries, named

    if len(composition) < TERNARY:
        return None
    counts = {element: round(n) for element, n in composition.items()}
    missing = missing_binaries(counts, lambda pair: pair in systems)
    return f"looks too stable: no result of a binary {named(missing)}" if missing else None


def _unknown(why: str) -> Row:
    return {"note": f"unknown: {why}"}


plugin = HullAnalysis()
