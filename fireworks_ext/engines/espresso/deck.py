"""The input deck of pw.x: a value, its text, and how it follows from a calculation."""

from __future__ import annotations

from collections.abc import Mapping

from fireworks_ext.engines.espresso.constraints import Free, free_axes
from fireworks_ext.engines.espresso.elements import mass_u
from fireworks_ext.engines.espresso.hubbard import (
    FIRST_WITH_CARD,
    RAW_WORDS,
    HubbardCard,
    check_version,
    hubbard_card,
)
from fireworks_ext.engines.espresso.keywords import Value
from fireworks_ext.engines.espresso.kpoints import mesh_of
from fireworks_ext.engines.espresso.magnetism import Moment, non_collinear, site_moments
from fireworks_ext.engines.espresso.namelists import (
    OUT_DIRECTORY,
    PREFIX,
    PSEUDO_DIRECTORY,
    Kind,
    namelists_of,
)
from fireworks_ext.engines.espresso.params import EspressoParams
from fireworks_ext.engines.espresso.version import Version
from fireworks_ext.engines.espresso.wording import plain_names
from schemas.errors import UserError
from schemas.model import Model
from schemas.structure import Structure, Vector

__all__ = ["OUT_DIRECTORY", "PREFIX", "PSEUDO_DIRECTORY", "SAVE_DIRECTORY", "Deck", "Species"]
SAVE_DIRECTORY = f"{OUT_DIRECTORY}/{PREFIX}.save"

MOST_SPECIES = 10
"""ntypx of pw.x (parameters.f90): more kinds of atoms than this do not fit."""


class Species(Model):
    """One kind of atoms: an element, or those of its sites that start with one moment."""

    label: str
    element: str
    moment_bohr: Moment
    mass_u: float
    file: str


class Deck(Model):
    """Everything that pw.x reads, typed: this is what handlers change."""

    namelists: dict[str, dict[str, Value]]
    species: tuple[Species, ...]
    lattice_ang: tuple[Vector, Vector, Vector]
    sites: tuple[str, ...]
    frac_coords: tuple[Vector, ...]
    kmesh: tuple[int, int, int]
    kshift: tuple[int, int, int]
    moments_bohr: tuple[float, ...] | None = None
    charge: float = 0.0
    free: Free | None = None
    """1 for each Cartesian coordinate of a site that may change, (n_atoms, 3); None: all may."""
    hubbard: HubbardCard | None = None

    @property
    def structure(self) -> Structure:
        """The cell of the deck."""
        elements = {species.label: species.element for species in self.species}
        return Structure(
            lattice_ang=self.lattice_ang,
            species=tuple(elements[label] for label in self.sites),
            frac_coords=self.frac_coords,
            moments_bohr=self.moments_bohr,
            charge=self.charge,
        )


def deck_text(deck: Deck) -> str:
    """Return the text of a deck: the same deck gives the same bytes.

    Numbers keep at least 12 significant digits; the cell is in angstrom, positions are fractions.
    """
    lines = []
    for name, keywords in deck.namelists.items():
        lines.append(f"&{name.upper()}")
        lines += [f"  {keyword} = {_fortran(value)}" for keyword, value in keywords.items()]
        lines.append("/")
    lines.append("ATOMIC_SPECIES")
    lines += [f"  {kind.label} {kind.mass_u:.7g} {kind.file}" for kind in deck.species]
    lines.append("CELL_PARAMETERS angstrom")
    lines += [f" {_row(vector, 14)}" for vector in deck.lattice_ang]
    lines.append("ATOMIC_POSITIONS crystal")
    free = deck.free or ((1, 1, 1),) * len(deck.sites)
    lines += [
        f"  {label:<3s} {_row(position, 16)}{_fixing(axes)}"
        for label, position, axes in zip(deck.sites, deck.frac_coords, free, strict=True)
    ]
    lines.append("K_POINTS automatic")
    lines.append("  " + " ".join(str(number) for number in (*deck.kmesh, *deck.kshift)))
    if deck.hubbard is not None:
        lines.append(f"HUBBARD ({deck.hubbard.projectors})")
        lines += [f"  U {shell} {value!r}" for shell, value in deck.hubbard.u_ev]
    return "\n".join(lines) + "\n"


