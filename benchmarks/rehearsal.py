"""Wall time of a rehearsed campaign with failures against the same one without; prints the ratio.

250 candidates, two stages each, two at a time, as fast as recorded outputs can be printed: what is
measured is the runner and its recovery. In the second campaign 30% of the calculations meet a
failure that can be repaired, and 30% of these another one after it; all of them have to end ok.
Usage: python benchmarks/rehearsal.py [CALCULATIONS]
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

CALCULATIONS = 500
STAGES = 2
SLOTS = 2
SPEC = """
version: 1
campaign: rehearsed
space:
  - kind: structures
    files: [cells.json]
defaults:
  rehearsal: {kmesh: [2, 2, 2], time_scale: 0, failures: FAILURES, again: 0.3}
stages:
  relax: {engine: rehearsal, task: vc-relax}
  scf: {engine: rehearsal, task: scf, structure: relax}
run:
  launcher: {kind: local, slots: 2}
"""


def cells(number: int) -> list[dict[str, object]]:
    """Return rock salt at so many lattice constants, so that no two have the same key."""
    return [
        {
            "lattice_ang": [[0.0, half, half], [half, 0.0, half], [half, half, 0.0]],
            "species": ["Na", "Cl"],
            "frac_coords": [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]],
        }
        for half in (2.5 + 0.0005 * n for n in range(number))
    ]


def measured(folder: Path, calculations: int, failures: dict[str, float]) -> tuple[float, float]:
    """Run a campaign on a fresh store; return its wall time and the CPU time of all, in s."""
    folder.mkdir()
    (folder / "cells.json").write_text(json.dumps(cells(calculations // STAGES)))
    (folder / "spec.yaml").write_text(SPEC.replace("FAILURES", json.dumps(failures)))
    environ = {
        **os.environ,
        "MATCAMPAIGN_DATA_DIR": str(folder / "data"),
        "MATCAMPAIGN_CONFIG_DIR": str(folder / "config"),
    }
    program = [sys.executable, "-c", "from runner.cli import main; main()", "run", "spec.yaml"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    subprocess.run(program, cwd=folder, env=environ, stdout=subprocess.DEVNULL, check=False)
    wall = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def outcomes(folder: Path) -> tuple[Counter[str], int]:
    """Return how the stages ended, and how often the program was started."""
    from fireworks_ext.store import open_store

    store = open_store(str(folder / "data" / "store.db"))
    states = Counter(
        entry["state"]
        for member in store.candidates.find({})
        for entry in member["stages"].values()
    )
    played = (folder / "data" / "artefacts").glob("*/*/*/rehearsal-played.txt")
    return states, sum(len(one.read_text().split()) for one in played)


def main() -> int:
    """Measure both, and print wall times and their ratio."""
    calculations = int(sys.argv[1]) if len(sys.argv) > 1 else CALCULATIONS
    took: dict[str, float] = {}
    bad = 0
    with tempfile.TemporaryDirectory() as scratch:
        for name, failures in (("clean", {}), ("failing", {"all": 0.3})):
            folder = Path(scratch) / name
            took[name], cpu = measured(folder, calculations, failures)
            states, starts = outcomes(folder)
            bad += calculations - states["ok"]
            print(
                f"{name}: {took[name]:.1f} s wall, {cpu:.1f} s CPU ({cpu / calculations:.3f} s per "
                f"calculation), program started {starts} times, {dict(states)}",
                flush=True,
            )
    print(f"wall time with 30% failures / without: {took['failing'] / took['clean']:.2f}")
    print(f"calculations that did not end ok: {bad} of {2 * calculations} (bar: 0)")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
