"""Families of pseudopotentials: one folder, one functional, one file per element.

A family is a folder with a `family.yaml`. It is looked for in the folders that the profile names,
then in the user's data directory, where the families of `recipes` are built at first use.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pydantic import Field, ValidationError

from fireworks_ext.engines.espresso.headers import Header, orbital_momenta, read_header
from schemas.errors import UserError, suggestion
from schemas.model import Model, Name
from schemas.profile import Site

FAMILY_FILE = "family.yaml"
DATA_DIRECTORY_VARIABLE = "MATCAMPAIGN_DATA_DIR"


class Entry(Model):
    """The pseudopotential of one element."""

    file: str = Field(description="Name of the file in the family's folder.")
    md5: str = Field(pattern=r"^[0-9a-f]{32}$", description="MD5 of the file.")
    sha256: str | None = Field(
        default=None, pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the file."
    )
    ecutwfc_ry: float | None = Field(
        default=None, gt=0, description="Converged cutoff of wavefunctions (standard accuracy)."
    )
    ecutrho_ry: float | None = Field(
        default=None, gt=0, description="Converged cutoff of the density (standard accuracy)."
    )
    ecutwfc_loose_ry: float | None = Field(
        default=None, gt=0, description="Cutoff of wavefunctions for loose accuracy."
    )
    ecutwfc_tight_ry: float | None = Field(
        default=None, gt=0, description="Cutoff of wavefunctions for tight accuracy."
    )


class Family(Model):
    """The content of `family.yaml`."""

    name: Name
    functional: str = Field(description="pbe, pbesol, lda; the same for all files.")
    source: str = Field(description="Where the files come from: package, version, address.")
    citation: str = Field(default="", description="What to cite.")
    elements: dict[str, Entry] = Field(min_length=1)


@dataclass(frozen=True)
class InstalledFamily:
    """A family and the folder that holds it."""

    folder: Path
    family: Family

    def entry(self, element: str) -> Entry:
        """Return the entry of an element. Raises UserError when the family lacks it."""
        found = self.family.elements.get(element)
        if found is None:
            raise UserError(
                f"pseudopotentials: the family '{self.family.name}' has no {element}; it has "
                f"{' '.join(sorted(self.family.elements))}"
            )
        return found

    def path(self, element: str) -> Path:
        """Return the file of an element."""
        path = self.folder / self.entry(element).file
        if not path.is_file():
            raise UserError(f"{self.folder / FAMILY_FILE}: elements.{element}: no file {path}")
        return path

    def header(self, element: str) -> Header:
        """Return the header of an element's file, checked against the family.

        Raises
        ------
        UserError
            When the file is of another element or another functional.
        """
        header = cached_header(self.path(element))
        if header.functional != self.family.functional:
            raise UserError(
                f"{self.path(element)}: made for the functional {header.functional}, but the "
                f"family '{self.family.name}' is {self.family.functional}; functionals cannot mix"
            )
        if header.element != element:
            raise UserError(f"{self.path(element)}: is {header.element}, not {element}")
        return header

    def cutoffs(self, element: str) -> dict[str, float]:
        """Return the measured cutoffs of wavefunctions in Ry, by accuracy; empty without any.

        Where the loose one was not measured, the standard one is good for it.
        """
        entry = self._measured(element)
        found = {
            "loose": entry.ecutwfc_loose_ry or entry.ecutwfc_ry,
            "standard": entry.ecutwfc_ry,
            "tight": entry.ecutwfc_tight_ry,
        }
        return {accuracy: cutoff for accuracy, cutoff in found.items() if cutoff is not None}

    def dual(self, element: str) -> float:
        """Return how many times ecutwfc the cutoff of the density is, where measured; else 0."""
        entry = self._measured(element)
        if entry.ecutwfc_ry is None or entry.ecutrho_ry is None:
            return 0.0
        return entry.ecutrho_ry / entry.ecutwfc_ry

    def _measured(self, element: str) -> Entry:
        """Return the entry, with shipped measurements of the very same file filled in."""
        from fireworks_ext.engines.espresso import recipes

        entry = self.entry(element)
        if entry.ecutwfc_ry is not None:
            return entry
        shipped = recipes.measured_cutoffs().get(self.family.name, {}).get(element, {})
        if shipped.get("md5") != entry.md5:
            return entry
        return entry.model_copy(update={key: shipped.get(key) for key in recipes.CUTOFF_KEYS})

    def sha256(self, element: str) -> str:
        """Return the SHA-256 of an element's file. Raises UserError when it was changed."""
        entry, path = self.entry(element), self.path(element)
        md5, sha256 = content_hashes(path)
        if md5 != entry.md5 or (entry.sha256 and sha256 != entry.sha256):
            raise UserError(
                f"{path}: the content is not the one that {FAMILY_FILE} names (md5 {md5}, expected "
                f"{entry.md5}); restore the file, or name the new one as another family"
            )
        return sha256


