"""Time `campaign status` against `lpad report` on one store, and count the documents that it reads.

    python benchmarks/status.py [WORKFLOWS [URI]]

The store holds 100,000 workflows of three stages by default, in four campaigns of 70, 15, 10 and 5
per cent of them, in realistic shares of states; it is an embedded store in a temporary folder, or a
database of its own on a server. Compared are the call that FireWorks makes for `lpad report` with
that which `campaign status` makes (in a process that is warm, medians), and the two commands.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "plugins"))
from filled_store import Filling
from fireworks.features.fw_report import FWReport

from fireworks_ext.spending import fold_spent
from fireworks_ext.store import Store, open_store
from runner.monitor import status

SHARES = {"largest": 0.70, "second": 0.15, "third": 0.10, "smallest": 0.05}
REPEATS = 5
BAR = 10.0
PROGRAM = "from runner.cli import main; main()"


class Counted:
    """A collection that counts the documents which its finds and aggregations return."""

    def __init__(self, inner: Any, read: list[int]) -> None:
        self._inner, self._read = inner, read

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def find(self, *args: Any, **options: Any) -> Iterator[Any]:
        """Count what a find returns."""
        for document in self._inner.find(*args, **options):
            self._read[0] += 1
            yield document

    def find_one(self, *args: Any, **options: Any) -> Any:
        """Count the one document."""
        self._read[0] += 1
        return self._inner.find_one(*args, **options)

    def aggregate(self, pipeline: list[Any], **options: Any) -> Any:
        """Count what a pipeline returns."""
        found = list(self._inner.aggregate(pipeline, **options))
        self._read[0] += len(found)
        return found


class CountedStore:
    """A store whose reads are counted."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.read = [0]

    def __getattr__(self, name: str) -> Any:
        return Counted(getattr(self._store, name), self.read)


def main() -> None:
    """Fill a store, compare, print the ratios."""
    workflows = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    uri = sys.argv[2] if len(sys.argv) > 2 else None
    with tempfile.TemporaryDirectory() as folder, place(uri, Path(folder)) as location:
        store = open_store(location)
        began = time.perf_counter()
        for name, share in SHARES.items():
            Filling(store, name, round(share * workflows)).fill()
            fold_spent(store, name)
        seconds = time.perf_counter() - began
        print(f"{workflows} workflows in {len(SHARES)} campaigns, filled in {seconds:.0f} s")
        compare(store)
        commands(location, Path(folder))


@contextmanager
def place(uri: str | None, folder: Path) -> Iterator[str]:
    """Yield where the store is: a file, or a database that is dropped afterwards."""
    if uri is None:
        yield str(folder / "store.db")
        return
    from pymongo import MongoClient

    name = f"status_{uuid4().hex[:8]}"
    yield f"{uri.rstrip('/')}/{name}"
    MongoClient(uri).drop_database(name)


def compare(store: Store) -> None:
    """Time the two calls in this process."""
    theirs = median(lambda: FWReport(store.launchpad).get_stats())
    print(f"lpad report, the call: {theirs * 1e3:.0f} ms")
    for name in SHARES:
        counted = CountedStore(store)
        found = status(counted, name)  # type: ignore[arg-type]  # it counts, else it is one
        ours = median(lambda name=name: status(store, name))  # type: ignore[misc]
        print(
            f"campaign status {name}: {found.survivors} members, {ours * 1e3:.1f} ms, "
            f"{counted.read[0]} documents read; {theirs / ours:.0f} times faster"
        )
    everything = median(lambda: [status(store, name) for name in SHARES])
    ratio = theirs / everything
    verdict = "met" if ratio >= BAR else "MISSED"
    print(
        f"all campaigns: {everything * 1e3:.1f} ms, {ratio:.0f} times faster "
        f"(bar {BAR:g}, {verdict})"
    )


def commands(location: str, folder: Path) -> None:
    """Time the two commands, with the start of Python and all imports."""
    environ = {
        **os.environ,
        "MATCAMPAIGN_STORE": location,
        "MATCAMPAIGN_DATA_DIR": str(folder),
        "MATCAMPAIGN_CONFIG_DIR": str(folder),
        "PYTHONPATH": str(Path(__file__).resolve().parents[1]),
    }

    def run(*words: str) -> None:
        command = [sys.executable, "-c", PROGRAM, *words]
        subprocess.run(command, env=environ, cwd=folder, check=True, stdout=subprocess.DEVNULL)

    ours = median(lambda: run("status", "largest"))
    theirs = median(lambda: run("lpad", "report"), 1)
    print(
        f"the commands: status {ours:.2f} s, lpad report {theirs:.2f} s; {theirs / ours:.1f} times"
    )


def median(call: Callable[[], object], repeats: int = REPEATS) -> float:
    """Return the median time of a call in seconds."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


if __name__ == "__main__":
    main()
