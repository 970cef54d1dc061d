"""The keywords of pw.x: what each namelist of version 6.7 accepts, by type.

Found by asking pw.x 6.7 itself: a deck with one keyword at a time, which it refuses with "bad line
in namelist" when it does not know the name or the type. Names ending in `()` take an index.
The meaning of each: https://www.quantum-espresso.org/Doc/INPUT_PW.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from schemas.errors import suggestion

KeywordType = Literal["character", "logical", "integer", "real"]
Value: TypeAlias = bool | int | float | str

NAMELISTS = ("control", "system", "electrons", "ions", "cell")

_ACCEPTED: dict[str, dict[KeywordType, str]] = {
    "control": {
        "character": (
            "calculation disk_io input_xml_schema_file memory outdir point_label_type prefix "
            "pseudo_dir restart_mode title vdw_table_name verbosity wfcdir"
        ),
        "logical": (
            "dipfield gate lberry lecrpa lelfield lfcpdyn lfcpopt lkpoint_dir lorbm saverho "
            "tabps tefield tprnfor tqmmm tstress wf_collect"
        ),
        "integer": "gdir iprint isave nberrycyc ndr ndw nppstr nstep",
        "real": "dt ekin_conv_thr etot_conv_thr forc_conv_thr max_seconds refg",
    },
    "system": {
        "character": (
            "assume_isolated constrained_magnetization esm_bc exxdiv_treatment "
            "hubbard_parameters input_dft occupations smearing u_projection_type vdw_corr"
        ),
        "logical": (
            "ace backall() block dftd3_threebody esm_debug force_pairing force_symmorphic "
            "hub_pot_fix la2f lda_plus_u lforcet london lspinorb no_t_rev noinv noncolin "
            "nosym nosym_evc one_atom_occupations relaxz reserv() reserv_back() rhombohedral "
            "scdm starting_spin_angle step_pen ts_vdw ts_vdw_isolated uniqueb use_all_frac "
            "x_gamma_extrapolation xdm"
        ),
        "integer": (
            "dftd3_version edir esm_debug_gpmax esm_nfit ibrav l1back() lback() "
            "lda_plus_u_kind n_proj nat nbnd nqx1 nqx2 nqx3 nr1 nr1b nr1s nr2 nr2b nr2s nr3 "
            "nr3b nr3s nscdm nspin ntyp origin_choice report space_group"
        ),
        "real": (
            "a a_pen alpha_pen() angle1() angle2() b b_field() block_1 block_2 block_height c "
            "celldm() cosab cosac cosbc degauss eamp ecfixed ecutfock ecutrho ecutvcut "
            "ecutwfc emaxpos eopreg esm_a esm_efield esm_w esm_zb exx_fraction fcp_mu "
            "fixed_magnetization() hubbard_alpha() hubbard_alpha_back() hubbard_beta() "
            "hubbard_j() hubbard_j0() hubbard_u() hubbard_u_back() hubbard_v() lambda "
            "localization_thr london_c6() london_rcut london_rvdw() london_s6 q2sigma qcutz "
            "scdmden scdmgrd screening_parameter sigma_pen() starting_charge() "
            "starting_magnetization() starting_ns_eigenvalue() tot_charge tot_magnetization "
            "ts_vdw_econv_thr xdm_a1 xdm_a2 yukawa zgate"
        ),
    },
    "electrons": {
        "character": (
            "diagonalization efield_phase electron_dynamics electron_temperature "
            "electron_velocities mixing_mode occupation_dynamics orthogonalization "
            "startingpot startingwfc"
        ),
        "logical": (
            "adaptive_thr diago_full_acc occupation_constraints real_space scf_must_converge "
            "tbeta_smoothing tcg tq_smoothing tqr"
        ),
        "integer": (
            "diago_cg_maxiter diago_david_ndim diis_size electron_maxstep epol maxiter "
            "mixing_fixed_ns mixing_ndim n_inner niter_cg_restart niter_cold_restart "
            "ortho_max"
        ),
        "real": (
            "ampre conv_thr conv_thr_init conv_thr_multi diago_thr_init efield efield2 "
            "efield_cart() ekincw electron_damping emass emass_cutoff etresh fnosee grease "
            "lambda_cold mixing_beta occupation_damping ortho_eps passop"
        ),
    },
    "ions": {
        "character": (
            "ion_dynamics ion_positions ion_temperature ion_velocities pot_extrapolation "
            "wfc_extrapolation"
        ),
        "logical": "l_exit_muller l_mplathe refold_pos remove_rigid_rot tranp()",
        "integer": (
            "bfgs_ndim iesr ion_maxstep ion_nstepe n_muller ndega nhgrp() nhpcl nhptyp "
            "np_muller nraise"
        ),
        "real": (
            "amprp() delta_t fnhscl() fnosep() greasp ion_damping ion_radius() tempw tolp "
            "trust_radius_ini trust_radius_max trust_radius_min upscale w_1 w_2"
        ),
    },
    "cell": {
        "character": ("cell_dofree cell_dynamics cell_parameters cell_temperature cell_velocities"),
        "logical": "treinit_gvecs",
        "integer": "cell_nstepe",
        "real": "cell_damping cell_factor fnoseh greash press press_conv_thr temph wmass",
    },
}


@dataclass(frozen=True, slots=True)
class Keyword:
    """One keyword of a namelist."""

    name: str
    namelist: str
    type: KeywordType
    indexed: bool


KEYWORDS: dict[str, Keyword] = {
    name.removesuffix("()"): Keyword(name.removesuffix("()"), namelist, kind, name.endswith("()"))
    for namelist, by_type in _ACCEPTED.items()
    for kind, names in by_type.items()
    for name in names.split()
}

_INDEXED = re.compile(r"^([a-z0-9_]+)\(([1-9]\d*(?:,[1-9]\d*)*)\)$")


def split_index(written: str) -> tuple[str, str]:
    """Return name and index of a keyword as written: `Hubbard_U( 1)` is `hubbard_u`, `1`.

    Fortran ignores case and blanks here; an absent index is an empty text.
    """
    plain = "".join(written.lower().split())
    found = _INDEXED.match(plain)
    return (found[1], found[2]) if found else (plain, "")


def canonical(written: str) -> str:
    """Return a keyword in the one spelling that is stored: small letters, no blanks."""
    name, index = split_index(written)
    return f"{name}({index})" if index else name


def mistake(written: str, value: object) -> str | None:
    """Return what is wrong with a keyword and its value, or None."""
    name, index = split_index(written)
    keyword = KEYWORDS.get(name)
    if keyword is None:
        return f"pw.x knows no keyword '{written}'{suggestion(name, tuple(KEYWORDS))}"
    if keyword.indexed and not index:
        return f"'{written}' needs an index, as in {name}(1)"
    if index and not keyword.indexed:
        return f"'{name}' takes no index"
    fits = {
        "character": isinstance(value, str),
        "logical": isinstance(value, bool),
        "integer": isinstance(value, int) and not isinstance(value, bool),
        "real": isinstance(value, (int, float)) and not isinstance(value, bool),
    }[keyword.type]
    return None if fits else f"'{written}' is {keyword.type} in pw.x, not {value!r}"