def content_hashes(path: Path) -> tuple[str, str]:
    """Return MD5 and SHA-256 of a file, cached by path, size and time of change."""
    state = path.stat()
    return _hashes(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=1024)
def _hashes(path: Path, _size: int, _mtime_ns: int) -> tuple[str, str]:
    content = path.read_bytes()
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return md5, hashlib.sha256(content).hexdigest()


def cached_header(path: Path) -> Header:
    """Return the header of a file, cached by path, size and time of change."""
    state = path.stat()
    return _header(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=1024)
def _header(path: Path, _size: int, _mtime_ns: int) -> Header:
    return read_header(path)


def cached_momenta(path: Path) -> frozenset[int]:
    """Return the angular momenta of a file's atomic orbitals, cached like its header."""
    state = path.stat()
    return _momenta(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=1024)
def _momenta(path: Path, _size: int, _mtime_ns: int) -> frozenset[int]:
    return orbital_momenta(path)


def data_directory() -> Path:
    """Return the folder of families in the user's data directory."""
    override = os.environ.get(DATA_DIRECTORY_VARIABLE)
    if override:
        return Path(override).expanduser().absolute() / "pseudopotentials"
    from platformdirs import user_data_path

    return user_data_path("matcampaign") / "pseudopotentials"


def installed(site: Site) -> dict[str, Path]:
    """Return the families that are there already: name -> folder; the first found counts."""
    found: dict[str, Path] = {}
    for place in (*site.pseudopotentials, data_directory()):
        folders = [place, *sorted(place.iterdir())] if place.is_dir() else []
        for folder in folders:
            if (folder / FAMILY_FILE).is_file():
                found.setdefault(read_family(folder).name, folder)
    return found


def load(name: str, site: Site) -> InstalledFamily:
    """Return a family, building it first where a recipe knows how.

    Raises
    ------
    UserError
        When no folder and no recipe has it, or the recipe's source package is not installed.
    """
    from fireworks_ext.engines.espresso import recipes

    for place in (*site.pseudopotentials, data_directory()):
        for folder in (place / name, place):
            if (folder / FAMILY_FILE).is_file() and read_family(folder).name == name:
                return InstalledFamily(folder, read_family(folder))
    if name in recipes.RECIPES:
        folder = recipes.build(recipes.RECIPES[name], data_directory())
        return InstalledFamily(folder, read_family(folder))
    known = sorted({*installed(site), *recipes.RECIPES})
    raise UserError(
        f"pseudopotentials: no family '{name}'{suggestion(name, known)}; a folder with a "
        f"{FAMILY_FILE} below one of the profile's paths.pseudopotentials makes one"
    )


def read_family(folder: Path) -> Family:
    """Read `family.yaml`. Raises UserError for one that is not valid."""
    path = folder / FAMILY_FILE
    state = path.stat()
    return _family(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=64)
def _family(path: Path, _size: int, _mtime_ns: int) -> Family:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return Family.model_validate(YAML(typ="safe", pure=False).load(path))
    except YAMLError as error:
        raise UserError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UserError(f"{path}: {place}: {first['msg']}") from error
