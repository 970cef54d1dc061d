"""The gap between occupied and empty bands, and where its edges are, as far as bands tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

INTEGER_TOLERANCE = 0.02
"""How far from a whole number a magnetisation may be that fills whole bands (smearing blurs it)."""

Channels: TypeAlias = list[list[list[float]]]
"""Energies in eV by spin channel, k-point and band, ascending."""


@dataclass(frozen=True)
class Gap:
    """Gaps in eV, on the k-points of the calculation; None where it cannot be told."""

    band_gap_ev: float | None
    direct_gap_ev: float | None
    is_metal: bool | None


UNKNOWN = Gap(None, None, None)
METAL = Gap(0.0, 0.0, is_metal=True)


@dataclass(frozen=True)
class Edges:
    """The highest filled and the lowest empty energy, in eV, each with the number of its k-point.

    Of several that are alike within rounding, the first.
    """

    vbm_ev: float
    vbm_at: int
    cbm_ev: float
    cbm_at: int


SAME_ENERGY_EV = 1e-4
"""Energies at equivalent k-points differ by less: what diagonalisation leaves."""


def gap(channels: Channels, filled: list[float]) -> Gap:
    """Return the gap above the filled bands.

    It counts bands instead of comparing with the Fermi energy, which smearing can push into a band
    of an insulator.

    Parameters
    ----------
    channels
        Energies in eV by spin channel, k-point and band, ascending.
    filled
        Bands that the electrons of each channel fill; a fraction makes a metal.
    """
    counts = whole(filled)
    if counts is None:
        return METAL
    found = edges(channels, counts)
    if found is None:
        return UNKNOWN
    size = found.cbm_ev - found.vbm_ev
    if size <= 0:
        return METAL
    pairs = zip(channels, counts, strict=True)
    direct = min(bands[n] - bands[n - 1] for points, n in pairs if n for bands in points)
    return Gap(size, direct, is_metal=False)


def whole(filled: list[float]) -> list[int] | None:
    """Return how many bands are full, by channel, or None where one is filled in part."""
    counts = [round(number) for number in filled]
    near = zip(filled, counts, strict=True)
    return counts if all(abs(x - n) <= INTEGER_TOLERANCE for x, n in near) else None


def edges(channels: Channels, counts: list[int]) -> Edges | None:
    """Return the edges around the gap above so many full bands; None without empty or full ones.

    In a metal the highest filled energy is above the lowest empty one.
    """
    pairs = list(zip(channels, counts, strict=True))
    if any(len(bands) <= count for points, count in pairs for bands in points):
        return None
    tops = [(bands[n - 1], at) for points, n in pairs if n for at, bands in enumerate(points)]
    bottoms = [(bands[n], at) for points, n in pairs for at, bands in enumerate(points)]
    if not tops or not bottoms:
        return None
    vbm, cbm = max(energy for energy, _ in tops), min(energy for energy, _ in bottoms)
    return Edges(
        vbm_ev=vbm,
        vbm_at=min(at for energy, at in tops if energy > vbm - SAME_ENERGY_EV),
        cbm_ev=cbm,
        cbm_at=min(at for energy, at in bottoms if energy < cbm + SAME_ENERGY_EV),
    )
