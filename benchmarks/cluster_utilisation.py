"""CPU seconds of pw.x by allocated core-seconds of Slurm, beside one job per calculation.

    python benchmarks/cluster_utilisation.py [--quick]

60 calculations of 8 to 15 CPU-seconds, of three lengths, on a private Slurm of two cores, by one
pilot job at a time; how long they take is learnt from an earlier campaign of the same kind. Then
the very decks that the campaign wrote, each in a job of its own that holds nothing but pw.x: the
least that one job per calculation costs. Allocated is what Slurm counts: cores times elapsed time
of all jobs. Beside that stands the makespan, as queueing counts for people, but in no allocation.

The bar is 85 %, on two cores that do nothing else: what else runs stretches the elapsed time, and
not the CPU time; the load is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / part) for part in (".", "tests/plugins")]

from cluster_bench import Cluster
from private_slurm import PrivateSlurm, private_slurm

LEAST_UTILISATION = 0.85
CORES = 2
LONGEST_S = 3600.0
CELLS, CELLS_QUICK = 60, 12
CELLS_BEFORE = 6
MESHES = ((8, 8, 8), (8, 8, 9), (8, 9, 9))
"""About 9, 10 and 11 CPU-seconds on the machine where this was written, at its best."""
CPU = re.compile(r"PWSCF\s*:\s*([\d.]+)s CPU")
SPEC = """
version: 1
campaign: NAME
space:
  - {kind: structures, files: [cells.json]}
defaults:
  espresso: {pseudopotentials: debian-lda, ecutwfc_ry: 30, smearing: none, params: {nosym: true}}
stages:
STAGES
"""
STAGE = "  mesh_{number}: {{engine: espresso, task: scf, kmesh: {mesh}}}"


@dataclass(frozen=True)
class Measured:
    """What some calculations took."""

    name: str
    each_cpu_s: tuple[float, ...]
    allocated_core_s: float
    makespan_s: float
    jobs: int

    @property
    def cpu_s(self) -> float:
        """CPU seconds of all of pw.x."""
        return sum(self.each_cpu_s)

    @property
    def utilisation(self) -> float:
        """CPU seconds by allocated core-seconds."""
        return self.cpu_s / self.allocated_core_s

    def __str__(self) -> str:
        """Return one line."""
        return (
            f"{self.name}: {len(self.each_cpu_s)} calculations of {min(self.each_cpu_s):.0f} to "
            f"{max(self.each_cpu_s):.0f} CPU-seconds in {self.jobs} jobs, {self.cpu_s:.0f} s of "
            f"pw.x / {self.allocated_core_s:.0f} s allocated = {self.utilisation:.1%};"
            f" makespan {self.makespan_s:.0f} s, {self.cpu_s / CORES / self.makespan_s:.1%} of it"
        )


def cells(number: int, first_ang: float) -> list[dict[str, object]]:
    """Return silicon at so many lattice constants."""
    made = []
    for one in range(number):
        half = (first_ang + 0.004 * one) / 2
        made.append(
            {
                "lattice_ang": [[0.0, half, half], [half, 0.0, half], [half, half, 0.0]],
                "species": ["Si", "Si"],
                "frac_coords": [[0.0, 0.0, 0.0], [0.25, 0.25, 0.25]],
            }
        )
    return made


def campaign(cluster: Cluster, name: str, number: int, first_ang: float) -> Measured:
    """Run a campaign of so many calculations, a third of them of each length."""
    made = cells(number // len(MESHES), first_ang)
    (cluster.folder / "cells.json").write_text(json.dumps(made))
    stages = "\n".join(STAGE.format(number=one, mesh=list(mesh)) for one, mesh in enumerate(MESHES))
    spec = SPEC.replace("NAME", name).replace("STAGES", stages)
    cluster.write(spec, tasks_per_node=CORES, walltime_min=60, memory_gb=4, fill_min=10)
    before = set(decks(cluster))
    began = time.time()
    if cluster.end_of(cluster.start(), LONGEST_S) != 0:
        sys.exit(cluster.trouble())
    outputs = [one.with_name("pw.out") for one in decks(cluster) if one not in before]
    return measured(name, cluster.slurm, cluster.records().keys(), outputs, began)


def decks(cluster: Cluster) -> list[Path]:
    """Return the input files of all calculations so far."""
    return sorted((cluster.folder / "data" / "artefacts").glob("*/*/*/pw.in"))


def one_job_each(cluster: Cluster, inputs: Iterable[Path], folder: Path) -> Measured:
    """Run each deck in a job of its own."""
    began, outputs = time.time(), []
    for number, deck in enumerate(inputs):
        run = folder / str(number)
        run.mkdir(parents=True)
        shutil.copy(deck, run / "pw.in")
        shutil.copytree(deck.parent / "pseudo", run / "pseudo")
        outputs.append(run / "pw.out")
        cluster.slurm.run(
            *("sbatch", "--job-name=single", "--mem=500M", "--ntasks=1", "--output=pw.out"),
            *("--error=pw.err", f"--chdir={run}", "--wrap=exec pw.x -in pw.in"),
        )
    cluster.until(lambda: not cluster.slurm.run("squeue", "--noheader"), wait_s=LONGEST_S)
    return measured("one job per calculation", cluster.slurm, ["single"], outputs, began)


def measured(
    name: str, slurm: PrivateSlurm, jobs: Iterable[str], outputs: list[Path], began: float
) -> Measured:
    """Return what pw.x says of its CPU time, and Slurm of its allocations."""
    over = slurm.over()
    ended = [one for job in jobs for one in over[job]]
    said = [CPU.search(path.read_text()) for path in outputs]
    return Measured(
        name=name,
        each_cpu_s=tuple(float(one[1]) for one in said if one),
        allocated_core_s=sum(one.cores * one.seconds for one in ended),
        makespan_s=max(path.stat().st_mtime for path in outputs) - began,
        jobs=len(ended),
    )


def main() -> int:
    """Measure both; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="12 calculations instead of 60")
    number = CELLS_QUICK if parser.parse_args().quick else CELLS
    with tempfile.TemporaryDirectory() as scratch, private_slurm(cpus=CORES) as slurm:
        folder = Path(scratch) / "campaigns"
        folder.mkdir()
        cluster = Cluster(folder, slurm)
        try:
            print(campaign(cluster, "earlier", CELLS_BEFORE, 5.60), flush=True)
            before = set(decks(cluster))
            load = os.getloadavg()[0]
            ours = campaign(cluster, "packed", number, 5.35)
            print(f"{ours}; load {load:.1f} before, {os.getloadavg()[0]:.1f} after", flush=True)
            inputs = [one for one in decks(cluster) if one not in before]
            theirs = one_job_each(cluster, inputs, Path(scratch) / "singles")
            print(f"{theirs}; load {os.getloadavg()[0]:.1f} after", flush=True)
        finally:
            cluster.dismiss()
    print(
        f"utilisation {ours.utilisation:.1%} (bar: at least {LEAST_UTILISATION:.0%}; one job per "
        f"calculation {theirs.utilisation:.1%}); makespan, packed / one job per calculation: "
        f"{ours.makespan_s / theirs.makespan_s:.2f}"
    )
    return int(ours.utilisation < LEAST_UTILISATION)


if __name__ == "__main__":
    sys.exit(main())
