"""The lattice vectors that pw.x builds from `ibrav` and lengths (INPUT_PW, ibrav; latgen.f90)."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

from schemas.structure import Vector

Lattice = tuple[Vector, Vector, Vector]

_EQUAL_AXES = (1, 2, 3, -3, 5, -5)
"""With these, b and c are a."""


def lattice_of(ibrav: int, a: float, ratios: Mapping[str, float]) -> Lattice | None:
    """Return the vectors, in the unit of `a`; None for an unknown `ibrav` or missing lengths.

    Parameters
    ----------
    ratios
        What is known of `b/a`, `c/a`, `cosab`, `cosac`, `cosbc`.
    """
    b, c = (a * ratios.get(name, 1.0 if ibrav in _EQUAL_AXES else 0.0) for name in ("b/a", "c/a"))
    cosines = tuple(ratios.get(name, 0.0) for name in ("cosab", "cosac", "cosbc"))
    try:
        return (
            _cubic(ibrav, a) or _uniaxial(ibrav, a, c, cosines) or _others(ibrav, a, b, c, cosines)
        )
    except (ValueError, ZeroDivisionError):  # angles that no cell has
        return None


def _cubic(ibrav: int, a: float) -> Lattice | None:
    h = a / 2
    return {
        1: ((a, 0.0, 0.0), (0.0, a, 0.0), (0.0, 0.0, a)),
        2: ((-h, 0.0, h), (0.0, h, h), (-h, h, 0.0)),
        3: ((h, h, h), (-h, h, h), (-h, -h, h)),
        -3: ((-h, h, h), (h, -h, h), (h, h, -h)),
    }.get(ibrav)


def _uniaxial(ibrav: int, a: float, c: float, cosines: tuple[float, ...]) -> Lattice | None:
    """Hexagonal, trigonal and tetragonal ones."""
    h = a / 2
    if ibrav == 4:  # noqa: PLR2004
        return (a, 0.0, 0.0), (-h, a * sqrt(3) / 2, 0.0), (0.0, 0.0, c)
    if ibrav in {5, -5}:
        return _trigonal(a, cosines[0], threefold_111=ibrav < 0)
    return {
        6: ((a, 0.0, 0.0), (0.0, a, 0.0), (0.0, 0.0, c)),
        7: ((h, -h, c / 2), (h, h, c / 2), (-h, -h, c / 2)),
    }.get(ibrav)


def _trigonal(a: float, cosine: float, *, threefold_111: bool) -> Lattice:
    tx, ty = sqrt((1 - cosine) / 2), sqrt((1 - cosine) / 6)
    tz = sqrt((1 + 2 * cosine) / 3)
    if not threefold_111:
        return (a * tx, -a * ty, a * tz), (0.0, 2 * a * ty, a * tz), (-a * tx, -a * ty, a * tz)
    u, v = a / sqrt(3) * (tz - 2 * sqrt(2) * ty), a / sqrt(3) * (tz + sqrt(2) * ty)
    return (u, v, v), (v, u, v), (v, v, u)


def _others(ibrav: int, a: float, b: float, c: float, cosines: tuple[float, ...]) -> Lattice | None:
    """Orthorhombic, monoclinic and triclinic ones."""
    p, q, r = a / 2, b / 2, c / 2
    cosab, cosac, cosbc = cosines
    sinab, sinac = sqrt(1 - cosab**2), sqrt(1 - cosac**2)
    volume = sqrt(max(0.0, 1 + 2 * cosab * cosac * cosbc - cosab**2 - cosac**2 - cosbc**2))
    along_c, along_a, along_b = (0.0, 0.0, c), (a, 0.0, 0.0), (0.0, b, 0.0)
    in_plane = (b * cosab, b * sinab, 0.0)
    tilted = (c * cosac, 0.0, c * sinac)
    return {
        8: (along_a, along_b, along_c),
        9: ((p, q, 0.0), (-p, q, 0.0), along_c),
        -9: ((p, -q, 0.0), (p, q, 0.0), along_c),
        91: (along_a, (0.0, q, -r), (0.0, q, r)),
        10: ((p, 0.0, r), (p, q, 0.0), (0.0, q, r)),
        11: ((p, q, r), (-p, q, r), (-p, -q, r)),
        12: (along_a, in_plane, along_c),
        -12: (along_a, along_b, tilted),
        13: ((p, 0.0, -r), in_plane, (p, 0.0, r)),
        -13: ((p, q, 0.0), (-p, q, 0.0), tilted),
        14: (
            along_a,
            in_plane,
            (c * cosac, c * (cosbc - cosac * cosab) / sinab, c * volume / sinab),
        ),
    }.get(ibrav)
