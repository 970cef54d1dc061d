"""No-op stages per second of one worker against FireWorks' own rapidfire; prints the ratios.

    python benchmarks/launch.py [URI] [--candidates 100] [--workflows 1000 100000] [--profile]

Every candidate is a diamond of five stages whose engine does nothing. Ours does everything else
that a stage takes: fsynced result, results, attempts, ledger, leases. FireWorks runs no-op tasks,
in the same workflows, with nothing of that. Both on the same store: the embedded one, or the
server at URI (its databases `launch_benchmark_*` are dropped), which both have warmed up before.
Bar: at least 5 times as many.

`--workflows`: how many other workflows are in the store; the last's milliseconds per stage against
the first's are printed. Bar on the embedded store: at most 1.3.
"""

from __future__ import annotations

import argparse
import contextlib
import cProfile
import io
import json
import os
import pstats
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / part) for part in (".", "tests/plugins")]


import pymongo.monitoring
from chaos import cells
from filled_store import Filling
from fireworks import Firework, FWorker, LaunchPad, PyTask, Workflow
from fireworks.core import rocket
from fireworks.core.rocket_launcher import rapidfire

from fireworks_ext.store import Store, open_store
from fireworks_ext.worker.loop import Worker
from fireworks_ext.worker.sessions import forget, open_session
from runner.controller import Run
from runner.load import load
from runner.place import place_of

RATIO_BAR = 5.0
GROWTH_BAR = 1.3
STAGES = 5
WARMING = 40
"""Candidates before anything is measured on a server: its first calls are its slowest."""
SPEC = """
version: 1
campaign: launch
space:
  - {kind: structures, files: [cells.json]}
stages:
  top: {engine: no-op, task: relax}
  left: {engine: no-op, task: scf, x: 2.0, when: top.value > 0}
  right: {engine: no-op, task: scf, x: 3.0, when: top.value > 0}
  join: {engine: no-op, task: scf, x: 4.0, when: left.value > 0 and right.value > 0}
  last: {engine: no-op, task: scf, x: 5.0, when: join.value > 0}
run: {window: 100000}
"""


@dataclass
class Measured:
    """Stages that were run, how long that took, and what it asked of the database."""

    stages: int
    seconds: float
    trips: Counter[str]

    @property
    def ms(self) -> float:
        """Milliseconds per stage."""
        return 1e3 * self.seconds / self.stages

    def __str__(self) -> str:
        trips = sum(self.trips.values()) / self.stages
        said = f", {trips:.1f} round trips" if trips else ""
        return f"{self.ms:.2f} ms per stage ({self.stages} stages{said})"


class Trips(pymongo.monitoring.CommandListener):
    """Counts the commands that go to a server."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def started(self, event: Any) -> None:
        """Count a command."""
        self.counts[event.command_name] += 1

    def succeeded(self, event: Any) -> None:
        """Do nothing."""

    def failed(self, event: Any) -> None:
        """Do nothing."""


TRIPS = Trips()
pymongo.monitoring.register(TRIPS)


def store_at(uri: str | None, folder: Path, name: str) -> str:
    """Return the location of a new store: a file in the folder, or a database of the server."""
    if uri is None:
        return str(folder / f"{name}.db")
    parts = urlsplit(uri)
    location = urlunsplit(parts._replace(path=f"/launch_benchmark_{name}"))
    with pymongo.MongoClient(uri) as client:
        client.drop_database(f"launch_benchmark_{name}")
    return location


def ours(location: str, folder: Path, candidates: int) -> Measured:
    """Work off a campaign of diamonds with one worker, in this process."""
    folder.mkdir()
    (folder / "cells.json").write_text(json.dumps(cells(candidates)))
    (folder / "spec.yaml").write_text(SPEC)
    environ = {
        "MATCAMPAIGN_DATA_DIR": str(folder / "data"),
        "MATCAMPAIGN_CONFIG_DIR": str(folder),
        "MATCAMPAIGN_STORE": location,
    }
    loaded = load(folder / "spec.yaml")
    run = Run(loaded, place_of(loaded, environ=environ))
    run.prepare()
    forget()
    worker = Worker(open_session(run.store, "launch"), "launch", folder)
    with measured(run.store) as result:
        while worker.turn():
            pass
    done = run.store.results.count_documents({})
    if done != STAGES * candidates:
        raise SystemExit(f"{done} results, expected {STAGES * candidates}")
    return result


def theirs(location: str, folder: Path, candidates: int) -> Measured:
    """Work off as many no-op tasks in the same diamonds with FireWorks' rapidfire."""
    folder.mkdir()
    store = open_store(location)
    launchpad: LaunchPad = store.launchpad
    launchpad.bulk_add_wfs([diamond() for _ in range(candidates)])
    rocket.PRINT_FW_JSON = False
    here = Path.cwd()
    os.chdir(folder)
    try:
        with measured(store) as result, contextlib.redirect_stdout(io.StringIO()):
            query = {"name": "no-op"}
            rapidfire(launchpad, FWorker(query=query), m_dir=str(folder), strm_lvl="CRITICAL")
    finally:
        os.chdir(here)
    done = store.fireworks.count_documents({"name": "no-op", "state": "COMPLETED"})
    if done != STAGES * candidates:
        raise SystemExit(f"{done} completed, expected {STAGES * candidates}")
    return result


