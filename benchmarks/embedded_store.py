"""Time the embedded store's operations, with few and with many workflows in it.

    python benchmarks/embedded_store.py [--workflows 1000 100000] [--normal] [--profile WORD]
                                        [--processes 1 4 8]

Each workflow has three fireworks of about 1 kB, under the indexes that FireWorks and this project
use. Beside each operation stands the same on a plain sqlite3 table of the same BSON, with SQL,
columns and indexes written by hand for it: the least that a store of documents can cost. Times
are medians in milliseconds, the bulk insert's is for one document; they depend on the machine
and its disk, the ratios hardly do. With `--processes`, so many processes write at the same time.
"""

import argparse
import cProfile
import gc
import multiprocessing
import pstats
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import bson
from pymongo import DESCENDING, ReturnDocument, UpdateOne

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from fireworks_ext.embedded import EmbeddedClient

FIREWORKS_PER_WORKFLOW = 3
CHUNK = 10_000  # workflows written by one call while a store is filled
REPEATS = 300
SECONDS_PER_OPERATION = 3.0
CONTENTION_S = 4.0
STATES = ("COMPLETED", "READY", "WAITING")  # of a workflow's fireworks

FIREWORK_INDEXES: list[Any] = [
    *("state", "spec._category", "created_on", "updated_on", "name", "launches"),
    *("spec.campaign", "spec.key", "spec._waits_for"),
    [("state", -1), ("_id", -1)],
    [("state", -1), ("spec._priority", -1), ("created_on", -1)],
    [("state", -1), ("spec._priority", -1), ("created_on", 1)],
    [("spec.campaign", 1), ("state", 1), ("spec._priority", -1)],
]
WORKFLOW_INDEXES: list[Any] = [
    *("name", "created_on", "updated_on", "nodes", "metadata.campaign", "metadata.candidate"),
    [("state", -1), ("_id", -1)],
]

Documents = list[dict[str, Any]]
Operation = Callable[[int], Any]


def firework(number: int) -> dict[str, Any]:
    """Return a firework's document as FireWorks writes it, with a specification of about 1 kB."""
    order = {"stage": f"s{number % 3}", "candidate": f"c{number // 3}", "note": "x" * 600}
    now = datetime.now(UTC).isoformat()
    return {
        "spec": {
            "campaign": f"campaign-{number % 2}",
            "key": f"{number:032x}",
            "order": order,
            "_priority": number % 100,
            "_tasks": [{"_fw_name": "RunStage", "settings": {"cores": 4, "walltime_min": 60.0}}],
            "_category": ["cpu", "gpu"][number % 2],
            "_waits_for": [number - 1] if number % 3 == 2 else [],
        },
        "fw_id": number,
        "created_on": now,
        "updated_on": now,
        "name": f"stage {number % 3}",
        "launches": [number] if number % 3 == 0 else [],
        "archived_launches": [],
        "state": STATES[number % 3],
    }


def workflow(number: int) -> dict[str, Any]:
    """Return the document of a workflow of three fireworks, one after the other."""
    first, second, third = range(3 * number, 3 * number + 3)
    now = datetime.now(UTC)
    return {
        "nodes": [first, second, third],
        "links": {str(first): [second], str(second): [third], str(third): []},
        "parent_links": {str(second): [first], str(third): [second]},
        "metadata": {"campaign": f"campaign-{number % 2}", "candidate": f"c{number}"},
        "state": "RUNNING",
        "name": f"candidate {number}",
        "created_on": now,
        "updated_on": now,
        "fw_states": dict(zip(map(str, (first, second, third)), STATES, strict=True)),
    }


def chunks(workflows: int) -> Iterator[tuple[Documents, Documents]]:
    """Yield workflows and their fireworks."""
    for start in range(0, workflows, CHUNK):
        stop = min(start + CHUNK, workflows)
        yield (
            [workflow(number) for number in range(start, stop)],
            [firework(n) for n in range(start * 3, stop * 3)],
        )


