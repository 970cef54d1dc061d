"""Densities of states: the table of dos.x as columns, and a curve small enough for one."""

from __future__ import annotations

import json
from typing import Any

from fireworks_ext.engines.espresso.bands import edges, gap, whole
from fireworks_ext.engines.espresso.dos_program import DosTable
from fireworks_ext.engines.espresso.eigenvalues import Eigenvalues
from fireworks_ext.engines.espresso.spectrum_steps import GroundState
from schemas.model import JsonValue

WINDOW_EV = 15.0
"""Energies on either side of the zero that the column holds."""
MOST_ENERGIES = 600
DIGITS = 4


def values(
    table: DosTable, found: Eigenvalues, ground_state: GroundState, n_atoms: int
) -> dict[str, JsonValue]:
    """Return the columns that a density of states fills.

    The gap is that of the eigenvalues on the dense mesh; a broadening would blur it.
    """
    filled = found.filled or []
    counts = whole(filled)
    around = edges(found.channels, counts) if counts is not None else None
    told = gap(found.channels, filled)
    same: dict[str, JsonValue] = {
        "band_gap_ev": told.band_gap_ev,
        "direct_gap_ev": told.direct_gap_ev,
        "is_metal": told.is_metal,
    }
    complete_ev = _complete_below(found)
    if around is None or told.is_metal:
        if found.fermi_ev is None:
            raise LookupError("no Fermi energy of the run on the dense mesh")
        fermi = found.fermi_ev
        at_fermi = _at(table, fermi)
        column = _column(table, "fermi", fermi, complete_ev, n_atoms)
        return {
            **same,
            "fermi_energy_ev": fermi,
            "dos_at_fermi_states_per_ev": at_fermi,
            "density_of_states": column,
        }
    return {
        **same,
        "fermi_energy_ev": ground_state.values.get("fermi_energy_ev"),
        "vbm_ev": around.vbm_ev,
        "cbm_ev": around.cbm_ev,
        "dos_at_fermi_states_per_ev": 0.0,
        "density_of_states": _column(table, "vbm", around.vbm_ev, complete_ev, n_atoms),
    }


def _at(table: DosTable, energy_ev: float) -> float:
    nearest = min(
        range(len(table.energies_ev)), key=lambda at: abs(table.energies_ev[at] - energy_ev)
    )
    return sum(channel[nearest] for channel in table.states_per_ev)


def _complete_below(found: Eigenvalues) -> float:
    """Return up to where all bands were computed: above, states are missing."""
    return min(point[-1] for channel in found.channels for point in channel)


def _column(table: DosTable, kind: str, zero_ev: float, complete_ev: float, n_atoms: int) -> str:
    """Return the curve as JSON: averages over steps, so that its integral stays what it was."""
    energies = table.energies_ev
    inside = [
        at
        for at, energy in enumerate(energies)
        if abs(energy - zero_ev) <= WINDOW_EV and energy <= complete_ev
    ]
    if len(inside) < 2:  # noqa: PLR2004
        raise ValueError("the table of dos.x has no energies near the gap")
    every = -(-len(inside) // MOST_ENERGIES)
    groups = [inside[at : at + every] for at in range(0, len(inside), every)]
    groups = [group for group in groups if len(group) == every]
    step_ev = (energies[inside[-1]] - energies[inside[0]]) / (len(inside) - 1)
    content: dict[str, Any] = {
        "zero": kind,
        "zero_ev": round(zero_ev, 4),
        "start_ev": round(energies[groups[0][0]] + step_ev * (every - 1) / 2 - zero_ev, 4),
        "step_ev": round(step_ev * every, 6),
        "n_atoms": n_atoms,
        "states_per_ev": [
            [float(f"{sum(channel[at] for at in group) / every:.{DIGITS}g}") for group in groups]
            for channel in table.states_per_ev
        ],
    }
    return json.dumps(content, separators=(",", ":"), allow_nan=False)
