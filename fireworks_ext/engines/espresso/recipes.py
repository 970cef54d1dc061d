"""Families that are built from packages of Debian at first use."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fireworks_ext.engines.espresso.elements import ATOMIC_NUMBER
from fireworks_ext.engines.espresso.gth import GthPotential, gth_text, read_table
from fireworks_ext.engines.espresso.headers import read_header
from fireworks_ext.engines.espresso.pseudopotentials import FAMILY_FILE
from schemas.errors import UserError

ESPRESSO_DATA = Path("/usr/share/espresso/pseudo")
CP2K_TABLE = Path("/usr/share/cp2k/GTH_POTENTIALS")

GTH_CITATION = (
    "Goedecker, Teter, Hutter, PRB 54, 1703 (1996); Hartwigsen, Goedecker, Hutter, "
    "PRB 58, 3641 (1998); Krack, Theor. Chem. Acc. 114, 145 (2005)"
)
PSLIBRARY_CITATION = (
    "files of the Quantum ESPRESSO distribution; PSlibrary: Dal Corso, "
    "Comput. Mater. Sci. 95, 337 (2014)"
)
TOO_HARD = frozenset({("Ce", 30)})
"""Potentials with the whole fourth shell in the valence: out of reach of plane waves."""


@dataclass(frozen=True)
class Recipe:
    """How a family is made: chosen files of a folder, or one entry per element of CP2K's table."""

    name: str
    functional: str
    package: str
    source: Path
    citation: str
    files: Mapping[str, str] = field(default_factory=dict)
    largest_valence: bool = True

    @property
    def available(self) -> bool:
        """Tell whether the source package is installed."""
        return self.source.exists()


def _recipe(name: str, functional: str, files: str) -> Recipe:
    """Return a recipe over `/usr/share/espresso/pseudo`; a file's name starts with its element."""
    return Recipe(
        name=name,
        functional=functional,
        package="quantum-espresso-data",
        source=ESPRESSO_DATA,
        citation=PSLIBRARY_CITATION,
        files=MappingProxyType({file.split(".")[0]: file for file in files.split()}),
    )


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        recipe.name: recipe
        for recipe in (
            _recipe(
                "debian-pbe",
                "pbe",
                "H.pbe-kjpaw.UPF B.pbe-n-kjpaw_psl.1.0.0.UPF C.pbe-n-kjpaw_psl.0.1.UPF "
                "N.pbe-n-kjpaw_psl.1.0.0.UPF O.pbe-kjpaw.UPF Si.pbe-rrkj.UPF "
                "Cr.pbe-spn-kjpaw_psl.1.0.0.UPF Fe.pbe-spn-rrkjus_psl.0.2.1.UPF "
                "Ni.pbe-spn-kjpaw_psl.1.0.0.UPF Cu.pbe-kjpaw.UPF Ge.pbe-kjpaw.UPF "
                "Rh.pbe-rrkjus_lb.UPF I.pbe-n-kjpaw_psl.1.0.0.UPF",
            ),
            _recipe(
                "debian-pbesol",
                "pbesol",
                "Li.pbesol-s-kjpaw_psl.0.2.1.UPF O.pbesol-n-kjpaw_psl.0.1.UPF "
                "Fe.pbesol-spn-kjpaw_psl.1.0.0.UPF Co.pbesol-spn-rrkjus_psl.0.3.1.UPF "
                "Ni.pbesol-n-kjpaw_psl.0.1.UPF",
            ),
            _recipe(
                "debian-lda",
                "lda",
                "H.pz-vbc.UPF B.pz-vbc.UPF C.pz-rrkjus.UPF O.pz-kjpaw.UPF Mg.pz-n-vbc.UPF "
                "Al.pz-vbc.UPF Si.pz-vbc.UPF Ti.pz-sp-van_ak.UPF Fe.pz-nd-rrkjus.UPF "
                "Ni.pz-nd-rrkjus.UPF Cu.pz-d-rrkjus.UPF As.pz-bhs.UPF Pb.pz-d-van.UPF",
            ),
            Recipe("gth-pbe", "pbe", "cp2k-data", CP2K_TABLE, GTH_CITATION),
            Recipe(
                "gth-pbe-valence",
                "pbe",
                "cp2k-data",
                CP2K_TABLE,
                GTH_CITATION,
                largest_valence=False,
            ),
        )
    }
)


