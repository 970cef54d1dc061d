"""Results of pw.x, read from its XML file.

Plain `xml.etree`: validating readers of the same file take a hundred times the CPU time, which a
worker would pay for every calculation.
"""

from __future__ import annotations

import json
import re
from math import hypot, isfinite
from pathlib import Path
from typing import TypeAlias
from xml.etree import ElementTree as ET

from pydantic import ValidationError

from fireworks_ext.engines.espresso.bands import UNKNOWN, Gap, gap
from fireworks_ext.engines.espresso.columns import COLUMNS
from fireworks_ext.engines.espresso.deck import SAVE_DIRECTORY, Deck
from fireworks_ext.engines.espresso.eigenvalues import read_eigenvalues
from fireworks_ext.engines.espresso.log import Log, read_log
from fireworks_ext.engines.espresso.recognition import diagnose, failures
from fireworks_ext.engines.espresso.recognition.results import read_xml
from fireworks_ext.engines.espresso.units import (
    BOHR_ANG,
    GPA_PER_HARTREE_BOHR3,
    HARTREE_EV,
    RYDBERG_PER_HARTREE,
)
from schemas.errors import UserError
from schemas.failure import Failure, FailureName
from schemas.model import JsonValue
from schemas.result import Result
from schemas.structure import Structure, Vector

DECK_FILE = "deck.json"
XML_FILE = f"{SAVE_DIRECTORY}/data-file-schema.xml"
COMPRESSED_XML_FILE = f"{XML_FILE}.gz"
DENSITY_FILE = f"{SAVE_DIRECTORY}/charge-density.dat"

_Values: TypeAlias = dict[str, JsonValue]


def parse(task: str, directory: Path) -> Result | Failure:
    """Return the result of a run of pw.x that was asked for a task, or how it failed.

    Only a run that ended by itself and converged is a result; the files alone decide.
    """
    if diagnose(directory) is None:
        return Failure(name=FailureName.OUTPUT_MISSING, message="no output of pw.x is there")
    for failure in failures(directory):
        return failure
    try:
        return _result(task, directory, read_results(directory), read_log(directory))
    except FileNotFoundError:
        return Failure(name=FailureName.XML_MISSING, message=f"{XML_FILE} is not there")
    except (OSError, ET.ParseError, LookupError, ValueError, AttributeError) as error:
        return Failure(
            name=FailureName.XML_UNREADABLE,
            message=f"{XML_FILE} cannot be read: {type(error).__name__}: {error}",
        )


def read_results(directory: Path) -> ET.Element:
    """Return the root of the file of results; where files are compressed, of that one.

    Raises
    ------
    OSError
        When it cannot be read.
    xml.etree.ElementTree.ParseError
        When it is damaged.
    """
    compressed = directory / COMPRESSED_XML_FILE
    return read_xml(compressed if compressed.is_file() else directory / XML_FILE)


def _result(task: str, directory: Path, root: ET.Element, log: Log) -> Result | Failure:
    output = _need(root, "output")
    said = root.findtext("input/control_variables/calculation")
    if said != task:
        return Failure(
            name=FailureName.OUTPUT_INCOMPLETE,
            message=f"{XML_FILE} is of the task {said!r}, not {task!r}",
        )
    missed = _unconverged(task, output)
    if missed is not None:
        return missed
    deck = read_deck(directory)
    structure = _structure(output, deck)
    if task == "scf" and deck is not None:
        structure = deck.structure
    values: _Values = {column.name: None for column in COLUMNS}
    values |= _energies(output, structure.n_atoms)
    if values["energy_ev"] is None:
        return Failure(
            name=FailureName.ENERGY_NOT_FINITE, message="the total energy is not a number"
        )
    values |= (
        _cell(structure) | _electrons(output) | _magnetisation(output, log) | _course(root, log)
    )
    if task != "scf":
        values["ionic_steps"] = _ionic_steps(root, output)
    creator = _need(root, "general_info/creator")
    products = {"structure": XML_FILE}
    if (directory / DENSITY_FILE).is_file():
        products["charge_density"] = DENSITY_FILE
    return Result(
        values=values,
        structure=structure,
        program=f"{creator.get('NAME')} {creator.get('VERSION')}",
        products=products,
    )


