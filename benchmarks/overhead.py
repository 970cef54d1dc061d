"""Wall time of a campaign against the same decks through xargs, alternated; prints the ratio.

Twelve calculations of 10 to 20 CPU-seconds, two at a time. The baseline runs the very decks that a
campaign wrote, with the same command, by `xargs -P`. Usage: python benchmarks/overhead.py [ROUNDS]
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CELLS = 12
SLOTS = 2
SPEC = """
version: 1
campaign: overhead
space:
  - kind: structures
    files: [cells.json]
stages:
  scf:
    engine: espresso
    task: scf
    pseudopotentials: debian-lda
    ecutwfc_ry: 30
    kmesh: [9, 9, 9]
    smearing: none
    params: {nosym: true}
run:
  launcher: {kind: local, slots: 2}
"""


def cells() -> list[dict[str, object]]:
    """Return silicon at twelve lattice constants, so that no two have the same key."""
    made = []
    for number in range(CELLS):
        half = (5.38 + 0.005 * number) / 2
        made.append(
            {
                "lattice_ang": [[0.0, half, half], [half, 0.0, half], [half, half, 0.0]],
                "species": ["Si", "Si"],
                "frac_coords": [[0.0, 0.0, 0.0], [0.25, 0.25, 0.25]],
            }
        )
    return made


def measured(command: list[str], cwd: Path, environ: dict[str, str]) -> tuple[float, float]:
    """Run a command; return its wall time and the CPU time of all that it started, in s."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    subprocess.run(command, cwd=cwd, env=environ, check=True, stdout=subprocess.DEVNULL)
    wall = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu


def campaign(folder: Path) -> tuple[float, float]:
    """Run the campaign on a fresh store in the folder."""
    (folder / "cells.json").write_text(json.dumps(cells()))
    (folder / "spec.yaml").write_text(SPEC)
    environ = {**os.environ, "MATCAMPAIGN_DATA_DIR": str(folder / "data")}
    program = [sys.executable, "-c", "from runner.cli import main; main()", "run", "spec.yaml"]
    return measured(program, folder, environ)


def plain(decks: list[Path], folder: Path) -> tuple[float, float]:
    """Run the same decks through xargs."""
    for number, deck in enumerate(decks):
        run = folder / str(number)
        run.mkdir(parents=True)
        shutil.copy(deck, run / "pw.in")
        shutil.copytree(deck.parent / "pseudo", run / "pseudo")
    script = 'cd "$0" && pw.x -in pw.in > pw.out 2> pw.err'
    xargs = f"ls -d {folder}/*/ | xargs -P {SLOTS} -n 1 sh -c '{script}'"
    environ = {**os.environ, "OMP_NUM_THREADS": "1"}
    return measured(["sh", "-c", xargs], folder, environ)


def main() -> None:
    """Alternate campaign and baseline, and print medians and their ratio."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(rounds):
            folder = Path(scratch) / f"campaign-{number}"
            folder.mkdir()
            ours.append(campaign(folder))
            decks = sorted((folder / "data" / "artefacts").glob("*/*/*/pw.in"))
            theirs.append(plain(decks, Path(scratch) / f"plain-{number}"))
            print(
                f"round {number + 1}: campaign {ours[-1][0]:.1f} s wall, {ours[-1][1]:.1f} s CPU;"
                f" xargs {theirs[-1][0]:.1f} s wall, {theirs[-1][1]:.1f} s CPU",
                flush=True,
            )
    wall, wall_plain = (statistics.median(one[0] for one in runs) for runs in (ours, theirs))
    cpu, cpu_plain = (statistics.median(one[1] for one in runs) for runs in (ours, theirs))
    print(f"wall time, campaign / xargs: {wall / wall_plain:.3f} (bar: at most 1.05)")
    print(f"CPU per calculation: campaign {cpu / CELLS:.2f} s, xargs {cpu_plain / CELLS:.2f} s")


if __name__ == "__main__":
    main()
