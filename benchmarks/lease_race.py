"""Everything that may be started twice is done once: processes race for it, round after round.

    python benchmarks/lease_race.py [URI] [--rounds 1000] [--stages 200] [--processes 2 8]

leases: processes want one lease at the same moment; a new one, and one that was just given back. On
the embedded store and on the server at URI (by default mongo-java-server, as in the tests); the
database `lease_race` there is dropped. claims: the same with a folder that was handed over; in half
of the rounds it was left by a process that died. stages: two `campaign worker --offline` on one
stage. Every round must have exactly one winner, or this fails.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / part) for part in (".", "tests/plugins")]

from chaos import cells
from database_servers.missing import Missing
from database_servers.shared import shared
from pymongo import MongoClient
from starts import ForClaims, ForLeases, ForStages, Race, make_folders, race
from sudden_death import in_child

from fireworks_ext.folders.offline import stages as handed_over
from fireworks_ext.store import open_store
from runner import workers
from runner.controller import Run
from runner.load import load
from runner.place import place_of

DATABASE = "lease_race"
SPEC = """
version: 1
campaign: twice
space:
  - {kind: structures, files: [cells.json]}
stages:
  only: {engine: toy, task: relax}
"""


def for_leases(location: str, processes: Sequence[int], rounds: int) -> Iterator[Race]:
    """Race for leases of a store, with so many processes each time."""
    in_child(lambda: open_store(location))  # makes the indexes
    for number in processes:
        yield race(number, rounds, lambda one: ForLeases(location, one))
        in_child(lambda: open_store(location).leases.delete_many({}))


def for_claims(folder: Path, processes: Sequence[int], rounds: int) -> Iterator[Race]:
    """Race for folders."""
    for number in processes:
        places = folder / f"claims-{number}"
        make_folders(places, rounds)
        yield race(number, rounds, lambda one, places=places: ForClaims(places, one))


def for_stages(folder: Path, processes: Sequence[int], rounds: int) -> Iterator[Race]:
    """Race for stages that were handed over."""
    for number in processes:
        here = folder / f"stages-{number}"
        here.mkdir()
        in_child(lambda here=here: hand_over(here, rounds))
        places = handed_over(here / "travel")
        if len(places) != rounds:
            raise SystemExit(f"{len(places)} stages were handed over, expected {rounds}")
        yield race(number, rounds, lambda one, places=places: ForStages(places, one))
        attempts = list((here / "data" / "artefacts").glob("*/*/*"))
        if len(attempts) != rounds:
            raise SystemExit(f"{len(attempts)} attempts were begun, expected {rounds}")


def hand_over(folder: Path, number: int) -> None:
    """Submit a campaign of so many stages, and hand them over into `travel`."""
    (folder / "cells.json").write_text(json.dumps(cells(number)))
    (folder / "spec.yaml").write_text(SPEC)
    loaded = load(folder / "spec.yaml")
    environ = {
        "MATCAMPAIGN_DATA_DIR": str(folder / "data"),
        "MATCAMPAIGN_CONFIG_DIR": str(folder),
    }
    run = Run(loaded, place_of(loaded, environ=environ))
    run.prepare()
    workers.hand_over(run.store, "twice", folder / "travel", number)


def server(uri: str | None, folder: Path) -> str:
    """Return the address of an empty database on a server."""
    parts = urlsplit(uri or shared("java", folder)["uri"])
    location = urlunsplit(parts._replace(path=f"/{DATABASE}"))

    def empty() -> None:
        with MongoClient[dict[str, object]](location) as client:
            client.drop_database(DATABASE)

    in_child(empty)
    return location


def told(name: str, races: Iterator[Race]) -> bool:
    """Print races as they end; tell whether every round of every race had one winner."""
    fair = True
    for one in races:
        print(f"{name}: {one}", flush=True)
        fair = fair and one.is_fair
    return fair


def main() -> None:
    """Run all races."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("uri", nargs="?")
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--stages", type=int, default=200)
    parser.add_argument("--processes", type=int, nargs="+", default=[2, 8])
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        few, rounds = asked.processes, asked.rounds
        fair = [
            told("leases, embedded store", for_leases(str(folder / "store.db"), few, rounds)),
            told("claims", for_claims(folder, few, rounds)),
            told("stages", for_stages(folder, few, asked.stages)),
        ]
        try:
            location = server(asked.uri, folder)
            fair.append(told("leases, server", for_leases(location, few, rounds)))
        except Missing as error:
            print(f"leases, server: left out: {error}")
    if not all(fair):
        raise SystemExit("some rounds had no winner, or more than one")


if __name__ == "__main__":
    main()
