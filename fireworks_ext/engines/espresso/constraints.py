"""What a relaxation leaves as it is: fixed atoms, and parts of the cell."""

from __future__ import annotations

from math import hypot
from typing import Literal, Self, TypeAlias

from pydantic import Field, model_validator

from schemas.errors import UserError
from schemas.model import Model
from schemas.structure import Structure, Vector

Axes = Literal["x", "y", "z", "xy", "xz", "yz", "xyz"]
CellFreedom = Literal[
    "all",
    "shape",
    "x",
    "y",
    "z",
    "xy",
    "xz",
    "yz",
    "xyz",
    "2Dxy",
    "2Dshape",
    "epitaxial_ab",
    "epitaxial_ac",
    "epitaxial_bc",
]
"""pw.x's own words (INPUT_PW, cell_dofree), without those that it takes for `ibrav` cells only."""
NOT_FREE_HERE = {
    "volume": "pw.x changes the volume alone only for simple cubic cells, which keep their shape "
    "with cell: all as well, by symmetry",
    "ibrav": "the decks have ibrav = 0, for which pw.x has no lattice to keep; symmetry keeps it "
    "with cell: all",
}
Free: TypeAlias = tuple[tuple[int, int, int], ...]

_CLOSEST_ANG = 0.5
"""A site within this distance is the one that is meant: half of any bond."""
_PARALLEL = 1e-6
_STEPS = 10**6


class FixedAtoms(Model):
    """Sites whose coordinates stay: those that every given condition selects."""

    elements: tuple[str, ...] | None = Field(default=None, description="Atoms of these elements.")
    sites: tuple[int, ...] | None = Field(
        default=None, description="Sites by number, in the order of the structure, from 1."
    )
    between_frac: tuple[float, float] | None = Field(
        default=None, description="Atoms whose third coordinate, in [0, 1), lies between these."
    )
    near_frac: tuple[Vector, ...] | None = Field(
        default=None, description="The atoms at these fractional coordinates."
    )
    axes: Axes = Field(default="xyz", description="Cartesian coordinates that stay.")

    @model_validator(mode="after")
    def _selects(self) -> Self:
        given = (self.elements, self.sites, self.between_frac, self.near_frac)
        if all(one is None for one in given):
            raise ValueError("say which: elements, sites, between_frac or near_frac")
        if self.sites is not None and min(self.sites, default=1) < 1:
            raise ValueError(f"sites count from 1, so there is no site {min(self.sites)}")
        if self.between_frac is not None and self.between_frac[0] > self.between_frac[1]:
            raise ValueError("between_frac is [lower, upper]")
        return self


def resolve_fixed(structure: Structure, rules: tuple[FixedAtoms, ...]) -> tuple[FixedAtoms, ...]:
    """Return rules that mean the same sites whatever happens to numbers and heights.

    Rules by element stay, without elements that are not here. All others become the coordinates of
    their sites, in steps of 1e-6 and sorted: a structure with its sites in another order has the
    same candidate id, and a relaxed one has other heights.

    Raises
    ------
    UserError
        For a site that the structure does not have.
    """
    kept: list[FixedAtoms] = []
    for rule in rules:
        sites = _selected(structure, rule)
        if rule.sites is None and rule.between_frac is None and rule.near_frac is None:
            here = tuple(sorted(set(rule.elements or ()) & set(structure.elements)))
            chosen = FixedAtoms(elements=here, axes=rule.axes)
        else:
            at = sorted({_rounded(structure.frac_coords[site]) for site in sites})
            chosen = FixedAtoms(near_frac=tuple(at), axes=rule.axes)
        if sites and chosen not in kept:
            kept.append(chosen)
    return tuple(sorted(kept, key=lambda rule: rule.model_dump_json()))


def free_axes(structure: Structure, rules: tuple[FixedAtoms, ...]) -> Free | None:
    """Return 1 for each coordinate that may change and 0 for others, or None where all may.

    (n_atoms, 3), Cartesian, in the order of the sites: `if_pos` of pw.x.

    Raises
    ------
    UserError
        For a site that the structure does not have.
    """
    if not rules:
        return None
    free = [[1, 1, 1] for _ in range(structure.n_atoms)]
    for rule in rules:
        for site in _selected(structure, rule):
            for axis in rule.axes:
                free[site]["xyz".index(axis)] = 0
    return tuple((x, y, z) for x, y, z in free)


def check_cell(structure: Structure, cell: str) -> None:
    """Refuse a part of the cell that pw.x would take by other axes than the candidate's.

    Its x, y and z are components of the first, second and third vector, so the vector has to lie
    along that axis.

    Raises
    ------
    UserError
        With the vector that does not, and what to take instead.
    """
    letters = cell if set(cell) <= set("xyz") else "z" if cell.startswith("2D") else ""
    for letter in letters:
        index = "xyz".index(letter)
        vector = structure.lattice_ang[index]
        across = hypot(*(x for i, x in enumerate(vector) if i != index))
        if across > _PARALLEL * hypot(*vector):
            name = ("first", "second", "third")[index]
            raise UserError(
                f"cell: {cell} needs the {name} cell vector along {letter}, and here it is "
                f"({', '.join(f'{x:.4f}' for x in vector)}); take epitaxial_ab (only the third "
                "vector changes), epitaxial_ac, epitaxial_bc, or turn the cell"
            )


def _selected(structure: Structure, rule: FixedAtoms) -> list[int]:
    """Return the sites, from 0, that a rule selects."""
    sites = range(structure.n_atoms)
    if rule.sites is not None:
        beyond = [site for site in rule.sites if site > structure.n_atoms]
        if beyond:
            raise UserError(
                f"fixed_atoms: no site {beyond[0]}: {structure.formula} has {structure.n_atoms}, "
                "counted from 1; select by elements, between_frac or near_frac where candidates "
                "differ"
            )
    near = None if rule.near_frac is None else {_at(structure, at) for at in rule.near_frac}
    return [
        site
        for site in sites
        if (rule.elements is None or structure.species[site] in rule.elements)
        and (rule.sites is None or site + 1 in rule.sites)
        and (rule.between_frac is None or _between(structure.frac_coords[site], rule.between_frac))
        and (near is None or site in near)
    ]


def _between(position: Vector, limits: tuple[float, float]) -> bool:
    height = _rounded(position)[2]
    return limits[0] <= height <= limits[1]


def _rounded(position: Vector) -> Vector:
    x, y, z = (round(c * _STEPS) % _STEPS / _STEPS for c in position)
    return x, y, z


def _at(structure: Structure, position: Vector) -> int:
    """Return the site that is at a place: the closest one, periodic images included."""
    distances = [_distance_ang(structure, position, other) for other in structure.frac_coords]
    closest = min(range(structure.n_atoms), key=distances.__getitem__)
    if distances[closest] > _CLOSEST_ANG:
        raise UserError(
            f"fixed_atoms: no atom of {structure.formula} within {_CLOSEST_ANG} angstrom of "
            f"({', '.join(f'{x:g}' for x in position)}); the closest is at {distances[closest]:.2f}"
        )
    return closest


def _distance_ang(structure: Structure, one: Vector, other: Vector) -> float:
    """Return the distance of two places; exact for the short ones that matter here."""
    apart = [(x - y + 0.5) % 1.0 - 0.5 for x, y in zip(one, other, strict=True)]
    return hypot(*(sum(apart[i] * structure.lattice_ang[i][j] for i in range(3)) for j in range(3)))
