"""Bands along a path: the gap and where its edges are, and curves small enough for a column.

What the column leaves out (bands far from the gap, points between others) it says; all of it is in
the XML file of the run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fireworks_ext.engines.espresso.bands import METAL, Edges, edges, gap, whole
from fireworks_ext.engines.espresso.eigenvalues import Eigenvalues
from fireworks_ext.engines.espresso.kpath import BandPath
from fireworks_ext.engines.espresso.spectrum_steps import GroundState
from schemas.model import JsonValue

SAME_EDGE_EV = 5e-3
"""Self-consistency ends with eigenvalues of the potential before the last: they are less sharp."""
WINDOWS_EV = (12.0, 8.0, 5.0, 3.0)
"""Bands that come within so much of the zero are kept, the first window whose numbers are few."""
MOST_NUMBERS = 6000
"""Energies in a column: 40 kB of text at most, before compression."""
EVERY = (1, 2, 3, 4)
"""Of the points, each so manieth is kept where there are too many."""
DIGITS = 3
"""Of an energy in eV: a line on a page is drawn ten times thicker."""


@dataclass(frozen=True)
class _Zero:
    kind: str
    energy_ev: float


def values(path: BandPath, found: Eigenvalues, ground_state: GroundState) -> dict[str, JsonValue]:
    """Return the columns that bands along a path fill.

    The gap is that of the path and the mesh of the self-consistent run together: an edge that is
    off the path has no name of a k-point.
    """
    counts = whole(found.filled or [])
    around = edges(found.channels, counts) if counts is not None else None
    fermi = ground_state.values.get("fermi_energy_ev")
    on_path = gap(found.channels, found.filled or [])
    size = None if around is None else _with_mesh(around, ground_state)
    if on_path == METAL or around is None or size is None or size[1] <= size[0]:
        top = around.vbm_ev if around is not None else _highest(found)
        zero = _Zero("fermi", fermi if isinstance(fermi, float) else top)
        metal: dict[str, JsonValue] = {"band_gap_ev": 0.0, "direct_gap_ev": 0.0, "is_metal": True}
        return {**metal, "lattice_type": path.lattice, "band_structure": _column(path, found, zero)}
    vbm_ev, cbm_ev = size
    zero = _Zero("vbm", vbm_ev)
    return {
        "band_gap_ev": cbm_ev - vbm_ev,
        "direct_gap_ev": _smaller(on_path.direct_gap_ev, ground_state.values.get("direct_gap_ev")),
        "is_metal": False,
        "vbm_ev": vbm_ev,
        "cbm_ev": cbm_ev,
        "vbm_kpoint": path.label(around.vbm_at) if _same(around.vbm_ev, vbm_ev) else None,
        "cbm_kpoint": path.label(around.cbm_at) if _same(around.cbm_ev, cbm_ev) else None,
        "lattice_type": path.lattice,
        "band_structure": _column(path, found, zero, around),
    }


def _with_mesh(around: Edges, ground_state: GroundState) -> tuple[float, float]:
    """Return the edges of the path and of the mesh together, in eV."""
    vbm, cbm = ground_state.vbm_ev, ground_state.cbm_ev
    return (
        around.vbm_ev if vbm is None or _same(vbm, around.vbm_ev) else max(vbm, around.vbm_ev),
        around.cbm_ev if cbm is None or _same(cbm, around.cbm_ev) else min(cbm, around.cbm_ev),
    )


def _same(one: float, other: float) -> bool:
    return abs(one - other) < SAME_EDGE_EV


def _smaller(one: float | None, other: JsonValue) -> float | None:
    known = [x for x in (one, other) if isinstance(x, int | float)]
    return min(known, default=None)


def _highest(found: Eigenvalues) -> float:
    """Return the highest energy of the bands that hold electrons, full or not."""
    filled = [max(1, int(number + 1)) for number in found.filled or []]
    return max(
        bands[min(n, len(bands)) - 1]
        for points, n in zip(found.channels, filled, strict=True)
        for bands in points
    )


def _column(path: BandPath, found: Eigenvalues, zero: _Zero, around: Edges | None = None) -> str:
    """Return the curves as JSON."""
    n_points, n_bands = len(path.kpoints_frac), len(found.channels[0][0])
    kept = {one.at for one in path.ticks} | ({around.vbm_at, around.cbm_at} if around else set())
    for points, chosen in _choices(path, found, zero, kept):
        if len(points) * sum(len(bands) for bands in chosen) <= MOST_NUMBERS:
            break
    place = {at: number for number, at in enumerate(points)}
    content: dict[str, Any] = {
        "zero": zero.kind,
        "zero_ev": round(zero.energy_ev, 4),
        "distances_per_ang": [round(path.distances_per_ang[at], 4) for at in points],
        "ticks": [[place[one.at], one.label] for one in path.ticks],
        "energies_ev": [
            [
                [round(channel[at][band] - zero.energy_ev, DIGITS) + 0.0 for at in points]
                for band in bands
            ]
            for channel, bands in zip(found.channels, chosen, strict=True)
        ],
        "left_out": {
            "points": n_points - len(points),
            "bands_below": [bands[0] if bands else 0 for bands in chosen],
            "bands_above": [n_bands - 1 - bands[-1] if bands else n_bands for bands in chosen],
        },
    }
    if around is not None:
        content |= {"vbm_at": place[around.vbm_at], "cbm_at": place[around.cbm_at]}
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _choices(
    path: BandPath, found: Eigenvalues, zero: _Zero, kept: set[int]
) -> Iterator[tuple[list[int], list[list[int]]]]:
    """Yield points and bands of each spin to keep, ever fewer."""
    n_points = len(path.kpoints_frac)
    for window_ev in WINDOWS_EV:
        chosen = [_near(channel, zero.energy_ev, window_ev) for channel in found.channels]
        for every in EVERY:
            yield [at for at in range(n_points) if at % every == 0 or at in kept], chosen


def _near(channel: Sequence[Sequence[float]], zero_ev: float, window_ev: float) -> list[int]:
    """Return the bands that come within a window of the zero somewhere."""
    bands = range(len(channel[0]))
    lowest = [min(point[band] for point in channel) - zero_ev for band in bands]
    highest = [max(point[band] for point in channel) - zero_ev for band in bands]
    return [band for band in bands if lowest[band] <= window_ev and highest[band] >= -window_ev]
