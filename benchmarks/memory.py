"""Peak memory of every process of a campaign with few and with many candidates; prints the growth.

    python benchmarks/memory.py [--sizes 1000 100000] [--processes controller ...] [--profile]

Each process is started anew for each size, does its part on a campaign of three stages in an
embedded store of its own, and its largest resident set counts (VmHWM of /proc, which starts anew
with a program; getrusage would count the parent too). Bar: at most 50 MB of growth.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PLUGINS = ROOT / "tests" / "plugins"
sys.path[:0] = [str(ROOT), str(PLUGINS)]
BAR_MB = 50.0
SHARD_ROWS = 5000
WORKED_STAGES = 1000
SPEC = """
version: 1
campaign: memory
space:
  - {kind: table, files: ["cells/*.parquet"]}
filters:
  - {score: composition, keep: max_atomic_number <= 40}
stages:
  relax: {engine: no-op, task: relax}
  scf: {engine: no-op, task: scf, when: relax.value > 0}
  dense: {engine: no-op, task: scf, x: 2.0, when: scf.value > 0}
"""


def write_cells(folder: Path, number: int) -> None:
    """Write a table of so many rocksalt cells, no two of the same length."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from runner.crystal.cells import to_arrow
    from schemas.structure import Structure

    folder.mkdir()
    for start in range(0, number, SHARD_ROWS):
        cells = []
        for row in range(start, min(start + SHARD_ROWS, number)):
            half = 2.0 + 1e-5 * row
            cells.append(
                Structure(
                    lattice_ang=((0.0, half, half), (half, 0.0, half), (half, half, 0.0)),
                    species=("Mg", "S"),
                    frac_coords=((0.0, 0.0, 0.0), (0.5, 0.5, 0.5)),
                )
            )
        pq.write_table(pa.table({"structure": to_arrow(cells)}), folder / f"{start:09d}.parquet")


def run_of(folder: Path) -> Any:
    """Return the run of the campaign in a folder."""
    from runner.controller import Run
    from runner.load import load
    from runner.place import place_of

    loaded = load(folder / "spec.yaml")
    environ = {
        "MATCAMPAIGN_DATA_DIR": str(folder / "data"),
        "MATCAMPAIGN_CONFIG_DIR": str(folder / "config"),
    }
    return Run(loaded, place_of(loaded, environ=environ))


def controller(folder: Path) -> None:
    """Screen, enrol and submit."""
    run_of(folder).prepare()


def worker(folder: Path) -> None:
    """Carry out some stages."""
    from fireworks_ext.worker.loop import Worker
    from fireworks_ext.worker.sessions import open_session

    run = run_of(folder)
    at_work = Worker(open_session(run.store, "memory"), "memory", folder / "launches")
    while run.store.results.count_documents({}) < WORKED_STAGES and at_work.turn():
        pass


def watcher(folder: Path) -> None:
    """Say where the campaign stands."""
    from runner.monitor import status

    status(run_of(folder).store, "memory")


def janitor(folder: Path) -> None:
    """Repair what there is."""
    run_of(folder)._repair()  # noqa: SLF001


def tables(folder: Path) -> None:
    """Publish the tables of a campaign most of whose results are there."""
    from fireworks_ext.store import open_store
    from runner.publication import Publisher

    Publisher(open_store(str(folder / "full.db")), "full", folder / "tables").publish()


def fill(folder: Path, members: int) -> None:
    """Write the store of such a campaign."""
    from filled_store import Filling

    from fireworks_ext.store import open_store

    Filling(open_store(str(folder / "full.db")), "full", members, with_results=True).fill()


PROCESSES: dict[str, Callable[[Path], None]] = {
    "controller": controller,
    "again": controller,
    "worker": worker,
    "watcher": watcher,
    "janitor": janitor,
    "tables": tables,
}
"""What is measured, in this order, each on the store that those before it left."""


def peak_mb() -> float:
    """Return the largest resident set of this process so far, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (peak,) = [line for line in lines if line.startswith("VmHWM")]
    return float(peak.split()[1]) / 1000


def measured(process: str, folder: Path, *, profiled: bool) -> dict[str, float]:
    """Run one process on a folder; return its peak in MB and its time in s."""
    command = [sys.executable, __file__, "--inside", process, str(folder)]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PLUGINS), str(ROOT)])}
    if profiled:
        command.append("--profile")
    printed = subprocess.run(command, env=environ, check=True, stdout=subprocess.PIPE, text=True)
    *shown, answer = printed.stdout.splitlines()
    print(*shown, sep="\n", end="\n" if shown else "")
    found: dict[str, float] = json.loads(answer)
    return found


def inside(process: str, folder: Path, *, profiled: bool) -> None:
    """Be one process: do its part, and print what it took."""
    import cProfile
    import pstats

    began = time.monotonic()
    if profiled:
        profile = cProfile.Profile()
        profile.runcall(PROCESSES[process], folder)
        pstats.Stats(profile).sort_stats("cumulative").print_stats(60)
    else:
        PROCESSES[process](folder)
    print(json.dumps({"peak_mb": peak_mb(), "seconds": time.monotonic() - began}))


def main() -> None:
    """Print peaks and growth of every process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 100_000])
    parser.add_argument("--processes", nargs="+", default=list(PROCESSES), choices=PROCESSES)
    parser.add_argument("--profile", action="store_true", help="say where the time goes")
    parser.add_argument("--inside", nargs=2, metavar=("PROCESS", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        inside(arguments.inside[0], Path(arguments.inside[1]), profiled=arguments.profile)
        return
    peaks: dict[str, list[float]] = {name: [] for name in arguments.processes}
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            write_cells(folder / "cells", size)
            (folder / "spec.yaml").write_text(SPEC)
            if "tables" in peaks:
                fill(folder, size)
            for name in PROCESSES:
                if name not in peaks:
                    continue
                found = measured(name, folder, profiled=arguments.profile)
                peaks[name].append(found["peak_mb"])
                print(
                    f"{name:12}{size:9,} candidates: {found['peak_mb']:7.1f} MB"
                    f" {found['seconds']:7.1f} s",
                    flush=True,
                )
    growths = {name: max(found) - found[0] for name, found in peaks.items()}
    for name, growth in growths.items():
        print(f"{name}: grows by {growth:.1f} MB (bar: at most {BAR_MB:.0f})")
    if max(growths.values()) > BAR_MB:
        sys.exit(1)


if __name__ == "__main__":
    main()
