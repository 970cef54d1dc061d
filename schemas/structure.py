"""A crystal structure as plain numbers: what is identified, stored and handed to engines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import reduce
from itertools import chain
from math import gcd
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from pydantic import Field, model_validator

from schemas.model import Model

if TYPE_CHECKING:
    from pymatgen.core import Structure as PymatgenStructure

SMALLEST_VOLUME_ANG3 = 1e-3
Vector: TypeAlias = tuple[float, float, float]


class Structure(Model):
    """A periodic cell with fully occupied sites.

    `lattice_ang` holds the three cell vectors as rows, in angstrom, shape (3, 3); `frac_coords` has
    shape (n_atoms, 3); `moments_bohr`, when given, has one collinear moment per site.
    """

    lattice_ang: tuple[Vector, Vector, Vector]
    species: tuple[str, ...] = Field(min_length=1)
    frac_coords: tuple[Vector, ...]
    moments_bohr: tuple[float, ...] | None = None
    charge: float = 0.0

    @model_validator(mode="before")
    @classmethod
    def _from_flat(cls, given: Any) -> Any:
        """Take in what `flat` gave."""
        if isinstance(given, Mapping):
            rows = {
                name: [tuple(given[name][at : at + 3]) for at in range(0, len(given[name]), 3)]
                for name in ("lattice_ang", "frac_coords")
                if _is_flat(given.get(name))
            }
            if rows:
                return {**given, **rows}
        return given

    def flat(self) -> dict[str, Any]:
        """Return the cell as a document without lists in lists: not every database has those."""
        moments = self.moments_bohr
        return {
            "species": list(self.species),
            "moments_bohr": None if moments is None else list(moments),
            "charge": self.charge,
            "lattice_ang": list(chain.from_iterable(self.lattice_ang)),
            "frac_coords": list(chain.from_iterable(self.frac_coords)),
        }

    @model_validator(mode="after")
    def _one_entry_per_site(self) -> Self:
        if len(self.frac_coords) != len(self.species):
            raise ValueError("species and frac_coords must have one entry per site")
        if self.moments_bohr is not None and len(self.moments_bohr) != len(self.species):
            raise ValueError("moments_bohr must have one entry per site")
        if self.volume_ang3 < SMALLEST_VOLUME_ANG3:
            raise ValueError("the cell vectors span no volume")
        return self

    @property
    def volume_ang3(self) -> float:
        """Volume of the cell, in cubic angstrom."""
        a, b, c = self.lattice_ang
        cross = (b[1] * c[2] - b[2] * c[1], b[2] * c[0] - b[0] * c[2], b[0] * c[1] - b[1] * c[0])
        return abs(sum(x * y for x, y in zip(a, cross, strict=True)))

    @property
    def n_atoms(self) -> int:
        """Number of atoms in the cell."""
        return len(self.species)

    @property
    def elements(self) -> tuple[str, ...]:
        """The elements, sorted by symbol, each once."""
        return tuple(sorted(set(self.species)))

    @property
    def formula(self) -> str:
        """The reduced formula, elements in the order in which the cell lists them: `SrTiO3`."""
        counts = Counter(self.species)
        divisor = reduce(gcd, counts.values())
        return "".join(
            f"{element}{count // divisor if count != divisor else ''}"
            for element, count in counts.items()
        )

    def to_pymatgen(self) -> PymatgenStructure:
        """Return the same cell as a pymatgen structure."""
        from pymatgen.core import Structure as PymatgenStructure

        properties = None if self.moments_bohr is None else {"magmom": list(self.moments_bohr)}
        return PymatgenStructure(
            self.lattice_ang,
            list(self.species),
            list(self.frac_coords),
            charge=self.charge or None,
            site_properties=properties,
        )


def _is_flat(rows: Any) -> bool:
    """Tell whether vectors stand one after the other, not each in a list of its own."""
    return (
        isinstance(rows, list | tuple)
        and bool(rows)
        and len(rows) % 3 == 0
        and isinstance(rows[0], int | float)
    )
