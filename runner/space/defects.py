"""Point defects in supercells: vacancies, substitutions, antisites, interstitials."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from runner.crystal.elements import symbol_problem
from runner.crystal.supercell import IDENTITY, Matrix, SupercellSize, determinant, repeated
from runner.crystal.symmetry import cell_of, operations
from runner.crystal.voids import voids
from runner.space._of import OF, Of, Parent, columns, count, parents, transformed
from schemas.candidate import Candidate
from schemas.columns import Column
from schemas.model import Model
from schemas.protocols import Surroundings
from schemas.structure import Structure, Vector

PRISTINE = "none"


class DefectsParams(Model):
    """Which defects, in which supercell, with which charges."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "of": {
                        "kind": "prototype",
                        "prototype": "perovskite-cubic",
                        "species": {"A": ["Sr"], "B": ["Ti"], "X": ["O"]},
                        "lattice_ang": 3.905,
                    },
                    "supercell": {"matrix": [2, 2, 2]},
                    "vacancies": ["O"],
                    "substitutions": {"Ti": ["Nb", "Fe"]},
                    "charges": [0, 1, 2],
                },
                {
                    "of": {"kind": "structures", "files": "cifs/*.cif"},
                    "supercell": {"min_length_ang": 10.0},
                    "antisites": True,
                    "interstitials": ["Li"],
                    "pristine": True,
                },
            ]
        }
    )

    of: Of = Field(description=OF)
    supercell: SupercellSize | None = Field(
        default=None,
        description="The supercell that holds one defect: exactly one of matrix, n_atoms and "
        "min_length_ang. Without it, the cell as it stands.",
    )
    vacancies: bool | tuple[str, ...] = Field(
        default=False, description="Take one atom away: true for every element, or a list of them."
    )
    substitutions: dict[str, tuple[str, ...]] = Field(
        default={},
        description="Put an atom of another element in its place: {Ti: [Nb, Fe]}. Elements that a "
        "cell does not have are passed over.",
    )
    antisites: bool = Field(
        default=False,
        description="Put each element of the cell on the sites of each other one.",
    )
    interstitials: tuple[str, ...] = Field(
        default=(),
        description="Add an atom of an element where there is room: at the vertices of the Voronoi "
        "diagram of the cell.",
    )
    interstitial_distance_ang: float = Field(
        default=1.2,
        gt=0.0,
        description="The least distance of an interstitial from the nearest atom, in angstrom.",
    )
    charges: tuple[int, ...] = Field(
        default=(0,),
        min_length=1,
        description="Charges of each defect, in elementary charges: one candidate for each.",
    )
    pristine: bool = Field(
        default=False, description="The supercell without a defect too, with no charge added."
    )

    @field_validator("charges")
    @classmethod
    def _each_once(cls, charges: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(charges)) < len(charges):
            raise ValueError("lists a charge more than once")
        return charges

    @field_validator("vacancies", "interstitials")
    @classmethod
    def _elements(cls, symbols: bool | tuple[str, ...]) -> bool | tuple[str, ...]:  # noqa: FBT001  (pydantic calls it)
        if not isinstance(symbols, bool) and (problem := symbol_problem(symbols)):
            raise ValueError(problem)
        return symbols

    @field_validator("substitutions")
    @classmethod
    def _others(cls, substitutions: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for symbol, others in substitutions.items():
            if problem := symbol_problem([symbol, *others]):
                raise ValueError(problem)
            if not others or symbol in others:
                raise ValueError(f"{symbol}: at least one element, all of them others")
        return substitutions

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not (self.vacancies or self.substitutions or self.antisites or self.interstitials):
            raise ValueError(
                "no defects; give vacancies, substitutions, antisites or interstitials"
            )
        return self

    def matrix(self, structure: Structure) -> Matrix:
        """Return the supercell of a cell."""
        return IDENTITY if self.supercell is None else self.supercell.matrix_of(structure)

    def is_vacant(self, symbol: str) -> bool:
        """Tell whether atoms of an element are taken away."""
        return self.vacancies if isinstance(self.vacancies, bool) else symbol in self.vacancies

    def guests(self, symbol: str, elements: tuple[str, ...]) -> tuple[str, ...]:
        """Return the elements that are put on the sites of one, each once."""
        antisites = [other for other in elements if self.antisites and other != symbol]
        return tuple(dict.fromkeys((*self.substitutions.get(symbol, ()), *antisites)))


class DefectsGenerator:
    """Yields cells with one defect, one of each orbit; see `schemas.protocols.Generator`."""

    params = DefectsParams

    def columns(self, params: DefectsParams) -> tuple[Column, ...]:
        """Return which defect it is, where, and how it is charged."""
        return columns(
            params.of,
            Column("defect", "text", "v_O: no atom; Nb_Ti: Nb in place of Ti; Li_i: Li between."),
            Column("defect_site", "int", "Site of the parent cell, or place between, from 0."),
            Column("defect_multiplicity", "int", "Equivalent sites or places in the parent cell."),
            Column("defect_charge", "int", "Charge of the defect.", "e"),
            Column("defect_room_ang", "float", "An interstitial's nearest atom.", "angstrom"),
            Column("supercell_size", "int", "Volume of the supercell in cells of its parent."),
        )

    def count(self, params: DefectsParams, surroundings: Surroundings) -> None:
        """Return None: only the cells tell. Checks the files of the entries."""
        count(params.of, surroundings)

    def candidates(self, params: DefectsParams, surroundings: Surroundings) -> Iterator[Candidate]:
        """Yield the defects site by site: vacancy, then others on it; interstitials at the end."""
        found = parents(params.of, surroundings)
        return transformed("defects", found, partial(_defects, params))


plugin = DefectsGenerator()


@dataclass(frozen=True)
class _Defect:
    """A defect of a parent cell; `guest` is None for a vacancy, `place` None but for between."""

    name: str
    site: int
    multiplicity: int
    guest: str | None
    place: Vector | None = None
    room_ang: float | None = None


def _defects(params: DefectsParams, parent: Parent) -> Iterator[Candidate]:
    structure = parent.structure
    matrix = params.matrix(structure)
    size = determinant(matrix)
    host = _Host(structure, matrix)
    if params.pristine:
        yield _candidate(parent, host, _Defect(PRISTINE, 0, 0, None), 0)
    for defect in _found(params, structure):
        if defect.guest is None and size * structure.n_atoms == 1:
            raise ValueError("has one atom: a vacancy needs a supercell")
        for charge in params.charges:
            yield _candidate(parent, host, defect, charge)


def _found(params: DefectsParams, structure: Structure) -> Iterator[_Defect]:
    """Yield the defects of a parent cell, one of each orbit of its space group."""
    cell = cell_of(structure)
    group = operations(cell)
    for orbit in group.orbits():
        site, n = orbit[0], len(orbit)
        symbol = structure.species[site]
        if params.is_vacant(symbol):
            yield _Defect(f"v_{symbol}", site, n, None)
        for guest in params.guests(symbol, structure.elements):
            yield _Defect(f"{guest}_{symbol}", site, n, guest)
    if not params.interstitials:
        return
    least = params.interstitial_distance_ang
    for number, void in enumerate(voids(cell, group, least_ang=least)):
        for guest in params.interstitials:
            yield _Defect(
                f"{guest}_i", number, void.multiplicity, guest, void.frac_coords, void.radius_ang
            )


@dataclass(frozen=True)
class _Host:
    """The supercell of a parent; images of a site come one after the other."""

    structure: Structure
    matrix: Matrix

    def species(self, defect: _Defect) -> tuple[str, ...]:
        """Return the elements with the defect, site by site."""
        size = determinant(self.matrix)
        species = [symbol for symbol in self.structure.species for _ in range(size)]
        first = defect.site * size
        if defect.name == PRISTINE:
            pass
        elif defect.place is not None and defect.guest is not None:
            species.append(defect.guest)
        elif defect.guest is None:
            del species[first]
        else:
            species[first] = defect.guest
        return tuple(species)

    def build(self, defect: _Defect, charge: int) -> Structure:
        """Return the cell with the defect; a new atom has no moment."""
        import numpy as np

        perfect = repeated(self.structure, self.matrix)
        first = defect.site * determinant(self.matrix)
        frac = list(perfect.frac_coords)
        moments = None if perfect.moments_bohr is None else list(perfect.moments_bohr)
        if defect.place is not None:
            place = np.array(defect.place) @ np.linalg.inv(np.array(self.matrix, dtype=float))
            x, y, z = (float(value) for value in place % 1.0)
            frac.append((x, y, z))
        elif defect.name != PRISTINE and defect.guest is None:
            del frac[first]
        if moments is not None and defect.name != PRISTINE:
            if defect.place is not None:
                moments.append(0.0)
            elif defect.guest is None:
                del moments[first]
            else:
                moments[first] = 0.0
        return Structure(
            lattice_ang=perfect.lattice_ang,
            species=self.species(defect),
            frac_coords=tuple(frac),
            moments_bohr=None if moments is None else tuple(moments),
            charge=perfect.charge + charge,
        )


def _candidate(parent: Parent, host: _Host, defect: _Defect, charge: int) -> Candidate:
    between = defect.place is not None
    return parent.child(
        "defects",
        choice={"defect": defect.name, "site": defect.site, "charge": charge},
        composition=Counter(host.species(defect)),
        build=partial(host.build, defect, charge),
        extra={
            "defect": defect.name,
            "defect_site": None if defect.name == PRISTINE else defect.site,
            "defect_multiplicity": defect.multiplicity or None,
            "defect_charge": charge,
            "defect_room_ang": defect.room_ang if between else None,
            "supercell_size": determinant(host.matrix),
        },
    )
