"""Which words of a campaign file and of pw.x say the same, and which belong to the engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from fireworks_ext.engines.espresso.keywords import canonical, split_index
from fireworks_ext.engines.espresso.protocols import protocol_values

_LAYOUT = "run directories are laid out alike, so that later stages find things"
_CELL = "the structure says it"
_RESULT = "the results need it"
OWNED = MappingProxyType(
    {
        "calculation": "the stage's `task` says it",
        "prefix": _LAYOUT,
        "outdir": _LAYOUT,
        "wfcdir": _LAYOUT,
        "pseudo_dir": _LAYOUT,
        "disk_io": _LAYOUT,
        "wf_collect": _LAYOUT,
        "restart_mode": "recovery decides it",
        "startingpot": "a stage's `charge_density` says it",
        "max_seconds": "the stage's `resources: {walltime_min}` says it",
        "tprnfor": _RESULT,
        "tstress": _RESULT,
        "scf_must_converge": "an unconverged calculation is a failure, never a result",
        "input_xml_schema_file": "the input is a deck of namelists",
        **dict.fromkeys(
            (
                *("nat", "ntyp", "ibrav", "celldm", "a", "b", "c", "cosab", "cosac", "cosbc"),
                *("space_group", "uniqueb", "origin_choice", "rhombohedral"),
            ),
            _CELL,
        ),
    }
)
"""Keywords that the engine writes itself, and why a campaign cannot."""

SAME_QUANTITY = MappingProxyType(
    {
        "ecutwfc_ry": ("ecutwfc",),
        "ecutrho_ry": ("ecutrho",),
        "smearing": ("smearing", "occupations"),
        "degauss_ry": ("degauss",),
        "spin": ("nspin",),
        "spin_orbit": ("lspinorb",),
        "moments_bohr": ("starting_magnetization", "angle1", "angle2"),
        "hubbard_u_ev": ("hubbard_u", "lda_plus_u"),
        "hubbard_projectors": ("u_projection_type",),
        "dispersion": ("vdw_corr", "dftd3_version", "london", "ts_vdw", "xdm"),
        "cell": ("cell_dofree",),
        "empty_bands": ("nbnd",),
        "conv_thr_ry_per_atom": ("conv_thr",),
        "fmax_ev_per_ang": ("forc_conv_thr",),
        "energy_tolerance_ev_per_atom": ("etot_conv_thr",),
        "pressure_tolerance_gpa": ("press_conv_thr",),
        "ionic_steps": ("nstep",),
        "electron_maxstep": ("electron_maxstep",),
        "mixing_beta": ("mixing_beta",),
    }
)
"""Field -> the raw keywords of pw.x that say the same."""

SAME_UNIT = MappingProxyType(
    {
        "ecutwfc": "ecutwfc_ry",
        "ecutrho": "ecutrho_ry",
        "degauss": "degauss_ry",
        "nstep": "ionic_steps",
        "electron_maxstep": "electron_maxstep",
        "mixing_beta": "mixing_beta",
        "cell_dofree": "cell",
    }
)
"""Raw keywords that are taken for the field, so that both spellings have the same stage key."""

_UNSAID = MappingProxyType(
    {"dispersion": "none", "spin_orbit": False, "hubbard_projectors": "atomic", "cell": "all"}
)
"""Values that say nothing beside a raw keyword: those that resolved params hold by default."""


def twice(settings: Mapping[str, Any], *, kept: bool = False) -> list[str]:
    """Return a message for each quantity that a block says twice, as a field and as a keyword.

    Parameters
    ----------
    settings
        One block of a campaign (`defaults.espresso`, a stage), as written.
    kept
        Take a field whose value is one that a protocol sets as set by that protocol: so merged
        settings can be looked at, where a keyword in `params` goes before the protocol.
    """
    raw = settings.get("params")
    if not isinstance(raw, Mapping):
        return []
    written = plain_names(raw)
    return [
        f"'{field}' and the keyword '{keyword}' in params say the same quantity; give one of them"
        for field, keywords in SAME_QUANTITY.items()
        if _says(field, settings.get(field))
        and not (kept and settings[field] in protocol_values(field))
        for keyword in keywords
        if keyword in written
    ] + _non_collinear_twice(settings, written)


def _non_collinear_twice(settings: Mapping[str, Any], written: set[str]) -> list[str]:
    """Return the message for `noncolin` beside a spin: `spin: none` leaves it to the keyword."""
    if "noncolin" not in written or settings.get("spin") in (None, "none"):
        return []
    return ["'spin' and the keyword 'noncolin' in params say the same quantity; give one of them"]


def uncovered(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    """Return `lower` without what `upper` says in the other word, field or keyword."""
    raw = upper.get("params")
    written = plain_names(raw) if isinstance(raw, Mapping) else set()
    kept = {
        field: value
        for field, value in lower.items()
        if field in upper or not written.intersection(SAME_QUANTITY.get(field, ()))
    }
    below = kept.get("params")
    if isinstance(below, Mapping):
        covered = {keyword for field in upper for keyword in SAME_QUANTITY.get(field, ())}
        kept["params"] = {
            keyword: value
            for keyword, value in below.items()
            if not plain_names([keyword]) & covered
        }
    return kept


def plain_names(keywords: Iterable[Any]) -> set[str]:
    """Return keywords as pw.x's list spells them, without indices."""
    return {split_index(canonical(str(keyword)))[0] for keyword in keywords}


def _says(field: str, value: Any) -> bool:
    """Tell whether a value says something: resolved params hold None, {} and moments of 0."""
    if field in _UNSAID and value == _UNSAID[field]:
        return False
    return any(value.values()) if isinstance(value, Mapping) else value is not None
