"""An engine for tests of continuing: a program of many short steps that saves each of them."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field
from toy_engine import ToyEngine

from fireworks_ext.attempts.exits import read_exit
from schemas.failure import Failure, FailureName
from schemas.model import JsonValue, Model
from schemas.profile import Site
from schemas.protocols import Calculation, Command, Role
from schemas.result import Result
from schemas.retention import ArtefactClass
from schemas.structure import Structure

PROGRAM = Path(__file__).with_name("stepping_program.py")


class SteppingParams(Model):
    steps: int = Field(default=10, description="How many steps.")
    step_s: float = Field(default=0.05, description="How long each takes.")
    silent_at: int = Field(default=-1, description="The step before which it hangs.")


class SteppingContinuation:
    stop_file = "STOP"
    state = ("state.json", "in.json")

    def limit(self, directory: Path, seconds: float) -> None:
        self._change(directory, limit_s=0.8 * seconds)

    def problem(self, source: Path) -> str | None:
        try:
            json.loads((source / "state.json").read_text())["done"]
        except (OSError, ValueError, KeyError) as error:
            return f"state.json: {error}"
        return None

    def restart(self, source: Path, directory: Path) -> str:
        if source != directory:
            shutil.copyfile(source / "in.json", directory / "in.json")
            sibling = source.parent == directory.parent
            (os.rename if sibling else shutil.copyfile)(
                source / "state.json", directory / "state.json"
            )
        self._change(directory, restart=True)
        return f"step {json.loads((directory / 'state.json').read_text())['done']}"

    def last_structure(self, source: Path, directory: Path) -> str | None:
        return None

    def _change(self, directory: Path, **changes: object) -> None:
        deck = json.loads((directory / "in.json").read_text())
        (directory / "in.json").write_text(json.dumps(deck | changes))


class SteppingEngine(ToyEngine):
    params = SteppingParams
    continuation = SteppingContinuation()
    artefacts: Mapping[ArtefactClass, tuple[str, ...]] = {
        ArtefactClass.INPUTS: ("in.json",),
        ArtefactClass.OUTPUTS: ("toy.out", "toy.err", "exit.json"),
        ArtefactClass.CHARGE_DENSITY: ("density",),
        ArtefactClass.SCRATCH: ("state.json",),
    }

    def tasks(self) -> tuple[str, ...]:
        return ("count",)

    def protocols(self) -> tuple[str, ...]:
        return ()

    def roles(self, task: str) -> tuple[Role, ...]:
        density = Role("charge_density", required=False, description="A start.")
        return (Role("structure", required=True, description="The cell."), density)

    def provides(self, task: str) -> tuple[str, ...]:
        return ("charge_density",)

    def physics(self, task: str, params: SteppingParams) -> dict[str, JsonValue]:
        return {"steps": params.steps}

    def resolve(
        self, structure: Structure, task: str, params: SteppingParams, site: Site
    ) -> SteppingParams:
        return params

    def inputs(self, calculation: Calculation, directory: Path, site: Site) -> None:
        (directory / "in.json").write_text(calculation.params.model_dump_json())

    def command(self, calculation: Calculation, site: Site) -> Command:
        argv = (sys.executable, "-I", "-S", str(PROGRAM))
        return Command(argv, "toy.out", "toy.err", silence_s=0.5)

    def diagnose(self, directory: Path) -> tuple[Failure, ...] | None:
        deck, output = directory / "in.json", directory / "toy.out"
        if not deck.exists() or '"steps"' not in deck.read_text():
            return None
        if not output.exists():
            return (Failure(name=FailureName.OUTPUT_MISSING, message="no output"),)
        said = output.read_text()
        ended = read_exit(directory)
        if "done" in said:
            return ()
        if "stopped by request" in said:
            name = FailureName.STOPPED_BY_REQUEST
        elif "out of time" in said:
            name = FailureName.OUT_OF_WALLTIME
        elif ended is not None and ended.reason == "hung":
            name = FailureName.HUNG
        else:
            name = FailureName.KILLED_BY_SIGNAL
        return (Failure(name=name, message=said[-20:]),)

    def parse(self, task: str, directory: Path) -> Result | Failure:
        failed = self.diagnose(directory)
        if failed:
            return failed[0]
        return Result(
            values={"value": 1.0}, program="stepping 1", products={"charge_density": "density"}
        )


plugin = SteppingEngine()
