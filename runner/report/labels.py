"""Names of columns in words, with their units; a name ends in its unit where it has one."""

from __future__ import annotations

from dataclasses import dataclass

UNITS = {
    "_ev_per_atom": "eV/atom",
    "_states_per_ev": "states/eV",
    "_ev_per_ang": "eV/Å",
    "_ang3_per_atom": "Å³/atom",
    "_usd_per_kg": "US$/kg",
    "_g_per_mol": "g/mol",
    "_g_per_cm3": "g/cm³",
    "_core_hours": "core h",
    "_ang3": "Å³",
    "_ang": "Å",
    "_ev": "eV",
    "_gpa": "GPa",
    "_ry": "Ry",
    "_bohr": "μB",
    "_gb": "GB",
    "_usd": "US$",
    "_min": "min",
    "_k": "K",
    "_s": "s",
}
"""Ends of names -> units; longer ends stand before those that they end in."""


@dataclass(frozen=True)
class Label:
    """A column for people: words, unit, and the stage that computed it."""

    words: str
    unit: str | None
    stage: str | None

    def __str__(self) -> str:
        """Return `band gap (stage gap) / eV`."""
        stage = f" ({self.stage})" if self.stage else ""
        unit = f" / {self.unit}" if self.unit else ""
        return f"{self.words}{stage}{unit}"


def label(name: str) -> Label:
    """Return the label of a column, named `column` or `stage.column`."""
    stage, _, column = name.rpartition(".")
    words, unit = column, None
    if column == "core_hours":
        words, unit = "core-hours", "core h"
    for end, found in UNITS.items():
        if unit is None and column.endswith(end):
            words, unit = column.removesuffix(end), found
    return Label(words.replace("_", " "), unit, stage or None)
