"""Starting moments: by element or by site, along one axis or in any direction."""

from __future__ import annotations

from collections.abc import Mapping
from math import acos, atan2, degrees, hypot
from typing import TypeAlias

from fireworks_ext.engines.espresso.keywords import split_index
from fireworks_ext.engines.espresso.params import EspressoParams
from schemas.errors import UserError
from schemas.structure import Structure, Vector

Moment: TypeAlias = float | Vector
"""Bohr magnetons: along z, or (x, y, z)."""
Moments: TypeAlias = Mapping[str, Moment] | tuple[Moment, ...]


def non_collinear(params: EspressoParams) -> bool:
    """Tell whether wavefunctions are spinors: each band holds one electron."""
    raw = any(params.params.get(name) is True for name in ("noncolin", "lspinorb"))
    return raw or params.spin == "noncollinear" or params.spin_orbit


def resolve_moments(structure: Structure, params: EspressoParams) -> Moments | None:
    """Return the starting moments, or None where all are 0: that start stays without magnetism.

    Raises
    ------
    UserError
        When spin is asked for without moments, or with moments that do not fit it.
    """
    if params.spin == "none":
        return None
    given: Moments | None = params.moments_bohr
    if given is None:
        given = structure.moments_bohr
    if given is None:
        if any(split_index(name)[0] == "starting_magnetization" for name in params.params):
            return dict.fromkeys(structure.elements, 0.0)
        raise UserError(_missing(params))
    if isinstance(given, Mapping):
        here = {e: given[e] for e in structure.elements if size(given.get(e, 0.0))}
        return here or None
    if len(given) != structure.n_atoms:
        raise UserError(f"moments_bohr: {len(given)} moments for {structure.n_atoms} sites")
    return given if any(size(moment) for moment in given) else None


def _missing(params: EspressoParams) -> str:
    message = (
        f"spin: {params.spin} needs starting moments: give moments_bohr by element, as in "
        "{Fe: 3.0}, or a structure that has them; without them it would stay non-magnetic"
    )
    if params.spin_orbit:
        message += " (for a non-magnetic crystal with spin-orbit coupling, say spin: none)"
    return message


def site_moments(structure: Structure, params: EspressoParams) -> tuple[Moment, ...]:
    """Return the starting moment of each site, in Bohr magnetons; zeros without spin."""
    given: Moments | None = params.moments_bohr
    if params.spin == "none":
        return (0.0,) * structure.n_atoms
    if isinstance(given, Mapping):
        moments: tuple[Moment, ...] | None = tuple(given.get(e, 0.0) for e in structure.species)
    else:
        moments = structure.moments_bohr if given is None else given
    if moments is None or len(moments) != structure.n_atoms:
        raise UserError(f"moments_bohr: {len(moments or ())} moments for {structure.n_atoms} sites")
    if params.spin == "noncollinear":
        return tuple(one if isinstance(one, tuple) else (0.0, 0.0, one) for one in moments)
    return moments


def check_directions(params: EspressoParams) -> None:
    """Refuse moments with directions for bands, whose standardised cell is a turned one.

    Raises
    ------
    UserError
        For moments of `spin: noncollinear`.
    """
    given = params.moments_bohr or ()
    values = given.values() if isinstance(given, Mapping) else given
    if params.spin == "noncollinear" and any(size(moment) for moment in values):
        raise UserError(
            "bands: with spin: noncollinear moments point somewhere in the cell as given, and the "
            "path belongs to the standardised cell, which is turned; take spin: collinear, or "
            "spin: none with spin_orbit: true"
        )


def size(moment: Moment) -> float:
    """Return the length of a moment, without its sign."""
    return hypot(*moment) if isinstance(moment, tuple) else abs(moment)


def direction(moment: Moment) -> tuple[float, float]:
    """Return angle1 and angle2 of pw.x, in degrees: with z, and of the projection with x.

    INPUT_PW, angle1 and angle2. A moment along -z has an angle of 180 and keeps a positive size.
    """
    x, y, z = moment if isinstance(moment, tuple) else (0.0, 0.0, moment)
    length = hypot(x, y, z)
    if not length:
        return 0.0, 0.0
    around = degrees(atan2(y, x)) if hypot(x, y) else 0.0
    return degrees(acos(max(-1.0, min(1.0, z / length)))), around
