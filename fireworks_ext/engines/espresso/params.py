"""What a campaign says about a Quantum ESPRESSO calculation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Literal, Self, cast

from pydantic import Field, field_validator, model_validator

from fireworks_ext.engines.espresso.keywords import (
    Value,
    canonical,
    mistake,
    split_index,
)
from fireworks_ext.engines.espresso.protocols import protocol_values
from schemas.model import JsonValue, Model, Name

TASKS = ("scf", "relax", "vc-relax")
NAMELISTS_OF_TASK = MappingProxyType(
    {
        "scf": ("control", "system", "electrons"),
        "relax": ("control", "system", "electrons", "ions"),
        "vc-relax": ("control", "system", "electrons", "ions", "cell"),
    }
)

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
        "moments_bohr": ("starting_magnetization",),
        "hubbard_u_ev": ("hubbard_u", "lda_plus_u"),
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

_SAME_UNIT = MappingProxyType(
    {
        "ecutwfc": "ecutwfc_ry",
        "ecutrho": "ecutrho_ry",
        "degauss": "degauss_ry",
        "nstep": "ionic_steps",
        "electron_maxstep": "electron_maxstep",
        "mixing_beta": "mixing_beta",
    }
)
"""Raw keywords that are taken for the field, so that both spellings have the same stage key."""

Smearing = Literal["none", "gaussian", "methfessel-paxton", "marzari-vanderbilt", "fermi-dirac"]


def _extra(*tasks: str, physics: bool = True) -> dict[str, JsonValue]:
    return {"physics": physics, "tasks": cast("list[JsonValue]", list(tasks or TASKS))}


def _relaxing(*, physics: bool = True) -> dict[str, JsonValue]:
    return _extra("relax", "vc-relax", physics=physics)


class EspressoParams(Model):
    """Params of every task; a task leaves out what it does not use."""

    pseudopotentials: Name = Field(
        description="Family of pseudopotentials; it carries the functional: gth-pbe, debian-pbe.",
        json_schema_extra=_extra(physics=False),
    )
    cutoff_accuracy: Literal["loose", "standard", "tight"] = Field(
        default="standard",
        description="Which of the family's measured cutoffs to use: about 20, 5, 1 meV per atom.",
        json_schema_extra=_extra(physics=False),
    )
    ecutwfc_ry: float | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="Cutoff of the wavefunctions, in Ry. Default: the family's, largest element.",
        json_schema_extra=_extra(),
    )
    ecutrho_ry: float | None = Field(
        default=None,
        ge=4,
        le=10000,
        description="Cutoff of the charge density, in Ry. Default: the family's, or 4 times (norm-"
        "conserving) or 8 times (ultrasoft, PAW) ecutwfc_ry.",
        json_schema_extra=_extra(),
    )
    kspacing_per_ang: float | None = Field(
        default=None,
        gt=0.005,
        le=10,
        description="Largest distance of k-points, in 1/angstrom; it measures |b| with 2 pi.",
        json_schema_extra=_extra(),
    )
    kmesh: tuple[int, int, int] | None = Field(
        default=None,
        description="Monkhorst-Pack mesh; it goes before kspacing_per_ang.",
        json_schema_extra=_extra(),
    )
    kshift: tuple[Literal[0, 1], Literal[0, 1], Literal[0, 1]] = Field(
        default=(0, 0, 0),
        description="1: the mesh is shifted by half a step along that axis.",
        json_schema_extra=_extra(),
    )
    smearing: Smearing = Field(
        default="marzari-vanderbilt",
        description="Occupations: none keeps them fixed (insulators only).",
        json_schema_extra=_extra(),
    )
    degauss_ry: float = Field(
        default=0.015,
        gt=0,
        le=1,
        description="Width of the smearing, in Ry.",
        json_schema_extra=_extra(),
    )
    spin: Literal["none", "collinear"] = Field(
        default="none", description="Collinear spin polarisation.", json_schema_extra=_extra()
    )
    moments_bohr: dict[str, float] | tuple[float, ...] | None = Field(
        default=None,
        description="Starting moments, in Bohr magnetons: by element, or one per site. Default: "
        "those of the structure. Elements that are not named start at 0.",
        json_schema_extra=_extra(),
    )
    hubbard_u_ev: dict[str, float] = Field(
        default={},
        description="Hubbard U by element, in eV (simplified, rotationally invariant).",
        json_schema_extra=_extra(),
    )
    conv_thr_ry_per_atom: float = Field(
        default=1e-9,
        gt=0,
        description="Self-consistency: estimated error of the energy, in Ry per atom.",
        json_schema_extra=_extra(),
    )
    fmax_ev_per_ang: float = Field(
        default=0.02,
        gt=0,
        description="Relaxed when no force component is larger, in eV/angstrom.",
        json_schema_extra=_relaxing(),
    )
    energy_tolerance_ev_per_atom: float = Field(
        default=1e-4,
        gt=0,
        description="Relaxed when the energy changes less between steps, in eV per atom.",
        json_schema_extra=_relaxing(),
    )
    pressure_tolerance_gpa: float = Field(
        default=0.05,
        gt=0,
        description="Relaxed when the pressure is nearer to its target, in GPa.",
        json_schema_extra=_extra("vc-relax"),
    )
    ionic_steps: int = Field(
        default=80,
        ge=1,
        description="Most steps of a relaxation.",
        json_schema_extra=_relaxing(physics=False),
    )
    electron_maxstep: int = Field(
        default=80,
        ge=1,
        description="Most iterations to self-consistency.",
        json_schema_extra=_extra(physics=False),
    )
    mixing_beta: float = Field(
        default=0.4,
        gt=0,
        le=1,
        description="Share of the new density in each mixing.",
        json_schema_extra=_extra(physics=False),
    )
    params: dict[str, Value] = Field(
        default={},
        description="Any other keyword of pw.x: value, as in INPUT_PW: {nbnd: 20}. It goes before "
        "what a protocol sets.",
        json_schema_extra=_extra(),
    )
    valences: dict[str, float] | None = Field(
        default=None,
        description="Valence electrons by element; filled in from the family.",
        json_schema_extra=_extra(physics=False),
    )

    @model_validator(mode="before")
    @classmethod
    def _raw_keywords(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or not isinstance(data.get("params"), Mapping):
            return data
        problems = twice(data, kept=True)
        if problems:
            raise ValueError("; ".join(problems))
        settings, raw = dict(data), {}
        for written, value in data["params"].items():
            name = canonical(str(written))
            if name in raw:
                raise ValueError(f"params: '{name}' is given twice")
            if name in _SAME_UNIT:
                settings[_SAME_UNIT[name]] = value
            elif name == "nspin" and value in {1, 2}:
                settings["spin"] = {1: "none", 2: "collinear"}[value]
            else:
                raw[name] = value
        return settings | {"params": raw}

    @classmethod
    def uncovered(cls, lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
        """Return `lower` without what `upper` says in the other word, field or keyword."""
        raw = upper.get("params")
        written = _names(raw) if isinstance(raw, Mapping) else set()
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
                if not _names([keyword]) & covered
            }
        return kept

    @field_validator("params")
    @classmethod
    def _known(cls, raw: dict[str, Value]) -> dict[str, Value]:
        problems = []
        for written, value in raw.items():
            name, _ = split_index(written)
            wrong = mistake(written, value)
            if name in OWNED:
                wrong = f"'{written}' cannot be set: {OWNED[name]}"
            elif name == "nspin":
                wrong = f"nspin is 1 (spin: none) or 2 (spin: collinear), not {value!r}"
            if wrong:
                problems.append(wrong)
        if problems:
            raise ValueError("; ".join(problems))
        return raw

    @field_validator("kmesh")
    @classmethod
    def _positive(cls, mesh: tuple[int, int, int] | None) -> tuple[int, int, int] | None:
        if mesh is not None and min(mesh) < 1:
            raise ValueError("three numbers, each at least 1")
        return mesh

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.ecutwfc_ry and self.ecutrho_ry and self.ecutrho_ry < self.ecutwfc_ry:
            raise ValueError("ecutrho_ry is smaller than ecutwfc_ry; it is at least 4 times it")
        return self


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
    written = _names(raw)
    return [
        f"'{field}' and the keyword '{keyword}' in params say the same quantity; give one of them"
        for field, keywords in SAME_QUANTITY.items()
        if _says(settings.get(field)) and not (kept and settings[field] in protocol_values(field))
        for keyword in keywords
        if keyword in written
    ]


def _names(keywords: Iterable[Any]) -> set[str]:
    """Return keywords as pw.x's list spells them, without indices."""
    return {split_index(canonical(str(keyword)))[0] for keyword in keywords}


def _says(value: Any) -> bool:
    """Tell whether a value says something: resolved params hold None, {} and moments of 0."""
    return any(value.values()) if isinstance(value, Mapping) else value is not None
