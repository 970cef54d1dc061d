"""The namelists of a deck: what the params and the structure come to in pw.x's own words.

Each keyword: https://www.quantum-espresso.org/Doc/INPUT_PW.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import NamedTuple

from fireworks_ext.engines.espresso.dispersion import KEYWORDS_OF
from fireworks_ext.engines.espresso.hubbard import hubbard_keywords, shell_of
from fireworks_ext.engines.espresso.keywords import KEYWORDS, NAMELISTS, Value, split_index
from fireworks_ext.engines.espresso.magnetism import Moment, direction, non_collinear, size
from fireworks_ext.engines.espresso.params import EspressoParams
from fireworks_ext.engines.espresso.tasks import NAMELISTS_OF_TASK
from fireworks_ext.engines.espresso.units import BOHR_ANG, KBAR_PER_GPA, RYDBERG_EV
from schemas.errors import UserError
from schemas.structure import Structure

PREFIX = "pwscf"
OUT_DIRECTORY = "out"
PSEUDO_DIRECTORY = "pseudo"

EMPTY_BANDS = 0.2  # pw.x, INPUT_PW, nbnd: "20% more" for a metal, 4 at least


class Kind(NamedTuple):
    """One kind of atoms, in the order of ATOMIC_SPECIES."""

    element: str
    moment_bohr: Moment


def namelists_of(
    task: str,
    structure: Structure,
    params: EspressoParams,
    kinds: Sequence[Kind],
    *,
    hubbard: bool = True,
) -> dict[str, dict[str, Value]]:
    """Return the namelists of a task. Raw keywords of the params go before all others.

    Parameters
    ----------
    hubbard
        Write Hubbard U as keywords, as pw.x up to 7.0 wants it.
    """
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
        if params.cell != "all":
            namelists["cell"]["cell_dofree"] = params.cell
    namelists["system"] |= {"ibrav": 0, "nat": n_atoms, "ntyp": len(kinds)}
    namelists["system"] |= _system(structure, params)
    namelists["system"] |= _spin(params, kinds)
    elements = [kind.element for kind in kinds]
    u_ev, projectors = params.hubbard_u_ev, params.hubbard_projectors
    if hubbard and any(shell_of(element, u_ev) for element in elements):
        namelists["system"] |= hubbard_keywords(elements, u_ev, projectors)
    namelists["system"] |= KEYWORDS_OF[params.dispersion]
    namelists["electrons"] |= {
        "conv_thr": _plain(params.conv_thr_ry_per_atom * n_atoms),
        "electron_maxstep": params.electron_maxstep,
        "mixing_beta": params.mixing_beta,
    }
    for written, value in sorted(params.params.items()):
        name, _ = split_index(written)
        namelists[KEYWORDS[name].namelist][written] = value
    return {name: namelists[name] for name in NAMELISTS_OF_TASK[task]}


def _system(structure: Structure, params: EspressoParams) -> dict[str, Value]:
    if params.ecutwfc_ry is None or params.ecutrho_ry is None or params.valences is None:
        raise UserError("params are not resolved: cutoffs and valences are missing")
    system: dict[str, Value] = {"ecutwfc": params.ecutwfc_ry, "ecutrho": params.ecutrho_ry}
    if structure.charge:
        system["tot_charge"] = structure.charge
    if params.smearing == "none":
        system["occupations"] = "fixed"
        system["nbnd"] = _bands_with_a_gap(structure, params, params.valences)
    else:
        system |= {"occupations": "smearing", "smearing": params.smearing}
        system["degauss"] = params.degauss_ry
    return system


def _spin(params: EspressoParams, kinds: Sequence[Kind]) -> dict[str, Value]:
    """Return what starts and directs the magnetisation; nothing for a crystal without."""
    keywords: dict[str, Value] = {}
    if params.spin == "collinear":
        keywords["nspin"] = 2
    elif params.spin == "noncollinear" or params.spin_orbit:
        keywords["noncolin"] = True
        if params.spin_orbit:
            keywords["lspinorb"] = True
    if params.spin == "none":
        return keywords
    for index, kind in enumerate(kinds, start=1):
        valence = (params.valences or {})[kind.element]
        moment = kind.moment_bohr
        along = -1.0 if params.spin == "collinear" and not _upwards(moment) else 1.0
        share = along * size(moment) / valence
        keywords[f"starting_magnetization({index})"] = _plain(max(-1.0, min(1.0, share)))
        if params.spin == "noncollinear" and size(moment):
            polar, around = direction(moment)
            keywords[f"angle1({index})"] = _plain(polar)
            keywords[f"angle2({index})"] = _plain(around)
    return keywords


def _upwards(moment: Moment) -> bool:
    return (moment[2] if isinstance(moment, tuple) else moment) >= 0


def _bands_with_a_gap(
    structure: Structure, params: EspressoParams, valences: Mapping[str, float]
) -> int:
    """Return as many bands as pw.x takes for a metal: alone it leaves out all empty ones."""
    electrons = sum(valences[element] for element in structure.species) - structure.charge
    per_band = 1 if non_collinear(params) else 2
    filled = ceil(electrons / per_band)
    return filled + max(8 // per_band, ceil(EMPTY_BANDS * filled))


def _plain(value: float) -> float:
    """Return the value to 12 digits, so that a converted threshold reads like one."""
    return float(f"{value:.12g}")
