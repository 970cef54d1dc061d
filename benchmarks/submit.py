"""Submitting against inserting the same documents, and against FireWorks; prints the ratios.

    python benchmarks/submit.py [URI] [--candidates 10000] [--rounds 3] [--profile]

1. Time of submitting candidates of three stages each (members, workflows, fireworks, ids) against
   `insert_many` of the very same documents into the same collections with the same indexes, each
   time into a new database: of the embedded store, or of the server at URI (its databases whose
   names begin with `submit_benchmark` are dropped). Bar: at most 1.5.
2. CPU time for each firework of a client whose database does nothing, against FireWorks'
   `bulk_add_wfs` of workflows with the same specs, which are made beforehand. Bar: at most 0.1 for
   the same documents; what the members' own documents and all the rest of submitting add, of which
   FireWorks has nothing, is printed beside it.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / part) for part in (".", "tests/plugins")]

from fireworks import Firework, LaunchPad, Workflow
from fireworks.core import launchpad as fireworks_launchpad

from fireworks_ext.store import Store, open_store
from fireworks_ext.tasks import RunStage
from runner.compile import compile_member
from runner.documents import Writer
from runner.load import load
from runner.orders import Machine, orders
from runner.stages import AnyStage
from runner.submit import CHUNK, Submission, submit
from schemas.identity import candidate_id
from schemas.ledger import CandidateRecord
from schemas.profile import Site
from schemas.structure import Structure

TIME_BAR = 1.5
CPU_BAR = 0.1
COLLECTIONS = ("candidates", "workflows", "fireworks")
SPEC = """
version: 1
campaign: submit
space:
  - {kind: prototype, prototype: rocksalt, species: {A: [Mg], X: [S]}}
stages:
  relax: {engine: toy, task: relax}
  scf: {engine: toy, task: scf, structure: relax}
  dense: {engine: toy, task: scf, structure: relax, charge_density: scf, x: 2.0}
"""
Documents = list[dict[str, Any]]


def compiled(number: int) -> Iterator[list[Submission]]:
    """Yield so many new members, compiled, in chunks that are made when they are asked for."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spec.yaml"
        path.write_text(SPEC)
        stages = load(path).stages
    for start in range(0, number, CHUNK):
        yield [_submission(row, stages) for row in range(start, min(start + CHUNK, number))]


def _submission(row: int, stages: Sequence[AnyStage]) -> Submission:
    half = 2.0 + 1e-5 * row
    structure = Structure(
        lattice_ang=((0.0, half, half), (half, 0.0, half), (half, half, 0.0)),
        species=("Mg", "S"),
        frac_coords=((0.0, 0.0, 0.0), (0.5, 0.5, 0.5)),
    )
    name = candidate_id(structure)
    record = CandidateRecord(
        campaign="submit",
        id=name,
        row=row,
        formula="MgS",
        structure=structure,
        generator="prototype",
        choice={"A": "Mg", "X": "S"},
        columns={"formula": "MgS", "n_atoms": 2, "max_atomic_number": 16},
        priority=-row,
    )
    wanted = orders("submit", name, structure, stages, Machine(Site(), 1))
    done = compile_member(wanted, {}, columns={}, known={}, fireworks={})
    return Submission(record, done)


class Nothing:
    """A collection, and what gives ids, of a database that does nothing."""

    def __init__(self) -> None:
        self._next_id = 1

    def insert_many(self, documents: Any, **_: Any) -> None:
        """Take documents, and let go of them."""
        for _one in documents:
            pass

    def find_one_and_update(self, *_: Any, **__: Any) -> dict[str, int]:
        """Return the next id of a firework."""
        return {"next_fw_id": 1}

    def get_new_fw_id(self, quantity: int) -> int:
        """Return the first of the next ids of fireworks."""
        self._next_id += quantity
        return self._next_id - quantity


class Keeper(Nothing):
    """One that keeps the documents of the last call."""

    last: Documents

    def insert_many(self, documents: Any, **_: Any) -> None:
        """Take documents."""
        self.last = list(documents)


class NoStore:
    """A store without a database, whose collections are of a kind."""

    def __init__(self, kind: type[Nothing] = Nothing) -> None:
        self.launchpad = Nothing()
        self.candidates, self.workflows, self.fireworks = kind(), kind(), kind()


def same_documents(store: Any, items: Sequence[Submission]) -> dict[str, Documents]:
    """Return what submitting some members writes."""
    submit(store, items, project="", by="me")
    return {name: getattr(store, name).last for name in COLLECTIONS}


def timed(clock: Callable[[], float], work: Callable[[], object]) -> float:
    """Return the seconds that some work takes by a clock."""
    began = clock()
    work()
    return clock() - began


def submitting(store: Store, number: int) -> float:
    """Submit so many members to a store; return how long that took."""
    return sum(
        timed(time.perf_counter, lambda: submit(store, items, project="", by="me"))  # noqa: B023  (called now)
        for items in compiled(number)
    )


def inserting(store: Store, number: int) -> float:
    """Insert the same documents, as one would who has them; return how long that took."""
    source = NoStore(Keeper)

    def insert() -> None:
        for name, some in documents.items():
            getattr(store, name).insert_many(some, ordered=False)

    took = 0.0
    for items in compiled(number):
        documents = same_documents(source, items)
        took += timed(time.perf_counter, insert)
    return took