def diamond() -> Workflow:
    """Return a workflow of five no-op tasks."""
    top, left, right, join, last = (
        Firework(PyTask(func="builtins.len", args=[[]]), name="no-op") for _ in range(STAGES)
    )
    links = {top: [left, right], left: [join], right: [join], join: [last]}
    return Workflow([top, left, right, join, last], links)


@contextlib.contextmanager
def measured(store: Store) -> Iterator[Measured]:
    """Measure what happens in the body; stages are those that get launches."""
    before = store.launches.count_documents({})
    TRIPS.counts.clear()
    result = Measured(0, 0.0, Counter())
    began = time.perf_counter()
    yield result
    result.seconds = time.perf_counter() - began
    result.trips = Counter(TRIPS.counts)
    result.stages = store.launches.count_documents({}) - before


def main() -> None:
    """Measure with every number of other workflows, and print the ratios."""
    arguments = parsed()
    growth = []
    with tempfile.TemporaryDirectory() as scratch:
        for number in arguments.workflows:
            folder = Path(scratch) / str(number)
            folder.mkdir()
            location = store_at(arguments.uri, folder, str(number))
            if number:
                Filling(open_store(location), "other", number).fill()
            if arguments.uri:
                warm = store_at(arguments.uri, folder, "warm")
                ours(warm, folder / "warm-ours", WARMING)
                theirs(warm, folder / "warm-theirs", WARMING)
            if arguments.profile:
                profiled(location, folder / "ours", arguments.candidates)
                continue
            mine = ours(location, folder / "ours", arguments.candidates)
            stock = theirs(location, folder / "theirs", arguments.candidates)
            growth.append(mine.ms)
            print(f"{number} other workflows: ours {mine}")
            print(f"{number} other workflows: rapidfire {stock}")
            print(f"rapidfire / ours: {stock.ms / mine.ms:.2f} (bar: at least {RATIO_BAR:g})")
    if len(growth) > 1:
        ratio = growth[-1] / growth[0]
        print(f"ours with the most workflows / with the fewest: {ratio:.2f} (bar: {GROWTH_BAR:g})")


def parsed() -> argparse.Namespace:
    """Return the arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("uri", nargs="?")
    parser.add_argument("--candidates", type=int, default=100)
    parser.add_argument("--workflows", type=int, nargs="+", default=[1000])
    parser.add_argument("--profile", action="store_true")
    return parser.parse_args()


def profiled(location: str, folder: Path, candidates: int) -> None:
    """Print where our worker's time goes."""
    profile = cProfile.Profile()
    profile.runcall(ours, location, folder, candidates)
    pstats.Stats(profile).sort_stats("cumulative").print_stats(60)


if __name__ == "__main__":
    main()
