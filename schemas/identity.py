"""Identity: canonical JSON, candidate ids and stage keys.

Changing anything here changes every id and key ever stored; golden tests pin them.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping

from schemas.model import JsonValue
from schemas.structure import Structure

KEY_VERSION = 1
_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)
_STEP = 10**6
"""Lengths in angstrom and fractional coordinates count in steps of 1e-6."""


def canonical_json(value: JsonValue | Mapping[str, JsonValue]) -> str:
    """Return the one text of a JSON value: sorted keys, no blanks, plain UTF-8, no NaN.

    Raises
    ------
    ValueError
        For NaN and infinities, which JSON does not know.
    """
    return _ENCODER.encode(value)


def digest(value: JsonValue | Mapping[str, JsonValue]) -> str:
    """Return the SHA-256 of a value's canonical JSON, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def candidate_id(structure: Structure) -> str:
    """Return the id of a candidate: the SHA-256 of its cell as generated.

    The cell is taken as it stands: lattice in angstrom and fractional coordinates as integers of
    1e-6, coordinates wrapped into the cell after rounding, sites sorted. No symmetry search and no
    reduction, so a supercell or another magnetic order is another candidate.
    """
    moments = structure.moments_bohr or (0.0,) * structure.n_atoms
    sites: list[list[JsonValue]] = sorted(
        [species, round(moment * _STEP), *(round(x * _STEP) % _STEP for x in position)]
        for species, moment, position in zip(
            structure.species, moments, structure.frac_coords, strict=True
        )
    )
    return digest(
        {
            "lattice": [[round(x * _STEP) for x in vector] for vector in structure.lattice_ang],
            "sites": [list(site) for site in sites],
            "magnetic": structure.moments_bohr is not None,
            "charge": round(structure.charge * _STEP),
        }
    )


def stage_key(
    *,
    engine: str,
    task: str,
    physics: Mapping[str, JsonValue],
    physics_version: int,
    files: Mapping[str, str],
    inputs: Mapping[str, str],
    point: Mapping[str, JsonValue] | None = None,
) -> str:
    """Return the key of one calculation: equal keys mean equal physics, whoever asks.

    `files` maps a label to the SHA-256 of a file's content (pseudopotentials, scripts); `inputs`
    maps a role to a candidate id or to the key of the stage that provides it; `point` is a place
    in a sweep. Names of stages, protocols and campaigns, resources, handlers and program versions
    are not part of it.
    """
    parts: dict[str, JsonValue] = {
        "key_version": KEY_VERSION,
        "engine": engine,
        "task": task,
        "physics": dict(physics),
        "physics_version": physics_version,
        "files": dict(files),
        "inputs": dict(inputs),
    }
    if point:
        parts["point"] = dict(point)
    return digest(parts)


def barrier_key(
    *, analysis: str, version: int, params: Mapping[str, JsonValue], members: Iterable[str]
) -> str:
    """Return the key of an analysis over the results of many candidates.

    `members` are the keys of the results that it gathers, in any order; where recovery reached
    one with other physics, `KEY:DEVIATION`.
    """
    return digest(
        {
            "key_version": KEY_VERSION,
            "analysis": analysis,
            "version": version,
            "params": dict(params),
            "members": [*sorted(members)],
        }
    )


def row_key(barrier: str, member: str) -> str:
    """Return the key of one candidate's row of an analysis, from that of its own result."""
    return digest({"key_version": KEY_VERSION, "barrier": barrier, "member": member})