def build(recipe: Recipe, data_directory: Path) -> Path:
    """Make the family's folder and return it; other processes may build the same one meanwhile.

    Everything is written aside and renamed at the end, so the folder is whole or not there.

    Raises
    ------
    UserError
        When the source package is not installed.
    """
    folder = data_directory / recipe.name
    if not recipe.available:
        raise UserError(
            f"pseudopotentials: the family '{recipe.name}' is made from {recipe.source}, which is "
            f"not there; `apt-get install {recipe.package}` brings it"
        )
    data_directory.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{recipe.name}-", dir=data_directory))
    try:
        _write(recipe, aside)
        aside.chmod(0o755)
        try:
            aside.rename(folder)
        except OSError:
            if not (folder / FAMILY_FILE).is_file():
                raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return folder


def _write(recipe: Recipe, folder: Path) -> None:
    names = (_copy_files if recipe.files else _convert_table)(recipe, folder)
    measured = measured_cutoffs().get(recipe.name, {})
    elements: dict[str, Any] = {}
    for element, name in sorted(names.items()):
        content = (folder / name).read_bytes()
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        elements[element] = {"file": name, "md5": md5} | {
            "sha256": hashlib.sha256(content).hexdigest()
        }
        cutoffs = measured.get(element, {})
        if cutoffs.get("md5") == md5:
            elements[element] |= {key: cutoffs[key] for key in CUTOFF_KEYS if cutoffs.get(key)}
    family = {
        "name": recipe.name,
        "functional": recipe.functional,
        "source": f"{recipe.source} (Debian package {recipe.package})",
        "citation": recipe.citation,
        "elements": elements,
    }
    _dump(family, folder / FAMILY_FILE)


CUTOFF_KEYS = ("ecutwfc_ry", "ecutrho_ry", "ecutwfc_loose_ry", "ecutwfc_tight_ry")


def _copy_files(recipe: Recipe, folder: Path) -> dict[str, str]:
    """Copy the chosen files; one that the package no longer brings is left out."""
    names = {e: name for e, name in recipe.files.items() if (recipe.source / name).is_file()}
    for element, name in names.items():
        shutil.copyfile(recipe.source / name, folder / name)
        header = read_header(folder / name)
        if (header.element, header.functional) != (element, recipe.functional):
            raise UserError(
                f"{recipe.source / name}: is {header.element} for {header.functional}; expected "
                f"{element} for {recipe.functional}"
            )
    return names


def _convert_table(recipe: Recipe, folder: Path) -> dict[str, str]:
    """Convert one entry per element: the largest or the smallest valence."""
    chosen: dict[str, GthPotential] = {}
    table = recipe.source.read_text(encoding="utf-8")
    for potential in read_table(table, recipe.functional):
        if (potential.element, potential.valence) in TOO_HARD:
            continue
        rival = chosen.get(potential.element)
        larger = rival is None or potential.valence > rival.valence
        if rival is None or larger == recipe.largest_valence:
            chosen[potential.element] = potential
    names = {}
    for element, potential in chosen.items():
        names[element] = f"{element}.{recipe.functional}-q{potential.valence}.gth"
        text = gth_text(potential, ATOMIC_NUMBER[element])
        (folder / names[element]).write_text(text, encoding="utf-8")
    return names


@cache
def measured_cutoffs() -> dict[str, dict[str, dict[str, Any]]]:
    """Return the shipped measurements: family -> element -> cutoffs, file, system, program."""
    from ruamel.yaml import YAML

    data = YAML(typ="safe").load(Path(__file__).with_name("cutoffs.yaml"))
    families: dict[str, dict[str, dict[str, Any]]] = data["families"]
    return families


def _dump(data: dict[str, Any], path: Path) -> None:
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width = 200
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(data, file)
