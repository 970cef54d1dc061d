"""Reads structure files through pymatgen into plain structures."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from runner.crystal.disorder import DisorderedCell, disordered, fractional, moments_without_choice
from runner.crystal.elements import symbol_problem
from schemas.errors import UserError
from schemas.structure import Structure, Vector

if TYPE_CHECKING:
    from pymatgen.core import Structure as PymatgenStructure

POSCAR_SUFFIXES = (".vasp", ".poscar")
POSCAR_NAMES = ("POSCAR", "CONTCAR")
CIF_BLOCK = re.compile(r"^\s*data_", re.MULTILINE)
"""What every CIF holds, and no POSCAR."""
ISOTOPES = {"D": "H", "T": "H"}
"""Electronic structure does not tell them apart."""


@dataclass(frozen=True, slots=True)
class FoundStructure:
    """A structure of a file, and the reader's warnings, joined, or None."""

    structure: Structure
    remarks: str | None


@dataclass(frozen=True, slots=True)
class FoundDisorder:
    """A structure of a file whose sites may be partially occupied, and the reader's warnings."""

    cell: DisorderedCell
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
    found, remarks = _found(path)
    for name, structure in _named(path, found):
        yield FoundStructure(_plain(structure, name, primitive=primitive), remarks)


def read_disordered(path: Path) -> Iterator[FoundDisorder]:
    """Yield all structures of a file like `read_structures`, partial occupancy as it is given.

    What is missing to a full site is vacancy. Moments are kept of sites without a choice.

    Raises
    ------
    UserError
        Like `read_structures`, and for a site that is more than full.
    """
    found, remarks = _found(path)
    for name, structure in _named(path, found):
        yield FoundDisorder(_disordered(structure, name), remarks)


def structure_of(value: object, name: str) -> Structure:
    """Return the structure in a value: a mapping as in JSON files, or a text.

    Texts are JSON where they begin with a brace, CIF where they hold a data block, else POSCAR.

    Raises
    ------
    UserError
        Beginning with `name`, for what `read_structures` refuses.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # there is no column for what the reader remarks
        try:
            found = _of_text(value, name) if isinstance(value, str) else _from_json(value)
        except UserError:
            raise
        except Exception as error:
            # As above: readers raise anything.
            raise UserError(f"{name}: cannot be read: {_one_line(error)}") from error
        return _plain(found, name, primitive=False)


def _of_text(text: str, name: str) -> PymatgenStructure | Structure:
    if text.lstrip().startswith("{"):
        return _from_json(json.loads(text))
    if CIF_BLOCK.search(text):
        from pymatgen.io.cif import CifParser

        parser = CifParser.from_str(text)
        found = parser.parse_structures(primitive=False, on_error="raise")
        if len(found) != 1:
            raise ValueError(f"found {len(found)} structures, expected one")
        return found[0]
    from pymatgen.io.vasp import Poscar

    return _named_sites(lambda: Poscar.from_str(text).structure, name)


def _found(path: Path) -> tuple[list[PymatgenStructure | Structure], str | None]:
    """Return what a file holds and what its reader warned of, joined."""
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
    return found, remarks or None


def _named(
    path: Path, found: list[PymatgenStructure | Structure]
) -> Iterator[tuple[str, PymatgenStructure | Structure]]:
    for index, structure in enumerate(found):
        yield f"{path}" if len(found) == 1 else f"{path} (structure {index})", structure


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

    return _named_sites(lambda: Poscar.from_file(path, check_for_potcar=False).structure, f"{path}")


def _named_sites(read: Callable[[], PymatgenStructure], name: str) -> PymatgenStructure:
    """Return the structure of a POSCAR; one without the elements' names is refused."""
    from pymatgen.io.vasp.inputs import BadPoscarWarning

    with warnings.catch_warnings():
        # Without names in the file the reader invents elements (H, He, Li, ...).
        warnings.simplefilter("error", BadPoscarWarning)
        try:
            return read()
        except BadPoscarWarning as warning:
            raise UserError(
                f"{name}: {_one_line(warning)}; write the elements' symbols above their numbers"
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
            f"{name}: has partially occupied sites ({structure.formula}); "
            "`kind: orderings` makes ordered cells of them"
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


def _disordered(structure: PymatgenStructure | Structure, name: str) -> DisorderedCell:
    if isinstance(structure, Structure) or structure.is_ordered:
        return disordered(_plain(structure, name, primitive=False))
    sites = []
    for number, site in enumerate(structure):
        fractions: dict[str, float] = {}
        for specie, fraction in site.species.items():
            symbol = _symbol(specie)
            fractions[symbol] = fractions.get(symbol, 0.0) + float(fraction)
        try:
            sites.append(fractional(fractions))
        except ValueError as error:
            raise UserError(f"{name}: site {number + 1}: {error}") from error
    a, b, c = (_vector(row) for row in structure.lattice.matrix)
    moments = _moments(structure, name)
    return DisorderedCell(
        lattice_ang=(a, b, c),
        sites=tuple(sites),
        frac_coords=tuple(_vector(site.frac_coords) for site in structure),
        moments_bohr=None if moments is None else moments_without_choice(moments, sites),
        # What the file gives; `charge` would be the sum of the states where it gives none.
        charge=float(structure.as_dict()["charge"] or 0.0),
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
    if isinstance(message, ValidationError):
        wrong = message.errors(include_url=False)
        places = (".".join(map(str, one["loc"])) or "the structure" for one in wrong)
        return "; ".join(
            f"{place}: {one['msg'].lower()}" for place, one in zip(places, wrong, strict=True)
        )
    return " ".join(str(message).split()) or type(message).__name__