def _ionic_steps(root: ET.Element, output: ET.Element) -> int:
    """Return the steps of a relaxation, those before a restart too."""
    moves = output.findtext("convergence_info/opt_conv/n_opt_steps")
    return int(moves) + 1 if moves else len(root.findall("step"))


def final_structure(directory: Path) -> Structure:
    """Return the structure that a finished run ended with.

    Raises
    ------
    UserError
        When the directory has no readable output.
    """
    try:
        root = read_results(directory)
        return _structure(_need(root, "output"), read_deck(directory))
    except (OSError, ET.ParseError, LookupError, ValueError) as error:
        raise UserError(f"{directory / XML_FILE}: cannot be read: {error}") from error


def _unconverged(task: str, output: ET.Element) -> Failure | None:
    """Return a failure where the XML says so; its exit status is 0 for unconverged runs too."""
    wanted = {"scf_conv": FailureName.SCF_NOT_CONVERGED}
    if task != "scf":
        wanted["opt_conv"] = FailureName.IONIC_NOT_CONVERGED
    for part, name in wanted.items():
        place = f"convergence_info/{part}/convergence_achieved"
        if (output.findtext(place) or "").strip() != "true":
            return Failure(name=name, message=f"{place} is not true in {XML_FILE}")
    return None


def _need(element: ET.Element, path: str) -> ET.Element:
    found = element.find(path)
    if found is None:
        raise LookupError(f"no element {path}")
    return found


def _float(element: ET.Element, path: str, unit: float = 1.0) -> float | None:
    text = element.findtext(path)
    if text is None:
        return None
    try:
        value = float(text) * unit
    except ValueError:  # Fortran writes stars for numbers that do not fit
        return None
    return float(f"{value:.14g}") if isfinite(value) else None


def _vectors(element: ET.Element | None, unit: float) -> list[list[float]] | None:
    """Return the numbers of a matrix as rows of three; None when one is not finite."""
    if element is None or not element.text:
        return None
    numbers = [float(word) * unit for word in element.text.split()]
    if not all(isfinite(number) for number in numbers):
        return None
    return [numbers[i : i + 3] for i in range(0, len(numbers), 3)]


def read_deck(directory: Path) -> Deck | None:
    """Return the deck of a run directory as a value; None where there is none."""
    try:
        return Deck.model_validate_json((directory / DECK_FILE).read_bytes())
    except (OSError, ValidationError):
        return None


def _structure(output: ET.Element, deck: Deck | None) -> Structure:
    """Return the last structure; moments and charge are those that the run started with."""
    cell = _need(output, "atomic_structure/cell")
    lattice = [
        _vector([float(x) * BOHR_ANG for x in (cell.findtext(name) or "").split()])
        for name in ("a1", "a2", "a3")
    ]
    inverse = _inverse(lattice)
    species, positions = [], []
    for atom in _need(output, "atomic_structure/atomic_positions"):
        found = re.match(r"[A-Z][a-z]?", atom.get("name") or "")
        species.append(found[0] if found else "")
        cartesian = [float(x) * BOHR_ANG for x in (atom.text or "").split()]
        positions.append(
            _vector([sum(cartesian[i] * inverse[i][j] for i in range(3)) for j in range(3)])
        )
    return Structure(
        lattice_ang=(lattice[0], lattice[1], lattice[2]),
        species=tuple(species),
        frac_coords=tuple(positions),
        moments_bohr=deck.moments_bohr if deck else None,
        charge=deck.charge if deck else 0.0,
    )


def _vector(numbers: list[float]) -> Vector:
    x, y, z = numbers
    return x, y, z


