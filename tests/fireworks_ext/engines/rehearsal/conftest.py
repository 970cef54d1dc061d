"""Rehearsals of single calculations, with all of recovery and without a store."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fireworks_ext.engines.rehearsal import plugin
from fireworks_ext.engines.rehearsal.engine import Rehearsal
from schemas.profile import Site
from schemas.protocols import Calculation
from schemas.resources import Resources
from schemas.structure import Structure

SITE = Site()
LONGEST_RUN_S = 20.0


def rocksalt(species: tuple[str, str] = ("Na", "Cl"), a_ang: float = 5.6) -> Structure:
    half = a_ang / 2
    return Structure(
        lattice_ang=((0.0, half, half), (half, 0.0, half), (half, half, 0.0)),
        species=species,
        frac_coords=((0.0, 0.0, 0.0), (0.5, 0.5, 0.5)),
    )


@dataclass
class Stage:
    """Makes and runs rehearsals below one folder."""

    folder: Path
    engine: Rehearsal
    site: Site = SITE

    def cell(self, *species: str) -> Structure:
        """Return a rock salt of two elements."""
        return rocksalt((species[0], species[1]))

    def calculation(
        self,
        task: str = "scf",
        structure: Structure | None = None,
        resources: Resources | None = None,
        protected: tuple[str, ...] = (),
        **settings: Any,
    ) -> Calculation:
        cell = structure or rocksalt()
        given = {"kmesh": (2, 2, 2), "time_scale": 0, **settings}
        params = self.engine.resolve(cell, task, self.engine.params.model_validate(given), SITE)
        return Calculation(task, cell, params, resources or Resources(), protected=protected)

    def prepared(self, calculation: Calculation, attempt: int = 1) -> Path:
        """Return a run directory with its inputs."""
        directory = self.folder / str(attempt)
        directory.mkdir()
        self.engine.inputs(calculation, directory, SITE)
        return directory

    def start(self, calculation: Calculation, directory: Path) -> subprocess.Popen[bytes]:
        """Start the program in a run directory."""
        command = self.engine.command(calculation, SITE)
        with (
            (directory / command.stdout).open("wb") as out,
            (directory / command.stderr).open("wb") as err,
        ):
            return subprocess.Popen(
                command.argv,
                cwd=directory,
                stdout=out,
                stderr=err,
                env={**os.environ, **command.environment},
            )

    def play(self, calculation: Calculation, directory: Path) -> int:
        """Run the program once, and return its exit code as Popen says it."""
        return self.start(calculation, directory).wait(LONGEST_RUN_S)

    def recovered(self, calculation: Calculation, attempt: int = 1) -> Any:
        """Run a calculation with all of recovery, and return how it ended."""
        from fireworks_ext.attempts import calculation as running
        from fireworks_ext.checkpoints import places as checkpoints
        from fireworks_ext.worker.session import Session
        from schemas.checkpoint import Checkpoint

        nowhere: Any = None  # one calculation needs neither store nor artefacts
        directory = self.folder / str(attempt)
        directory.mkdir()
        return running.run(
            self.engine,
            calculation,
            directory,
            Session(database=nowhere, site=SITE, artefacts=nowhere),
            policy=Checkpoint(),
            place=checkpoints.open_place(None, directory, "key"),
            earlier=[self.folder / str(n) for n in range(attempt - 1, 0, -1)],
        )


@pytest.fixture(scope="session")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def rehearsal(tmp_path: Path, family: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setenv("MATCAMPAIGN_DATA_DIR", str(family))
    assert isinstance(plugin, Rehearsal)
    return Stage(tmp_path, plugin)