class Ours:
    """The embedded store."""

    def __init__(self, path: Path, durability: str) -> None:
        self.client = EmbeddedClient(path, "FULL" if durability == "FULL" else "NORMAL")
        self.fws = self.client["db"]["fireworks"]
        self.wfs = self.client["db"]["workflows"]
        self.leases = self.client["db"]["leases"]
        self.fws.create_index("fw_id", unique=True)
        for keys in FIREWORK_INDEXES:
            self.fws.create_index(keys)
        for keys in WORKFLOW_INDEXES:
            self.wfs.create_index(keys)

    def insert(self, workflows: Documents, fireworks: Documents) -> None:
        """Store workflows and fireworks."""
        self.wfs.insert_many(workflows)
        self.fws.insert_many(fireworks)

    def operations(self, ids: Callable[[int, int], list[int]], new: count) -> dict[str, Operation]:
        """Return the operations by name; each is called with the number of the repetition."""
        fws, wfs, leases = self.fws, self.wfs, self.leases
        one = {"spec._priority": 1, "state": 1, "fw_id": 1, "_id": 0}
        ready = {"spec.campaign": "campaign-0", "state": "READY"}
        first = [("spec._priority", DESCENDING)]
        two = {"$in": ["READY", "WAITING"]}

        versions = count()

        def changes() -> Mapping[str, Any]:
            text = str(next(versions))  # nothing is written where nothing changes
            return {"$set": {"state": "RUNNING", "updated_on": text, "spec._worker": text}}

        def inserted(_: int) -> None:
            fws.insert_many([firework(next(new)) for _ in range(10)])

        def leased(i: int) -> None:
            leases.find_one_and_update(
                {"_id": f"lease-{i % 100}", "expires_at": {"$lte": float(i)}},
                {"$set": {"expires_at": float(i), "owner": "me"}, "$inc": {"token": 1}},
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )

        return {
            "find_one fw_id": lambda i: fws.find_one({"fw_id": ids(i, 1)[0]}),
            "find_one fw_id, 3 fields": lambda i: fws.find_one({"fw_id": ids(i, 1)[0]}, one),
            "find_one wf by nodes": lambda i: wfs.find_one({"nodes": ids(i, 1)[0]}),
            "find 10 by $in": lambda i: list(fws.find({"fw_id": {"$in": ids(i, 10)}})),
            "find 10 READY by priority": lambda _: list(fws.find(ready).sort(first).limit(10)),
            "find 10, 3 fields": lambda i: list(fws.find({"fw_id": {"$in": ids(i, 10)}}, one)),
            "count campaign, state": lambda _: fws.count_documents(ready),
            "count state $in": lambda _: fws.count_documents({"state": two}),
            "distinct state": lambda _: fws.distinct("state"),
            "distinct state of campaign": lambda _: fws.distinct("state", {"spec.campaign": "x"}),
            "update_one fw_id": lambda i: fws.update_one({"fw_id": ids(i, 1)[0]}, changes()),
            "update_many 10 by $in": lambda i: fws.update_many(
                {"fw_id": {"$in": ids(i, 10)}}, changes()
            ),
            "bulk_write 10 updates": lambda i: fws.bulk_write(
                [UpdateOne({"fw_id": number}, changes()) for number in ids(i, 10)]
            ),
            "insert_many 10": inserted,
            "f1&update upsert lease": leased,
            "f1&update checkout": lambda _: fws.find_one_and_update(
                ready, {"$set": {"state": "RESERVED"}}, sort=first
            ),
        }


