"""Meshes of k-points."""

from __future__ import annotations

import warnings
from functools import lru_cache
from math import ceil, hypot, pi, prod

from fireworks_ext.engines.espresso.params import EspressoParams
from schemas.errors import UserError
from schemas.structure import Structure, Vector

Mesh = tuple[int, int, int]
_ROUNDING = 1e-8
"""Share of a step: a spacing that divides |b| exactly must not give one point more."""


def reciprocal_lengths_per_ang(lattice_ang: tuple[Vector, Vector, Vector]) -> Vector:
    """Return the lengths of the reciprocal vectors, 2 pi included, in 1/angstrom."""
    a, b, c = lattice_ang
    volume = abs(sum(x * y for x, y in zip(a, _cross(b, c), strict=True)))

    def length(u: Vector, v: Vector) -> float:
        return 2 * pi * hypot(*_cross(u, v)) / volume

    return length(b, c), length(c, a), length(a, b)


def _cross(a: Vector, b: Vector) -> Vector:
    return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])


def mesh_of(structure: Structure, params: EspressoParams) -> Mesh:
    """Return the mesh: the explicit one, or ceil(|b| / spacing) along each axis, at least 1.

    Raises
    ------
    UserError
        When the params say neither.
    """
    if params.kmesh is not None:
        return params.kmesh
    if params.kspacing_per_ang is None:
        raise UserError("give kspacing_per_ang, or kmesh, or a protocol that sets the spacing")
    spacing = params.kspacing_per_ang
    x, y, z = (
        max(1, ceil(length / spacing - _ROUNDING))
        for length in reciprocal_lengths_per_ang(structure.lattice_ang)
    )
    return x, y, z


def dense_mesh(structure: Structure, params: EspressoParams) -> Mesh:
    """Return the mesh of a density of states: so many times finer than that of the density."""
    x, y, z = (
        max(1, ceil(params.dos_mesh_factor * n - _ROUNDING)) for n in mesh_of(structure, params)
    )
    return x, y, z


def n_irreducible(
    structure: Structure, mesh: Mesh, shift: tuple[int, int, int], *, symmetric: bool = True
) -> int:
    """Return how many k-points are left after symmetry: what pw.x computes, or fewer.

    pw.x drops symmetries that do not fit its grid, so it may use more than this. Where it is told
    to use none, k and -k are still the same (INPUT_PW, nosym).
    """
    if mesh == (1, 1, 1):
        return 1
    if not symmetric:
        return _n_without_symmetry(mesh, shift)
    scale = hypot(*structure.lattice_ang[0])
    first_seen: dict[tuple[str, float], int] = {}
    return _n_irreducible(
        tuple(tuple(round(x / scale, 6) for x in vector) for vector in structure.lattice_ang),
        tuple(tuple(round(x, 6) for x in position) for position in structure.frac_coords),
        tuple(first_seen.setdefault(kind, len(first_seen)) for kind in _kinds(structure)),
        mesh,
        shift,
    )


@lru_cache(maxsize=1024)
def _n_irreducible(
    lattice: tuple[tuple[float, ...], ...],
    positions: tuple[tuple[float, ...], ...],
    kinds: tuple[int, ...],
    mesh: Mesh,
    shift: tuple[int, int, int],
) -> int:
    """Return the number for a cell of any size: all compounds of a prototype share a few."""
    import numpy as np
    import spglib

    cell = (list(lattice), list(positions), list(kinds))
    with warnings.catch_warnings():
        # spglib warns about how it will report errors one day; None means the same until then.
        warnings.simplefilter("ignore", DeprecationWarning)
        found = spglib.get_ir_reciprocal_mesh(mesh, cell, is_shift=shift, symprec=1e-5)
    return len(np.unique(found[0])) if found is not None else _n_without_symmetry(mesh, shift)


def _n_without_symmetry(mesh: Mesh, shift: tuple[int, int, int]) -> int:
    """Return how many of k and -k are left: along each axis, 0 and the border are their own."""
    own = prod(
        1 if points % 2 else 2 * (1 - moved) for points, moved in zip(mesh, shift, strict=True)
    )
    return (prod(mesh) + own) // 2


def _kinds(structure: Structure) -> list[tuple[str, float]]:
    moments = structure.moments_bohr or (0.0,) * structure.n_atoms
    return list(zip(structure.species, moments, strict=True))
