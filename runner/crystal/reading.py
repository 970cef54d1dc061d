"""Reads structure files through pymatgen into plain structures."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.crystal.elements import symbol_problem
from schemas.errors import UserError
from schemas.structure import Structure, Vector

if TYPE_CHECKING:
    from pymatgen.core import Structure as PymatgenStructure

POSCAR_SUFFIXES = (".vasp", ".poscar")
POSCAR_NAMES = ("POSCAR", "CONTCAR")
ISOTOPES = {"D": "H", "T": "H"}
"""Electronic structure does not tell them apart."""


@dataclass(frozen=True, slots=True)
class FoundStructure:
    """A structure of a file, and the reader's warnings, joined, or None."""

    structure: Structure
    remarks: str | None


def read_structures(path: Path, *, primitive: bool = False) -> Iterator[FoundStructure]:
    """Yield all structures of a file, in its order, cells as given unless `primitive`.

    Oxidation states are dropped, isotopes become their element.

    Raises
    ------
    UserError
        Naming the file, when it cannot be read, holds no structure, or one of its structures is
        partially occupied or has sites that are no elements.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = _read(path)
        except UserError:
            raise
        except Exception as error:
            # Readers of files raise anything; all of it is the file's fault.
            raise UserError(f"{path}: cannot be read: {_one_line(error)}") from error
    if not found:
        raise UserError(f"{path}: holds no structure")
    remarks = "; ".join(
        dict.fromkeys(
            _one_line(warning.message)
            for warning in caught
            if not issubclass(warning.category, DeprecationWarning)
        )
    )
    for index, structure in enumerate(found):
        name = f"{path}" if len(found) == 1 else f"{path} (structure {index})"
        yield FoundStructure(_plain(structure, name, primitive=primitive), remarks or None)


def _read(path: Path) -> list[PymatgenStructure | Structure]:
    suffix = path.suffix.lower()
    if suffix == ".cif":
        from pymatgen.io.cif import CifParser

        return list(CifParser(path).parse_structures(primitive=False, on_error="raise"))
    if suffix in POSCAR_SUFFIXES or path.name.startswith(POSCAR_NAMES):
        return [_read_poscar(path)]
    if suffix == ".json":
        data = json.loads(path.read_text(encoding="utf-8"))
        return [_from_json(entry) for entry in (data if isinstance(data, list) else [data])]
    raise UserError(
        f"{path}: not a known kind of structure file; "
        "read are .cif, .vasp, .poscar, POSCAR*, CONTCAR* and .json"
    )


def _read_poscar(path: Path) -> PymatgenStructure:
    from pymatgen.io.vasp import Poscar
    from pymatgen.io.vasp.inputs import BadPoscarWarning

    with warnings.catch_warnings():
        # Without names in the file the reader invents elements (H, He, Li, ...).
        warnings.simplefilter("error", BadPoscarWarning)
        try:
            return Poscar.from_file(path, check_for_potcar=False).structure
        except BadPoscarWarning as warning:
            raise UserError(
                f"{path}: {_one_line(warning)}; write the elements' symbols above their numbers"
            ) from warning


def _from_json(entry: Any) -> PymatgenStructure | Structure:
    from pymatgen.core import Structure as PymatgenStructure

    if isinstance(entry, dict) and "lattice_ang" in entry:
        return Structure.model_validate(entry)
    if isinstance(entry, dict) and "lattice" in entry and "sites" in entry:
        return PymatgenStructure.from_dict(entry)
    raise ValueError("expected a structure (lattice and sites) or a list of them")


def _plain(structure: PymatgenStructure | Structure, name: str, *, primitive: bool) -> Structure:
    if isinstance(structure, Structure):
        return _checked(
            _converted(structure.to_pymatgen(), name, primitive=True) if primitive else structure,
            name,
        )
    if not structure.is_ordered:
        raise UserError(
            f"{name}: has partially occupied sites ({structure.formula}); give ordered structures"
        )
    return _checked(_converted(structure, name, primitive=primitive), name)


def _converted(structure: PymatgenStructure, name: str, *, primitive: bool) -> Structure:
    species = [_symbol(site.specie) for site in structure]
    if problem := symbol_problem(species):
        raise UserError(f"{name}: {problem}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # charges and states are taken apart on purpose here
        structure = structure.copy()
        # Without states, `charge` is what the file gives and not the sum of the states.
        structure.remove_oxidation_states()
        charge = float(structure.charge)
        if primitive:
            whole = len(structure)
            structure = structure.get_primitive_structure(use_site_props=True)
            charge *= len(structure) / whole
    a, b, c = (_vector(row) for row in structure.lattice.matrix)
    return Structure(
        lattice_ang=(a, b, c),
        species=tuple(_symbol(site.specie) for site in structure),
        frac_coords=tuple(_vector(site.frac_coords) for site in structure),
        moments_bohr=_moments(structure, name),
        charge=charge,
    )


def _checked(structure: Structure, name: str) -> Structure:
    if problem := symbol_problem(structure.species):
        raise UserError(f"{name}: {problem}")
    return structure


def _symbol(specie: Any) -> str:
    symbol = str(specie.symbol)  # of an Element, a Species or a DummySpecies
    return ISOTOPES.get(symbol, symbol)


def _vector(values: Any) -> Vector:
    x, y, z = (float(value) for value in values)
    return x, y, z


def _moments(structure: PymatgenStructure, name: str) -> tuple[float, ...] | None:
    """Return the collinear moments, or None unless every site has one; vectors are refused."""
    values = structure.site_properties.get("magmom")
    if not values or any(value is None for value in values):
        return None
    if not all(isinstance(value, int | float) for value in values):
        raise UserError(f"{name}: has magnetic moments that are no numbers; only collinear ones")
    return tuple(float(value) for value in values)


def _one_line(message: object) -> str:
    return " ".join(str(message).split()) or type(message).__name__
