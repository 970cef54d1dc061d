"""From the end of a stage's program to the start of its dependent's, in the same allocation.

    python benchmarks/cluster_gap.py [--chains N] [--stages N]

Chains of stages side by side in one pilot job of a private Slurm, each on a core of its own. In
between lie the result, its way to the controller, the ledger, the hand-over of the next stage, and
its start. The programs sleep, so that it is measured even on a machine that has other things to do;
its load, which is printed, stretches it all the same. The bar is 1 s in the median.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from statistics import median

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / part) for part in (".", "tests/plugins")]

from cluster_bench import Cluster
from private_slurm import private_slurm

LARGEST_MEDIAN_S = 1.0
METALS = ("Mg", "Ca", "Sr", "Ba", "Zn", "Cd", "Be", "Fe")
SECONDS = 2.0
SPEC = """
version: 1
campaign: gaps
space:
  - {kind: prototype, prototype: rocksalt, species: {A: [METALS], X: [S]}}
stages:
  stage_0: {engine: toy, task: relax, seconds: LENGTH}
"""
STAGE = "  stage_{0}: {{engine: toy, task: relax, structure: stage_{1}, seconds: LENGTH}}\n"


def gaps(cluster: Cluster, stages: int) -> list[float]:
    """Return what lies between the programs of stages that follow each other, in s."""
    times: dict[tuple[str, str], tuple[float, float]] = {}
    for attempt in cluster.attempts():
        directory = Path(attempt["directory"])
        # The program prints nothing, so this file is as old as its start.
        began = (directory / "toy.out").stat().st_mtime
        ended = (directory / "out.json").stat().st_mtime
        times[attempt["candidate"], attempt["stage"]] = began, ended
    return [
        times[candidate, f"stage_{number}"][0] - times[candidate, f"stage_{number - 1}"][1]
        for candidate in {one for one, _ in times}
        for number in range(1, stages)
    ]


def main() -> int:
    """Measure; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--chains", type=int, default=4, choices=range(1, len(METALS) + 1))
    parser.add_argument("--stages", type=int, default=6)
    asked = parser.parse_args()
    spec = SPEC + "".join(STAGE.format(one, one - 1) for one in range(1, asked.stages))
    spec = spec.replace("METALS", ", ".join(METALS[: asked.chains]))
    with tempfile.TemporaryDirectory() as scratch, private_slurm(cpus=asked.chains) as slurm:
        cluster = Cluster(Path(scratch), slurm)
        cluster.write(
            spec.replace("LENGTH", f"{SECONDS:g}"),
            tasks_per_node=asked.chains,
            memory_gb=4,
            idle_s=30,
        )
        try:
            if cluster.run() != 0:
                sys.exit(cluster.trouble())
            found, jobs = gaps(cluster, asked.stages), cluster.jobs().total()
        finally:
            cluster.dismiss()
    print(
        f"{len(found)} gaps in {jobs} jobs: median {median(found):.2f} s, largest "
        f"{max(found):.2f} s (bar: a median below {LARGEST_MEDIAN_S:g} s); load "
        f"{os.getloadavg()[0]:.1f}"
    )
    return int(median(found) >= LARGEST_MEDIAN_S)


if __name__ == "__main__":
    sys.exit(main())
