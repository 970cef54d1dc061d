"""An engine for tests of everything around engines: a program of milliseconds with known answers.

It is found by its entry point, as an engine from another distribution would be.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from custodian.custodian import ErrorHandler
from pydantic import Field

from schemas.columns import Column
from schemas.errors import UserError
from schemas.failure import Failure, FailureName
from schemas.model import JsonValue, Model
from schemas.profile import Site
from schemas.protocols import Calculation, Command, Finding, Role
from schemas.resources import Resources
from schemas.result import Correction, Result
from schemas.retention import ArtefactClass
from schemas.structure import Structure

PROGRAM = Path(__file__).with_name("toy_program.py")


class ToyParams(Model):
    x: float = Field(default=1.0, description="Factor of the answer: physics.")
    x_of: dict[str, float] = Field(default={}, description="Instead of x, by first species.")
    seconds: float = Field(default=0.0, ge=0, description="How long the program takes.")
    fails_for: tuple[str, ...] = Field(default=(), description="First species that fail.")
    needs_gb: float = Field(default=0.0, ge=0, description="Fails with less memory than this.")
    params: dict[str, JsonValue] = Field(default_factory=dict, description="Raw keywords.")


class ToyEngine:
    params = ToyParams
    physics_version = 1
    artefacts: Mapping[ArtefactClass, tuple[str, ...]] = {
        ArtefactClass.INPUTS: ("in.json", "cell.json"),
        ArtefactClass.OUTPUTS: ("toy.out", "toy.err"),
        ArtefactClass.CHARGE_DENSITY: ("out.json",),
        ArtefactClass.SCRATCH: ("*.part",),
    }
    continuation = None

    def tasks(self) -> tuple[str, ...]:
        return ("relax", "scf")

    def protocols(self) -> tuple[str, ...]:
        return ("fast", "balanced")

    def protocol(self, name: str) -> Mapping[str, JsonValue]:
        known: dict[str, dict[str, JsonValue]] = {"fast": {"x": 0.5}, "balanced": {"x": 1.0}}
        if name not in known:
            raise UserError(f"no protocol '{name}'")
        return known[name]

    def roles(self, task: str) -> tuple[Role, ...]:
        roles = [Role("structure", required=True, description="The cell.")]
        if task == "scf":
            roles.append(Role("charge_density", required=False, description="A start."))
        return tuple(roles)

    def provides(self, task: str) -> tuple[str, ...]:
        return ("structure",) if task == "relax" else ("charge_density",)

    def columns(self, task: str) -> tuple[Column, ...]:
        return (Column("value", "float", "The answer."),)

    def resolve(self, structure: Structure, task: str, params: ToyParams, site: Site) -> ToyParams:
        if "Xe" in structure.species:
            raise UserError("no potential of Xe")
        if structure.species[0] in params.x_of:
            return params.model_copy(update={"x": params.x_of[structure.species[0]]})
        return params

    def physics(self, task: str, params: ToyParams) -> dict[str, JsonValue]:
        return {"x": params.x, "params": params.params}

    def files(self, structure: Structure, params: ToyParams, site: Site) -> dict[str, str]:
        return {}

    def resources(self, structure: Structure, task: str, params: ToyParams) -> Resources:
        return Resources(walltime_min=1.0)

    def work(self, structure: Structure, task: str, params: ToyParams) -> float:
        return 1.0 + structure.n_atoms

    def inputs(self, calculation: Calculation, directory: Path, site: Site) -> None:
        deck = {
            "species": list(calculation.structure.species),
            "x": calculation.params.x,
            "seconds": calculation.params.seconds,
            "fails_for": list(calculation.params.fails_for),
            "needs_gb": calculation.params.needs_gb,
            "memory_gb": calculation.resources.memory_gb,
            "start": calculation.structure.lattice_ang[0][1],
            "scale": 1.01,
        }
        (directory / "in.json").write_text(json.dumps(deck))
        (directory / "cell.json").write_text(calculation.structure.model_dump_json())

    def programs(self, site: Site) -> tuple[str, ...]:
        return (sys.executable,)

    def command(self, calculation: Calculation, site: Site) -> Command:
        python = os.environ.get("TOY_PYTHON", sys.executable)
        return Command((python, "-I", "-S", str(PROGRAM)), "toy.out", "toy.err")

    def handlers(self, calculation: Calculation) -> Sequence[ErrorHandler]:
        return ()

    def corrections(self, directory: Path) -> tuple[Correction, ...]:
        return ()

    def is_physics(self, task: str, parameter: str) -> bool:
        return parameter not in ToyParams.model_fields or parameter in {"x", "params"}

    def parse(self, task: str, directory: Path) -> Result | Failure:
        out = directory / "out.json"
        if not out.exists():
            path = directory / "toy.out"
            printed = path.read_text() if path.exists() else ""
            if "did not converge" in printed:
                return Failure(name=FailureName.SCF_NOT_CONVERGED, message="did not converge")
            if "out of memory" in printed:
                return Failure(name=FailureName.OUT_OF_MEMORY, message=printed.strip())
            return Failure(name=FailureName.OUTPUT_INCOMPLETE, message="no output")
        answer = json.loads(out.read_text())
        cell = Structure.model_validate_json((directory / "cell.json").read_text())
        final: Any = cell.model_copy(
            update={
                "lattice_ang": tuple(
                    tuple(x * answer["scale"] for x in vector) for vector in cell.lattice_ang
                )
            }
        )
        return Result(
            values={"value": answer["value"]},
            structure=final if task == "relax" else None,
            program="toy 1",
            products={"charge_density": "out.json"} if task == "scf" else {},
        )

    def diagnose(self, directory: Path) -> tuple[Failure, ...] | None:
        if not (directory / "in.json").exists():
            return None
        found = self.parse("scf", directory)
        return (found,) if isinstance(found, Failure) else ()

    def examine(self, site: Site) -> list[Finding]:
        return [Finding("toy", "ok", "built in")]


plugin = ToyEngine()