class Plain:
    """The same BSON in sqlite3, by hand."""

    def __init__(self, path: Path, durability: str) -> None:
        self.db = sqlite3.connect(path, isolation_level=None, cached_statements=1000)
        self.versions = count()
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute(f"PRAGMA synchronous = {durability}")
        self.db.executescript(
            """
            CREATE TABLE f (id INTEGER PRIMARY KEY, fw_id INTEGER UNIQUE, campaign TEXT,
                state TEXT, priority INTEGER, created TEXT, updated TEXT, name TEXT, key TEXT,
                doc BLOB);
            CREATE INDEX f1 ON f (campaign, state, priority DESC);
            CREATE INDEX f2 ON f (state, priority DESC, created);
            CREATE INDEX f3 ON f (created);
            CREATE INDEX f4 ON f (updated);
            CREATE INDEX f5 ON f (name);
            CREATE INDEX f6 ON f (key);
            CREATE TABLE w (id INTEGER PRIMARY KEY, name TEXT, doc BLOB);
            CREATE INDEX w1 ON w (name);
            CREATE TABLE n (fw_id INTEGER PRIMARY KEY, w INTEGER);
            CREATE TABLE l (id TEXT PRIMARY KEY, doc BLOB);
            """
        )

    def _put(self, fireworks: Documents) -> None:
        self.db.executemany(
            "INSERT INTO f (fw_id, campaign, state, priority, created, updated, name, key, doc)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    *(one["fw_id"], one["spec"]["campaign"], one["state"]),
                    *(one["spec"]["_priority"], one["created_on"], one["updated_on"]),
                    *(one["name"], one["spec"]["key"], bson.encode(one)),
                )
                for one in fireworks
            ],
        )

    def insert(self, workflows: Documents, fireworks: Documents) -> None:
        """Store workflows and fireworks."""
        self.db.execute("BEGIN IMMEDIATE")
        for one in workflows:
            row = self.db.execute(
                "INSERT INTO w (name, doc) VALUES (?, ?)", (one["name"], bson.encode(one))
            ).lastrowid
            self.db.executemany("INSERT INTO n VALUES (?, ?)", [(n, row) for n in one["nodes"]])
        self.db.execute("COMMIT")
        self.db.execute("BEGIN IMMEDIATE")
        self._put(fireworks)
        self.db.execute("COMMIT")

    def _update(self, numbers: list[int]) -> None:
        text = str(next(self.versions))
        for number in numbers:
            row, blob = self.db.execute(
                "SELECT id, doc FROM f WHERE fw_id = ?", (number,)
            ).fetchone()
            document = bson.decode(blob)
            document.update(state="RUNNING", updated_on=text)
            document["spec"]["_worker"] = text
            self.db.execute(
                "UPDATE f SET state = ?, updated = ?, doc = ? WHERE id = ?",
                ("RUNNING", text, bson.encode(document), row),
            )

    def operations(self, ids: Callable[[int, int], list[int]], new: count) -> dict[str, Operation]:
        """Return the operations by the names that they have for the embedded store."""
        db = self.db
        marks = ", ".join("?" * 10)
        ready = "FROM f WHERE campaign = 'campaign-0' AND state = 'READY'"
        first = "ORDER BY priority DESC, id LIMIT"

        def documents(sql: str, values: list[int] | tuple[()] = ()) -> Documents:
            return [bson.decode(blob) for (blob,) in db.execute(sql, values)]

        def by_id(i: int, number: int = 1) -> Documents:
            some = ids(i, number)
            where = "fw_id = ?" if number == 1 else f"fw_id IN ({marks})"
            return documents(f"SELECT doc FROM f WHERE {where}", some)  # noqa: S608

        def written(work: Operation) -> Operation:
            def run(i: int) -> None:
                db.execute("BEGIN IMMEDIATE")
                work(i)
                db.execute("COMMIT")

            return run

        def leased(i: int) -> None:
            name = f"lease-{i % 100}"
            found = db.execute("SELECT doc FROM l WHERE id = ?", (name,)).fetchone()
            old = bson.decode(found[0]) if found else {"token": 0}
            lease = {"expires_at": float(i), "owner": "me", "token": old["token"] + 1}
            db.execute("INSERT OR REPLACE INTO l VALUES (?, ?)", (name, bson.encode(lease)))

        def checkout(_: int) -> None:
            row, blob = db.execute(f"SELECT id, doc {ready} {first} 1").fetchone()
            document = {**bson.decode(blob), "state": "RESERVED"}
            values = ("RESERVED", bson.encode(document), row)
            db.execute("UPDATE f SET state = ?, doc = ? WHERE id = ?", values)

        def inserted(_: int) -> None:
            self._put([firework(next(new)) for _ in range(10)])

        def distinct(_: int) -> Any:
            return db.execute("SELECT DISTINCT state FROM f").fetchall()

        def by_node(i: int) -> Documents:
            return documents("SELECT doc FROM w JOIN n ON n.w = w.id WHERE n.fw_id = ?", ids(i, 1))

        update = written(lambda i: self._update(ids(i, 10)))
        return {
            "find_one fw_id": by_id,
            "find_one fw_id, 3 fields": by_id,
            "find_one wf by nodes": by_node,
            "find 10 by $in": lambda i: by_id(i, 10),
            "find 10 READY by priority": lambda _: documents(f"SELECT doc {ready} {first} 10"),
            "find 10, 3 fields": lambda i: by_id(i, 10),
            "count campaign, state": lambda _: db.execute(f"SELECT count(*) {ready}").fetchone(),
            "count state $in": lambda _: db.execute(
                "SELECT count(*) FROM f WHERE state IN ('READY', 'WAITING')"
            ).fetchone(),
            "distinct state": distinct,
            "distinct state of campaign": lambda _: db.execute(
                "SELECT DISTINCT state FROM f WHERE campaign = 'x'"
            ).fetchall(),
            "update_one fw_id": written(lambda i: self._update(ids(i, 1))),
            "update_many 10 by $in": update,
            "bulk_write 10 updates": update,
            "insert_many 10": written(
                lambda _: self._put([firework(next(new)) for _ in range(10)])
            ),
            "f1&update upsert lease": written(leased),
            "f1&update checkout": written(checkout),
        }


