"""The input deck of pw.x: a value, its text, and how it follows from a calculation."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

from fireworks_ext.engines.espresso.elements import mass_u
from fireworks_ext.engines.espresso.keywords import KEYWORDS, NAMELISTS, Value, split_index
from fireworks_ext.engines.espresso.kpoints import mesh_of
from fireworks_ext.engines.espresso.params import NAMELISTS_OF_TASK, EspressoParams
from fireworks_ext.engines.espresso.units import (
    BOHR_ANG,
    KBAR_PER_GPA,
    RYDBERG_EV,
)
from schemas.errors import UserError
from schemas.model import Model
from schemas.resources import Resources
from schemas.structure import Structure, Vector

PREFIX = "pwscf"
OUT_DIRECTORY = "out"
PSEUDO_DIRECTORY = "pseudo"
SAVE_DIRECTORY = f"{OUT_DIRECTORY}/{PREFIX}.save"

MOST_SPECIES = 10
"""ntypx of pw.x (parameters.f90): more kinds of atoms than this do not fit."""
EMPTY_BANDS = 0.2  # pw.x, INPUT_PW, nbnd: "20% more" for a metal, 4 at least
WALLTIME_SHARE = 0.95
"""pw.x stops by itself at this share of the walltime, so that it can still write its files."""


class Species(Model):
    """One kind of atoms: an element, or those of its sites that start with one moment."""

    label: str
    element: str
    moment_bohr: float
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
    protected: tuple[str, ...] = ()
    moments_bohr: tuple[float, ...] | None = None
    charge: float = 0.0

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
    lines += [
        f"  {label:<3s} {_row(position, 16)}"
        for label, position in zip(deck.sites, deck.frac_coords, strict=True)
    ]
    lines.append("K_POINTS automatic")
    lines.append("  " + " ".join(str(number) for number in (*deck.kmesh, *deck.kshift)))
    return "\n".join(lines) + "\n"


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
    resources: Resources,
    protected: tuple[str, ...] = (),
    from_density: bool = False,
) -> Deck:
    """Return the deck of a calculation.

    Parameters
    ----------
    params
        Resolved: cutoffs, valences and moments are there.
    files
        Element -> name of its pseudopotential file.
    from_density
        Start from a charge density that lies in the run directory already.

    Raises
    ------
    UserError
        When the cell needs more kinds of atoms than pw.x has room for.
    """
    moments = site_moments(structure, params)
    labels, species = _species(structure, moments, files)
    namelists = _namelists(task, structure, params, species)
    namelists["control"]["max_seconds"] = round(60 * WALLTIME_SHARE * resources.walltime_min, 1)
    if from_density:
        namelists["electrons"]["startingpot"] = "file"
    return Deck(
        namelists={name: namelists[name] for name in NAMELISTS_OF_TASK[task]},
        species=species,
        lattice_ang=structure.lattice_ang,
        sites=labels,
        frac_coords=structure.frac_coords,
        kmesh=mesh_of(structure, params),
        kshift=params.kshift,
        protected=protected,
        moments_bohr=structure.moments_bohr,
        charge=structure.charge,
    )


def site_moments(structure: Structure, params: EspressoParams) -> tuple[float, ...]:
    """Return the starting moment of each site, in Bohr magnetons; zeros without spin."""
    given = params.moments_bohr
    if params.spin == "none":
        return (0.0,) * structure.n_atoms
    if isinstance(given, dict):
        return tuple(given.get(element, 0.0) for element in structure.species)
    moments = structure.moments_bohr if given is None else given
    if moments is None or len(moments) != structure.n_atoms:
        raise UserError(f"moments_bohr: {len(moments or ())} moments for {structure.n_atoms} sites")
    return moments


def _species(
    structure: Structure, moments: tuple[float, ...], files: Mapping[str, str]
) -> tuple[tuple[str, ...], tuple[Species, ...]]:
    """Return the label of each site and the kinds of atoms, both in the order of the sites."""
    kinds = list(dict.fromkeys(zip(structure.species, moments, strict=True)))
    labels: dict[tuple[str, float], str] = {}
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


def _namelists(
    task: str, structure: Structure, params: EspressoParams, species: tuple[Species, ...]
) -> dict[str, dict[str, Value]]:
    n_atoms = structure.n_atoms
    namelists: dict[str, dict[str, Value]] = {name: {} for name in NAMELISTS}
    namelists["control"] |= {
        "calculation": task,
        "prefix": PREFIX,
        "outdir": f"./{OUT_DIRECTORY}",
        "pseudo_dir": f"./{PSEUDO_DIRECTORY}",
        "disk_io": "low",
        "tprnfor": True,
        "tstress": True,
    }
    if task != "scf":
        namelists["control"] |= {
            "nstep": params.ionic_steps,
            "etot_conv_thr": _plain(params.energy_tolerance_ev_per_atom * n_atoms / RYDBERG_EV),
            "forc_conv_thr": _plain(params.fmax_ev_per_ang * BOHR_ANG / RYDBERG_EV),
        }
        namelists["cell"]["press_conv_thr"] = _plain(params.pressure_tolerance_gpa * KBAR_PER_GPA)
    namelists["system"] |= {"ibrav": 0, "nat": n_atoms, "ntyp": len(species)}
    namelists["system"] |= _system(structure, params, species)
    namelists["electrons"] |= {
        "conv_thr": _plain(params.conv_thr_ry_per_atom * n_atoms),
        "electron_maxstep": params.electron_maxstep,
        "mixing_beta": params.mixing_beta,
    }
    for written, value in sorted(params.params.items()):
        name, _ = split_index(written)
        namelists[KEYWORDS[name].namelist][written] = value
    return namelists


def _system(
    structure: Structure, params: EspressoParams, species: tuple[Species, ...]
) -> dict[str, Value]:
    if params.ecutwfc_ry is None or params.ecutrho_ry is None or params.valences is None:
        raise UserError("params are not resolved: cutoffs and valences are missing")
    system: dict[str, Value] = {"ecutwfc": params.ecutwfc_ry, "ecutrho": params.ecutrho_ry}
    if structure.charge:
        system["tot_charge"] = structure.charge
    if params.smearing == "none":
        system["occupations"] = "fixed"
        system["nbnd"] = _bands_with_a_gap(structure, params.valences)
    else:
        system |= {"occupations": "smearing", "smearing": params.smearing}
        system["degauss"] = params.degauss_ry
    if params.spin == "collinear":
        system["nspin"] = 2
        for index, kind in enumerate(species, start=1):
            share = kind.moment_bohr / params.valences[kind.element]
            system[f"starting_magnetization({index})"] = _plain(max(-1.0, min(1.0, share)))
    if any(kind.element in params.hubbard_u_ev for kind in species):
        system["lda_plus_u"] = True
        for index, kind in enumerate(species, start=1):
            if kind.element in params.hubbard_u_ev:
                system[f"hubbard_u({index})"] = params.hubbard_u_ev[kind.element]
    return system


def _bands_with_a_gap(structure: Structure, valences: Mapping[str, float]) -> int:
    """Return as many bands as pw.x takes for a metal: alone it leaves out all empty ones."""
    electrons = sum(valences[element] for element in structure.species) - structure.charge
    filled = ceil(electrons / 2)
    return filled + max(4, ceil(EMPTY_BANDS * filled))


def _plain(value: float) -> float:
    """Return the value to 12 digits, so that a converted threshold reads like one."""
    return float(f"{value:.12g}")
