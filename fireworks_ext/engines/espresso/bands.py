"""The gap between occupied and empty bands, as far as a calculation tells it."""

from __future__ import annotations

from dataclasses import dataclass

INTEGER_TOLERANCE = 0.02
"""How far from a whole number a magnetisation may be that fills whole bands (smearing blurs it)."""


@dataclass(frozen=True)
class Gap:
    """Gaps in eV, on the k-points of the calculation; None where it cannot be told."""

    band_gap_ev: float | None
    direct_gap_ev: float | None
    is_metal: bool | None


UNKNOWN = Gap(None, None, None)
METAL = Gap(0.0, 0.0, is_metal=True)


def gap(channels: list[list[list[float]]], filled: list[float]) -> Gap:
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
    counts = [round(number) for number in filled]
    if any(abs(number - count) > INTEGER_TOLERANCE for number, count in zip(filled, counts)):  # noqa: B905
        return METAL
    pairs = list(zip(channels, counts, strict=True))
    if any(len(bands) <= count for points, count in pairs for bands in points):
        return UNKNOWN
    top = [max(bands[n - 1] for bands in points) for points, n in pairs if n]
    if not top:
        return UNKNOWN
    bottom = min(bands[n] for points, n in pairs for bands in points)
    size = bottom - max(top)
    if size <= 0:
        return METAL
    direct = min(bands[n] - bands[n - 1] for points, n in pairs if n for bands in points)
    return Gap(size, direct, is_metal=False)
