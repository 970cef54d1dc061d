"""Paths along the lines of high symmetry, and the standardised cells that they belong to.

The paths and cells are those of Setyawan and Curtarolo, Comput. Mater. Sci. 49, 299 (2010),
doi:10.1016/j.commatsci.2010.05.010, as pymatgen has them. A path is written in the reciprocal
vectors of its own cell: with another cell of the same crystal it would be another path.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import ceil, hypot
from typing import TYPE_CHECKING, Any

from pydantic import Field

from schemas.errors import UserError
from schemas.model import Model
from schemas.structure import Structure, Vector

if TYPE_CHECKING:
    from pymatgen.core import Structure as PymatgenStructure
    from pymatgen.symmetry.kpath import KPathSetyawanCurtarolo

SYMMETRY_TOLERANCE_ANG = 0.01
"""Atoms that are nearer than this to a symmetric place are put there."""
DIGITS = 10
"""Of coordinates and vectors: what rounding leaves beyond is not the same on every machine."""
_GREEK = {"\\Gamma": "\N{GREEK CAPITAL LETTER GAMMA}", "\\Sigma": "\N{GREEK CAPITAL LETTER SIGMA}"}


class Tick(Model):
    """A point of high symmetry on a path."""

    at: int = Field(description="Its number among the points of the path, from 0.")
    label: str


class BandPath(Model):
    """The points of a path, in order.

    Where it jumps, the points before and behind have the same distance and a tick each.
    """

    lattice: str = Field(description="Type of the lattice as the convention calls it: FCC, HEX.")
    kpoints_frac: tuple[Vector, ...] = Field(
        description="(n_points, 3), in reciprocal vectors of the cell."
    )
    distances_per_ang: tuple[float, ...] = Field(
        description="(n_points,), along the path, in 1/angstrom, 2 pi included."
    )
    ticks: tuple[Tick, ...]

    def label(self, at: int) -> str:
        """Return where a point is: `X`, or `Γ-X 0.84`: so far on the way from one to the other."""
        named = {one.at: one.label for one in self.ticks}
        if at in named:
            return named[at]
        before = max(one.at for one in self.ticks if one.at < at)
        behind = min(one.at for one in self.ticks if one.at > at)
        far = self.distances_per_ang
        share = (far[at] - far[before]) / (far[behind] - far[before])
        return f"{named[before]}-{named[behind]} {share:.2f}"


def standard_path(
    structure: Structure, moments: Sequence[float], spacing_per_ang: float
) -> tuple[Structure, BandPath]:
    """Return the standardised primitive cell of a crystal, and the path that belongs to it.

    Sites that differ by their moments are different ones for the symmetry.

    Parameters
    ----------
    moments
        One for each site, in Bohr magnetons; the cell that is returned carries them along, where
        any is not 0.
    spacing_per_ang
        Largest distance between points, in 1/angstrom, 2 pi included.

    Raises
    ------
    UserError
        When no symmetry is found.
    """
    kinds = list(dict.fromkeys(zip(structure.species, moments, strict=True)))
    found = _setyawan_curtarolo(_by_kind(structure, moments, kinds))
    segments = found.kpath
    if segments is None:
        raise UserError(f"{structure.formula}: no path of high symmetry is known for its lattice")
    cell = _cell(found.prim, kinds, structure)
    rows = found.prim_rec.matrix.tolist()
    named = {name: _vector(at) for name, at in segments["kpoints"].items()}
    lines = [[(_label(name), named[name]) for name in line] for line in segments["path"]]
    return cell, _sampled(found.name, lines, rows, spacing_per_ang)


def _by_kind(
    structure: Structure, moments: Sequence[float], kinds: list[tuple[str, float]]
) -> PymatgenStructure:
    """Return the cell with an element of its own for each kind of sites: all that symmetry sees."""
    from pymatgen.core import Element
    from pymatgen.core import Structure as PymatgenStructure

    numbers = [kinds.index(one) + 1 for one in zip(structure.species, moments, strict=True)]
    return PymatgenStructure(
        structure.lattice_ang,
        [Element.from_Z(number) for number in numbers],
        structure.frac_coords,
    )


def _setyawan_curtarolo(structure: PymatgenStructure) -> KPathSetyawanCurtarolo:
    from pymatgen.symmetry.kpath import KPathSetyawanCurtarolo

    with warnings.catch_warnings():
        # That the given cell is not the standard one: what is used is the standard one.
        warnings.simplefilter("ignore")
        try:
            return KPathSetyawanCurtarolo(structure, symprec=SYMMETRY_TOLERANCE_ANG)
        except (TypeError, ValueError, AttributeError) as error:  # spglib found nothing
            raise UserError(
                f"no symmetry of the structure is found within {SYMMETRY_TOLERANCE_ANG} angstrom, "
                f"so it has no path: {error}"
            ) from error


def _cell(
    standard: PymatgenStructure, kinds: list[tuple[str, float]], given: Structure
) -> Structure:
    sites = [(kinds[site.specie.Z - 1], _vector(site.frac_coords)) for site in standard]
    sites.sort(key=lambda one: kinds.index(one[0]))
    moments = tuple(moment for (_, moment), _ in sites)
    a, b, c = (_vector(row) for row in standard.lattice.matrix.tolist())
    return Structure(
        lattice_ang=(a, b, c),
        species=tuple(element for (element, _), _ in sites),
        frac_coords=tuple(at for _, at in sites),
        moments_bohr=moments if any(moments) else None,
        charge=given.charge * len(sites) / given.n_atoms,
    )


def _vector(numbers: Iterable[Any]) -> Vector:
    x, y, z = (round(float(number), DIGITS) + 0.0 for number in numbers)  # no -0.0
    return x, y, z


def _label(name: str) -> str:
    """Return a name as it is printed; pymatgen writes an index as `X_1`."""
    head, _, index = name.partition("_")
    return _GREEK.get(head, head) + index


def _sampled(
    lattice: str,
    lines: Sequence[Sequence[tuple[str, Vector]]],
    reciprocal_per_ang: Sequence[Sequence[float]],
    spacing_per_ang: float,
) -> BandPath:
    points: list[Vector] = []
    distances: list[float] = []
    ticks: list[Tick] = []
    so_far = 0.0
    for line in lines:
        ticks.append(Tick(at=len(points), label=line[0][0]))
        points.append(line[0][1])
        distances.append(so_far)
        for (_, one), (label, other) in pairwise(line):
            length = _length(one, other, reciprocal_per_ang)
            steps = max(1, ceil(length / spacing_per_ang - 1e-8))
            for step in range(1, steps + 1):
                share = step / steps
                between = [x + share * (y - x) for x, y in zip(one, other, strict=True)]
                points.append(_vector(between))
                distances.append(so_far + share * length)
            so_far += length
            ticks.append(Tick(at=len(points) - 1, label=label))
    return BandPath(
        lattice=lattice,
        kpoints_frac=tuple(points),
        distances_per_ang=tuple(round(x, DIGITS) for x in distances),
        ticks=tuple(ticks),
    )


def _length(one: Vector, other: Vector, rows: Sequence[Sequence[float]]) -> float:
    """Return the distance of two k-points, in 1/angstrom."""
    step = [y - x for x, y in zip(one, other, strict=True)]
    columns = zip(*rows, strict=True)
    return hypot(*(sum(x * y for x, y in zip(step, axis, strict=True)) for axis in columns))
