"""What of the params decides a result, and so enters its key."""

from __future__ import annotations

from typing import Any, cast

from fireworks_ext.engines.espresso.keywords import KEYWORDS, split_index
from fireworks_ext.engines.espresso.params import EspressoParams
from fireworks_ext.engines.espresso.tasks import NAMELISTS_OF_TASK
from schemas.model import JsonValue

NOT_PHYSICS = frozenset(
    {
        *("title", "verbosity", "iprint", "restart_mode", "startingpot", "startingwfc", "nstep"),
        *("electron_maxstep", "mixing_beta", "mixing_mode", "mixing_ndim"),
        *("adaptive_thr", "conv_thr_init", "conv_thr_multi", "diagonalization", "diago_thr_init"),
        *("diago_cg_maxiter", "diago_david_ndim", "diago_full_acc", "max_seconds", "disk_io"),
        *("ion_dynamics", "pot_extrapolation", "wfc_extrapolation", "upscale", "bfgs_ndim"),
        *("trust_radius_max", "trust_radius_min", "trust_radius_ini", "w_1", "w_2"),
        *("cell_dynamics", "cell_factor", "wmass", "ionic_steps"),
    }
)
"""Keywords and fields that change how the answer is reached, not the answer."""

EMPTY_BY_DEFAULT = ("spin_orbit", "hubbard_projectors", "dispersion", "cell")
"""Fields whose default says nothing: params without these words have the keys they always had."""

OF_THE_CELL = frozenset(
    {
        *("ecutwfc_ry", "ecutrho_ry", "spin", "moments_bohr"),
        *("hubbard_u_ev", "hubbard_projectors", "fixed_atoms", "cell"),
    }
)
"""Physics that is resolved by elements or sites: it differs between cells of one method."""

NOT_PHYSICS_OF_OTHERS = frozenset({"nmix_ph", "alpha_mix", "recover", "nstep_path"})
"""The same of ph.x and neb.x, as far as recovery changes them."""


def is_physics(task: str, parameter: str) -> bool:
    """Tell whether a field or a raw keyword changes what is computed, for a task.

    A name that nobody knows counts as physics: better an unshared result than a wrong one.
    """
    name, _ = split_index(parameter)
    if name in NOT_PHYSICS | NOT_PHYSICS_OF_OTHERS:
        return False
    field = EspressoParams.model_fields.get(name)
    if field is not None:
        extra = cast("dict[str, Any]", field.json_schema_extra)
        return bool(extra["physics"]) and task in extra["tasks"]
    keyword = KEYWORDS.get(name)
    return keyword is None or keyword.namelist in NAMELISTS_OF_TASK.get(task, ())


def physics(task: str, params: EspressoParams) -> dict[str, JsonValue]:
    """Return what of resolved params decides the result, as JSON."""
    values = params.model_dump(mode="json")
    kept: dict[str, JsonValue] = {
        name: values[name]
        for name in EspressoParams.model_fields
        if name != "params" and is_physics(task, name) and values[name] not in (None, {}, [])
    }
    for name in EMPTY_BY_DEFAULT:
        if values[name] == EspressoParams.model_fields[name].default:
            kept.pop(name, None)
    if params.kmesh is not None:
        kept.pop("kspacing_per_ang", None)
    if params.smearing == "none":
        kept.pop("degauss_ry", None)
    if params.spin == "none":
        kept.pop("moments_bohr", None)
    if not params.hubbard_u_ev:
        kept.pop("hubbard_projectors", None)
    raw = {name: value for name, value in params.params.items() if is_physics(task, name)}
    cell = kept.pop("cell", None)
    if isinstance(cell, str):
        # The key of decks from before the field was there, which said it in the raw keyword.
        raw["cell_dofree"] = cell
    sorted_raw = dict(sorted(raw.items()))
    return kept | ({"params": cast("JsonValue", sorted_raw)} if raw else {})


def method(task: str, params: EspressoParams) -> dict[str, JsonValue]:
    """Return what has to be the same where energies of different compositions are compared.

    The family carries the functional; cutoffs, moments and U are its, or those of the elements.
    """
    common = {
        name: value for name, value in physics(task, params).items() if name not in OF_THE_CELL
    }
    return {"pseudopotentials": params.pseudopotentials, **common}
