"""What a campaign says about a Quantum ESPRESSO calculation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self, cast

from pydantic import Field, field_validator, model_validator

from fireworks_ext.engines.espresso import wording
from fireworks_ext.engines.espresso.constraints import NOT_FREE_HERE, CellFreedom, FixedAtoms
from fireworks_ext.engines.espresso.dispersion import Dispersion
from fireworks_ext.engines.espresso.hubbard import canonical_shells, split_shell
from fireworks_ext.engines.espresso.keywords import Value, canonical, mistake, split_index
from fireworks_ext.engines.espresso.tasks import TASKS
from fireworks_ext.engines.espresso.wording import OWNED, SAME_UNIT
from schemas.model import JsonValue, Model, Name
from schemas.structure import Vector

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
    spin: Literal["none", "collinear", "noncollinear"] = Field(
        default="none",
        description="Spin polarisation: up and down along one axis, or in any direction.",
        json_schema_extra=_extra(),
    )
    spin_orbit: bool = Field(
        default=False,
        description="Spin-orbit coupling; needs fully relativistic pseudopotentials. With spin: "
        "none for a non-magnetic crystal, else with spin: noncollinear.",
        json_schema_extra=_extra(),
    )
    moments_bohr: dict[str, float | Vector] | tuple[float | Vector, ...] | None = Field(
        default=None,
        description="Starting moments, in Bohr magnetons: by element, or one per site. Default: "
        "those of the structure. Elements that are not named start at 0. With spin: noncollinear "
        "a moment may be a vector, [x, y, z]; a number is along z.",
        json_schema_extra=_extra(),
    )
    hubbard_u_ev: dict[str, float] = Field(
        default={},
        description="Hubbard U by element or shell, in eV (simplified, rotationally invariant): "
        "{Fe: 4.0} or {Fe-3d: 4.0}.",
        json_schema_extra=_extra(),
    )
    hubbard_projectors: Literal["atomic", "ortho-atomic"] = Field(
        default="atomic",
        description="What U counts electrons with: atomic orbitals as they are (the default of "
        "pw.x up to 7.0), or orthogonalised ones. A value of U holds for one of them only.",
        json_schema_extra=_extra(),
    )
    dispersion: Dispersion = Field(
        default="none",
        description="Dispersion correction: d2, d3 (zero damping), d3-bj (Becke-Johnson damping), "
        "both with the three-body term, ts (Tkatchenko-Scheffler).",
        json_schema_extra=_extra(),
    )
    fixed_atoms: tuple[FixedAtoms, ...] = Field(
        default=(),
        description="Atoms that stay where they are, as rules: [{elements: [Pt], axes: z}, "
        "{sites: [1, 2]}, {between_frac: [0, 0.3]}]. axes: xyz where a rule says none.",
        json_schema_extra=_relaxing(),
    )
    cell: CellFreedom = Field(
        default="all",
        description="What of the cell may change, in the words of pw.x (cell_dofree): z is the "
        "length along z, 2Dxy the plane, shape keeps the volume.",
        json_schema_extra=_extra("vc-relax"),
    )
    path_spacing_per_ang: float = Field(
        default=0.05,
        gt=0.001,
        le=1,
        description="Largest distance of k-points on the path of bands, in 1/angstrom, 2 pi "
        "included: 0.05 is 20 points per 1/angstrom.",
        json_schema_extra=_extra("bands"),
    )
    empty_bands: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="Bands above the filled ones. Default: half as many as are filled, at least 8 "
        "(16 with spinors).",
        json_schema_extra=_extra("bands", "dos"),
    )
    dos_mesh_factor: float = Field(
        default=2.0,
        ge=1,
        le=10,
        description="How many times finer the k-mesh of the density of states is, along each axis.",
        json_schema_extra=_extra("dos"),
    )
    dos_broadening_ev: float | None = Field(
        default=None,
        gt=0,
        le=5,
        description="Gaussian broadening of the density of states, in eV. Default: none, but "
        "optimised tetrahedra.",
        json_schema_extra=_extra("dos"),
    )
    dos_step_ev: float = Field(
        default=0.05,
        ge=0.001,
        le=1,
        description="Between two energies of the density of states, in eV; with tetrahedra, half "
        "of it takes twice the time.",
        json_schema_extra=_extra("dos", physics=False),
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
        problems = wording.twice(data, kept=True)
        if problems:
            raise ValueError("; ".join(problems))
        settings, raw = dict(data), {}
        for written, value in data["params"].items():
            name = canonical(str(written))
            if name in raw:
                raise ValueError(f"params: '{name}' is given twice")
            if name in SAME_UNIT:
                settings[SAME_UNIT[name]] = value
            elif name == "nspin" and value in {1, 2}:
                settings["spin"] = {1: "none", 2: "collinear"}[value]
            else:
                raw[name] = value
        return settings | {"params": raw}

    @classmethod
    def uncovered(cls, lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
        """Return `lower` without what `upper` says in the other word, field or keyword."""
        kept = wording.uncovered(lower, upper)
        below, above = kept.get("hubbard_u_ev"), upper.get("hubbard_u_ev")
        if isinstance(below, Mapping) and isinstance(above, Mapping):
            named = {split_shell(str(one))[0] for one in above}
            kept["hubbard_u_ev"] = {
                one: u
                for one, u in below.items()
                if one in above or split_shell(one)[0] not in named
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
                wrong = (
                    "nspin is 1 (spin: none) or 2 (spin: collinear); for other directions say "
                    f"spin: noncollinear; not {value!r}"
                )
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

    @field_validator("hubbard_u_ev")
    @classmethod
    def _shells(cls, u_ev: dict[str, float]) -> dict[str, float]:
        return canonical_shells(u_ev)

    @field_validator("cell", mode="before")
    @classmethod
    def _free_here(cls, cell: Any) -> Any:
        if isinstance(cell, str) and cell in NOT_FREE_HERE:
            raise ValueError(f"'{cell}' cannot be had: {NOT_FREE_HERE[cell]}")
        return cell

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = []
        if self.ecutwfc_ry and self.ecutrho_ry and self.ecutrho_ry < self.ecutwfc_ry:
            problems.append("ecutrho_ry is smaller than ecutwfc_ry; it is at least 4 times it")
        if self.spin_orbit and self.spin == "collinear":
            problems.append(
                "spin_orbit couples all directions of spin: say spin: noncollinear with it, or "
                "spin: none for a non-magnetic crystal"
            )
        if self.spin == "collinear" and self._has_vectors():
            problems.append(
                "moments_bohr holds vectors, and spin: collinear has one axis: say "
                "spin: noncollinear, or give numbers"
            )
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _has_vectors(self) -> bool:
        given = self.moments_bohr or ()
        values = given.values() if isinstance(given, dict) else given
        return any(isinstance(moment, tuple) for moment in values)