def _fixing(axes: tuple[int, int, int]) -> str:
    return "" if all(axes) else "  " + " ".join(str(axis) for axis in axes)


def _row(vector: Vector, digits: int) -> str:
    return " ".join(f"{x:{digits + 5}.{digits}f}" for x in vector)


def _fortran(value: Value) -> str:
    if isinstance(value, bool):
        return ".true." if value else ".false."
    return f"'{value}'" if isinstance(value, str) else repr(value)


def make_deck(
    task: str,
    structure: Structure,
    params: EspressoParams,
    *,
    files: Mapping[str, str],
    version: Version | None = None,
    from_density: bool = False,
) -> Deck:
    """Return the deck of a calculation.

    Parameters
    ----------
    params
        Resolved: cutoffs, valences and moments are there.
    files
        Element -> name of its pseudopotential file.
    version
        Of the pw.x that will read it; what `needs_version` says cannot be written without.
    from_density
        Start from a charge density that lies in the run directory already.

    Raises
    ------
    UserError
        When the cell needs more kinds of atoms than pw.x has room for, or the version of pw.x
        cannot do what the params ask for.
    """
    moments = site_moments(structure, params)
    labels, species = _species(structure, moments, files)
    card = _hubbard_card(params, species, version)
    kinds = [Kind(kind.element, kind.moment_bohr) for kind in species]
    namelists = namelists_of(task, structure, params, kinds, hubbard=card is None)
    if from_density:
        namelists["electrons"]["startingpot"] = "file"
    return Deck(
        namelists=namelists,
        species=species,
        lattice_ang=structure.lattice_ang,
        sites=labels,
        frac_coords=structure.frac_coords,
        kmesh=mesh_of(structure, params),
        kshift=params.kshift,
        moments_bohr=structure.moments_bohr,
        charge=structure.charge,
        free=None if task == "scf" else free_axes(structure, params.fixed_atoms),
        hubbard=card,
    )


def needs_version(params: EspressoParams) -> bool:
    """Tell whether the deck is written differently for different versions of pw.x."""
    return bool(params.hubbard_u_ev) or bool(plain_names(params.params) & RAW_WORDS)


def _hubbard_card(
    params: EspressoParams, species: tuple[Species, ...], version: Version | None
) -> HubbardCard | None:
    """Return the card of a version that has one, where there is U; refuse what it cannot do."""
    if not needs_version(params):
        return None
    if version is None:
        raise UserError("Hubbard parameters need the version of pw.x that will read them")
    raw = sorted(plain_names(params.params))
    with_u = bool(params.hubbard_u_ev) and non_collinear(params)
    check_version(version, raw, non_collinear=with_u)
    if version < FIRST_WITH_CARD:
        return None
    labels = [(kind.label, kind.element) for kind in species]
    card = hubbard_card(labels, params.hubbard_u_ev, params.hubbard_projectors)
    return card if card.u_ev else None


def _species(
    structure: Structure, moments: tuple[Moment, ...], files: Mapping[str, str]
) -> tuple[tuple[str, ...], tuple[Species, ...]]:
    """Return the label of each site and the kinds of atoms, both in the order of the sites."""
    kinds = list(dict.fromkeys(zip(structure.species, moments, strict=True)))
    labels: dict[tuple[str, Moment], str] = {}
    for element, moment in kinds:
        alike = [kind for kind in kinds if kind[0] == element]
        number = str(alike.index((element, moment)) + 1) if len(alike) > 1 else ""
        labels[element, moment] = f"{element}{number}"
    if len(kinds) > MOST_SPECIES:
        raise UserError(
            f"{structure.formula}: {len(kinds)} kinds of atoms (elements with their different "
            f"moments), and pw.x has room for {MOST_SPECIES}"
        )
    species = tuple(
        Species(
            label=labels[element, moment],
            element=element,
            moment_bohr=moment,
            mass_u=mass_u(element),
            file=files[element],
        )
        for element, moment in kinds
    )
    return tuple(labels[k] for k in zip(structure.species, moments, strict=True)), species
