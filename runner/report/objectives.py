"""By what candidates are ranked and compared at first; readers choose otherwise in the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner.report.points import Numbers

PREFERRED = (
    ("above_hull_ev_per_atom", False),
    ("band_gap_ev", True),
    ("hull_distance_ev_per_atom", False),
    ("formation_energy_ev_per_atom", False),
    ("volume_ang3_per_atom", False),
)
"""Columns that campaigns are about, and whether more of them is better."""


@dataclass(frozen=True)
class Objective:
    """A column, and which end of it is the good one."""

    name: str
    largest: bool


def objectives(numbers: Sequence[Numbers]) -> tuple[Objective, ...]:
    """Return what to rank by, then what to compare that with; fewer where there are no numbers."""
    found = []
    for suffix, largest in PREFERRED:
        named = [one.name for one in numbers if one.name.rpartition(".")[2].endswith(suffix)]
        if named:
            found.append(Objective(named[0], largest))
    found += [Objective(one.name, largest=True) for one in numbers]
    unlike: dict[str, Objective] = {}
    for one in found:
        unlike.setdefault(one.name.rpartition(".")[2], one)
    return tuple(unlike.values())[:2]