def _inverse(m: list[Vector]) -> list[list[float]]:
    """Return the inverse of a matrix given as three rows."""
    a, b, c = m

    def cross(u: Vector, v: Vector) -> Vector:
        return (u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0])

    columns = cross(b, c), cross(c, a), cross(a, b)
    volume = sum(x * y for x, y in zip(a, columns[0], strict=True))
    return [[column[i] / volume for column in columns] for i in range(3)]


def _energies(output: ET.Element, n_atoms: int) -> _Values:
    energy = _float(output, "total_energy/etot", HARTREE_EV)
    values: _Values = {"energy_ev": energy}
    if energy is not None:
        values["energy_ev_per_atom"] = energy / n_atoms
    forces = _vectors(output.find("forces"), HARTREE_EV / BOHR_ANG)
    if forces:
        values["forces_ev_per_ang"] = json.dumps(forces)
        values["fmax_ev_per_ang"] = max(hypot(*force) for force in forces)
    stress = _vectors(output.find("stress"), GPA_PER_HARTREE_BOHR3)
    if stress:
        values["stress_gpa"] = json.dumps(stress)
        values["pressure_gpa"] = sum(stress[i][i] for i in range(3)) / 3
    return values


def _cell(structure: Structure) -> _Values:
    a, b, c = (hypot(*vector) for vector in structure.lattice_ang)
    volume = structure.volume_ang3
    return {
        "volume_ang3": volume,
        "volume_ang3_per_atom": volume / structure.n_atoms,
        "a_ang": a,
        "b_ang": b,
        "c_ang": c,
    }


def _electrons(output: ET.Element) -> _Values:
    bands = _need(output, "band_structure")
    found = _gap(output)
    n_bands = bands.findtext("nbnd") or bands.findtext("nbnd_up")
    fixed = bands.findtext("occupations_kind") == "fixed"
    return {
        "fermi_energy_ev": None if fixed else _float(bands, "fermi_energy", HARTREE_EV),
        "band_gap_ev": found.band_gap_ev,
        "direct_gap_ev": found.direct_gap_ev,
        "is_metal": found.is_metal,
        "n_electrons": _float(bands, "nelec"),
        "n_bands": int(n_bands) if n_bands else None,
        "n_kpoints": int(bands.findtext("nks") or 0) or None,
        "ecutwfc_ry": _float(output, "basis_set/ecutwfc", RYDBERG_PER_HARTREE),
        "ecutrho_ry": _float(output, "basis_set/ecutrho", RYDBERG_PER_HARTREE),
    }


def _gap(output: ET.Element) -> Gap:
    found = read_eigenvalues(output)
    return UNKNOWN if found is None or found.filled is None else gap(found.channels, found.filled)


def _magnetisation(output: ET.Element, log: Log) -> _Values:
    # Up to 7.0 the XML says 0 for the total of a non-collinear run; the text has two decimals.
    rows = _vectors(output.find("magnetization/total_vec"), 1.0)
    vector = rows[0] if rows else log.magnetisation_bohr()
    if vector and output.findtext("magnetization/do_magnetization") == "true":
        return {
            "total_magnetisation_bohr": hypot(*vector),
            "absolute_magnetisation_bohr": _float(output, "magnetization/absolute"),
            "magnetisation_vector_bohr": json.dumps(vector),
        }
    if output.findtext("magnetization/lsda") != "true":
        return {}
    return {
        "total_magnetisation_bohr": _float(output, "magnetization/total"),
        "absolute_magnetisation_bohr": _float(output, "magnetization/absolute"),
    }


def _course(root: ET.Element, log: Log) -> _Values:
    iterations = root.findtext("output/convergence_info/scf_conv/n_scf_steps")
    accuracies = [number for number in log.scf_accuracies_ry() if isfinite(number)]
    return {
        "scf_iterations": int(iterations) if iterations else None,
        "scf_accuracy_ry": json.dumps(accuracies),
        "program_walltime_s": _float(root, "timing_info/total/wall"),
        "program_cpu_s": _float(root, "timing_info/total/cpu"),
    }
