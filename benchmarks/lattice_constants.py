"""Lattice constants of four solids, relaxed with pw.x through the engine, against published ones.

Run it with `python benchmarks/lattice_constants.py [SOLID ...]`; it takes a few minutes on one core
and ends with exit code 1 when a solid is off by more than a percent.

The published values are converged all-electron (LAPW) results for the same functional, PBE:
Haas, Tran, Blaha, Phys. Rev. B 79, 085104 (2009), doi:10.1103/PhysRevB.79.085104.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fireworks_ext.engines.espresso import plugin
from schemas.failure import Failure
from schemas.profile import Site
from schemas.protocols import Calculation
from schemas.structure import Structure

LARGEST_ERROR = 0.01


@dataclass(frozen=True)
class Solid:
    """One benchmark: where it starts, and where it has to end."""

    name: str
    kind: Literal["diamond", "zincblende", "fcc"]
    species: tuple[str, ...]
    family: str
    start_ang: float
    published_ang: float
    kspacing_per_ang: float = 0.35

    def structure(self) -> Structure:
        """Return the primitive cell, with the lattice constant to start from."""
        half = self.start_ang / 2
        positions = ((0.0, 0.0, 0.0), (0.25, 0.25, 0.25))
        return Structure(
            lattice_ang=((0.0, half, half), (half, 0.0, half), (half, half, 0.0)),
            species=self.species,
            frac_coords=positions[: len(self.species)],
        )


SOLIDS = (
    Solid("Si", "diamond", ("Si", "Si"), "debian-pbe", 5.43, 5.475),
    Solid("C", "diamond", ("C", "C"), "debian-pbe", 3.50, 3.575, 0.5),
    Solid("Ge", "diamond", ("Ge", "Ge"), "debian-pbe", 5.65, 5.769),
    Solid("Al", "fcc", ("Al",), "gth-pbe", 3.95, 4.041, 0.25),
)


def relax(solid: Solid, directory: Path) -> tuple[float, float]:
    """Relax the cell; return the lattice constant in angstrom and the wall time in seconds."""
    site, structure = Site(), solid.structure()
    params = plugin.params.model_validate(
        {
            **plugin.protocol("balanced"),
            "pseudopotentials": solid.family,
            "kspacing_per_ang": solid.kspacing_per_ang,
        }
    )
    resolved = plugin.resolve(structure, "vc-relax", params, site)
    resources = plugin.resources(structure, "vc-relax", resolved)
    calculation = Calculation("vc-relax", structure, resolved, resources)
    directory.mkdir()
    plugin.inputs(calculation, directory, site)
    command = plugin.command(calculation, site)
    start = time.perf_counter()
    with (directory / command.stdout).open("w") as out, (directory / command.stderr).open("w") as e:
        environment = {**os.environ, **command.environment}
        subprocess.run(
            command.argv, cwd=directory, stdout=out, stderr=e, env=environment, check=False
        )
    outcome = plugin.parse("vc-relax", directory)
    if isinstance(outcome, Failure) or outcome.structure is None:
        sys.exit(f"{solid.name}: {outcome}")
    n_cells = len(solid.species) / (8 if len(solid.species) > 1 else 4)
    lattice_constant = (outcome.structure.volume_ang3 / n_cells) ** (1 / 3)
    return lattice_constant, time.perf_counter() - start


def main(names: list[str]) -> int:
    """Print the table; return the exit code."""
    print(f"{'solid':6} {'family':12} {'found/A':>9} {'PBE/A':>9} {'ratio':>8} {'wall/s':>7}")
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for solid in SOLIDS:
            if names and solid.name not in names:
                continue
            found, wall_s = relax(solid, Path(folder) / solid.name)
            ratio = found / solid.published_ang
            worst = max(worst, abs(ratio - 1))
            print(
                f"{solid.name:6} {solid.family:12} {found:9.4f} {solid.published_ang:9.4f} "
                f"{ratio:8.4f} {wall_s:7.1f}",
                flush=True,
            )
    print(f"largest error {100 * worst:.2f} %, limit {100 * LARGEST_ERROR:.0f} %")
    return int(worst > LARGEST_ERROR)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