def timed(work: Operation, repeats: int) -> float:
    """Return the median time of one call in milliseconds."""
    times: list[float] = []
    ended = time.perf_counter() + SECONDS_PER_OPERATION
    for number in range(repeats):
        started = time.perf_counter()
        work(number)
        times.append(time.perf_counter() - started)
        if time.perf_counter() > ended:
            break
    return statistics.median(times) * 1000


def filled(store: Ours | Plain, workflows: int) -> float:
    """Fill a store and return the milliseconds that one document took to write."""
    spent = 0.0
    for some in chunks(workflows):
        gc.collect()
        started = time.perf_counter()
        store.insert(*some)
        spent += time.perf_counter() - started
    return spent * 1000 / (workflows * (1 + FIREWORKS_PER_WORKFLOW))


def measured(store: Ours | Plain, workflows: int, profiled: str) -> dict[str, float]:
    """Return milliseconds by operation."""
    bulk = filled(store, workflows)
    total = workflows * FIREWORKS_PER_WORKFLOW
    step = max(total // (REPEATS * 10), 1) | 1

    def ids(i: int, number: int) -> list[int]:
        return [(i * number + k) * step % total for k in range(number)]

    result = {"bulk insert, one document": bulk}
    for name, work in store.operations(ids, count(total)).items():
        profile = cProfile.Profile()
        if profiled and profiled in name and isinstance(store, Ours):
            work(0)
            profile.runcall(timed, work, REPEATS)
            pstats.Stats(profile).sort_stats("tottime").print_stats(22)
        result[name] = timed(work, REPEATS)
    return result


def contended(path: Path, durability: str, number: int, workflows: int, results: Any) -> None:
    """Update fireworks of one's own, and one that all update, for some seconds."""
    fws = EmbeddedClient(path, "FULL" if durability == "FULL" else "NORMAL")["db"]["fireworks"]
    times: list[float] = []
    ended = time.monotonic() + CONTENTION_S
    total = workflows * FIREWORKS_PER_WORKFLOW
    while time.monotonic() < ended:
        started = time.perf_counter()
        fws.bulk_write(
            [
                UpdateOne({"fw_id": 0}, {"$inc": {"counter": 1}}),
                UpdateOne(
                    {"fw_id": 1 + (len(times) * 31 + number) % (total - 1)},
                    {"$set": {"state": "RUNNING", "spec._worker": number}},
                ),
            ]
        )
        times.append(time.perf_counter() - started)
    results.put((len(times), max(times)))


def crowd(path: Path, durability: str, processes: int, workflows: int) -> None:
    """Let processes write at the same time; print how much they did and whether all is there."""
    fws = EmbeddedClient(path, "FULL" if durability == "FULL" else "NORMAL")["db"]["fireworks"]
    before = fws.find_one({"fw_id": 0}).get("counter", 0)
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [
        context.Process(target=contended, args=(path, durability, number, workflows, results))
        for number in range(processes)
    ]
    for worker in workers:
        worker.start()
    answers = [results.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join()
    done = [number for number, _ in answers]
    lost = sum(done) - (fws.find_one({"fw_id": 0})["counter"] - before)
    print(
        f"  {processes} processes: {sum(done) / CONTENTION_S:8.0f} writes/s, each did "
        f"{min(done)} to {max(done)}, the longest took {max(t for _, t in answers) * 1000:.0f} ms, "
        f"{lost} lost"
    )


def main() -> None:
    """Print one table for each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workflows", type=int, nargs="+", default=[1000, 100_000])
    parser.add_argument("--processes", type=int, nargs="*", default=[])
    parser.add_argument("--normal", action="store_true", help="do not wait for the disk")
    parser.add_argument("--profile", default="", help="of operations with this in their name")
    arguments = parser.parse_args()
    durability = "NORMAL" if arguments.normal else "FULL"
    reference: dict[str, float] = {}
    for workflows in arguments.workflows:
        with tempfile.TemporaryDirectory() as temporary:
            path = Path(temporary) / "store.db"
            ours = measured(Ours(path, durability), workflows, arguments.profile)
            plain = measured(Plain(Path(temporary) / "plain.db", durability), workflows, "")
            megabytes = path.stat().st_size / 1e6
            reference = reference or ours
            print(f"{workflows} workflows, {durability}, {megabytes:.0f} MB, milliseconds:")
            print(f"  {'':28}{'store':>9}{'sqlite3':>9}{'ratio':>7}{'growth':>8}")
            for name, value in ours.items():
                ratio, growth = value / plain[name], value / reference[name]
                print(f"  {name:28}{value:9.3f}{plain[name]:9.3f}{ratio:7.1f}{growth:8.2f}")
            for processes in arguments.processes:
                crowd(path, durability, processes, workflows)


if __name__ == "__main__":
    main()