class Databases:
    """New databases, one after the other, in a folder or on a server."""

    def __init__(self, uri: str | None, folder: Path) -> None:
        self._uri, self._folder = uri, folder
        self._number = 0

    def measure(self, work: Callable[[Store, int], float], number: int) -> float:
        """Return the seconds that work on so many members takes on a new database."""
        self._number += 1
        name = f"submit_benchmark_{self._number}"
        if self._uri is None:
            return work(open_store(str(self._folder / f"{name}.db")), number)
        location = urlunsplit(urlsplit(self._uri)._replace(path=f"/{name}"))
        open_store(location).launchpad.db.client.drop_database(name)
        store = open_store(location)
        try:
            return work(store, number)
        finally:
            store.launchpad.db.client.drop_database(name)


def time_ratio(uri: str | None, number: int, rounds: int) -> float:
    """Alternate both and return the ratio of the shortest times, which others disturbed least."""
    ours, plain = [], []
    with tempfile.TemporaryDirectory() as folder:
        databases = Databases(uri, Path(folder))
        for turn in range(rounds):
            plain.append(databases.measure(inserting, number))
            ours.append(databases.measure(submitting, number))
            print(f"round {turn + 1}: submit {ours[-1]:.2f} s, insert_many {plain[-1]:.2f} s")
    ratio = min(ours) / min(plain)
    print(
        f"{number:,} candidates in chunks of {CHUNK}: submit / insert_many = {ratio:.2f} "
        f"(bar: at most {TIME_BAR})"
    )
    return ratio


def stock_workflows(documents: dict[str, Documents]) -> list[Workflow]:
    """Return workflows of FireWorks with the same specs."""
    by_id = {}
    for document in documents["fireworks"]:
        spec = {name: value for name, value in document["spec"].items() if name != "_tasks"}
        by_id[document["fw_id"]] = Firework([RunStage()], spec=spec, name=document["name"])
    made = []
    for workflow in documents["workflows"]:
        links = {
            by_id[int(parent)]: [by_id[one] for one in children]
            for parent, children in workflow["links"].items()
        }
        mine = [by_id[one] for one in workflow["nodes"]]
        metadata = {**workflow["metadata"]}
        made.append(Workflow(mine, links, name=workflow["name"], metadata=metadata))
    return made


def cpu_ratio(number: int, *, profiled: bool) -> float:
    """Return the ratio of the CPU times for each firework, of the chunk that was disturbed least.

    What shares the processor's caches is felt by one who writes memory, and hardly by one who
    computes.
    """
    fireworks_launchpad.tqdm = iter
    launchpad = LaunchPad.__new__(LaunchPad)
    launchpad.fw_id_assigner = launchpad.workflows = launchpad.fireworks = Nothing()
    store: Any = NoStore()
    source = NoStore(Keeper)
    profile = cProfile.Profile()
    ours, same, stock = [], [], []
    for turn, items in enumerate(compiled(number)):
        fireworks = sum(len(one.compiled.new) for one in items)

        def each(work: Callable[[], object], fireworks: int = fireworks) -> float:
            return timed(time.process_time, work) / fireworks * 1000

        # One of ours in turn, right after its input was made, as it is in use.
        if turn % 2:
            ours.append(each(lambda: submit(store, items, project="", by="me")))  # noqa: B023  (called now)
        else:
            same.append(each(lambda: fireworks_documents(items)))  # noqa: B023  (as above)
        workflows = stock_workflows(same_documents(source, items))
        stock.append(each(lambda: launchpad.bulk_add_wfs(workflows)))  # noqa: B023  (as above)
        if profiled:
            profile.runcall(submit, store, items, project="", by="me")
    if profiled:
        pstats.Stats(profile).sort_stats("tottime").print_stats(20)
    mine, theirs, all_of_it = min(same), min(stock), min(ours)
    print(
        f"CPU for each firework, without a database: {mine:.4f} ms, bulk_add_wfs {theirs:.4f} ms: "
        f"{mine / theirs:.3f} (bar: at most {CPU_BAR}); with the ledger {all_of_it:.4f} ms: "
        f"{all_of_it / theirs:.3f} (medians {statistics.median(same):.4f}, "
        f"{statistics.median(stock):.4f}, {statistics.median(ours):.4f} ms)"
    )
    return mine / theirs


def fireworks_documents(items: Sequence[Submission]) -> list[Any]:
    """Return the workflows and fireworks of some members, as they are inserted."""
    writer = Writer("")
    return [writer.fireworks(one.record, one.compiled.new, 1) for one in items]


def main() -> None:
    """Print both ratios; fail where one is above its bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("uri", nargs="?", help="of a server; default: the embedded store")
    parser.add_argument("--candidates", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", action="store_true", help="say where the CPU time goes")
    arguments = parser.parse_args()
    cpu = cpu_ratio(arguments.candidates, profiled=arguments.profile)
    wall = time_ratio(arguments.uri, arguments.candidates, arguments.rounds)
    if cpu > CPU_BAR or wall > TIME_BAR:
        sys.exit(1)


if __name__ == "__main__":
    main()
