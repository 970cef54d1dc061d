"""Time the embedded store against mongomock in memory, on the same documents, in the same run.

    python benchmarks/embedded_store.py [--normal] [--sizes 1000 5000] [--only-ours]

`--normal` gives up the survival of power cuts (see EmbeddedClient). Absolute times depend on the
machine; the ratios are what to compare. mongomock needs minutes for 5000 fireworks.
"""

import argparse
import contextlib
import io
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mongomock
from fireworks import Firework, FWorker, LaunchPad, Workflow
from fireworks.core.rocket_launcher import rapidfire
from fireworks.user_objects.firetasks.script_task import PyTask
from pymongo import DESCENDING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from fireworks_ext.embedded import EmbeddedClient

LAUNCHES = 20


def timed(repeats: int, work: Callable[[int], Any]) -> float:
    """Return milliseconds for one call."""
    started = time.perf_counter()
    for number in range(repeats):
        work(number)
    return (time.perf_counter() - started) / repeats * 1000


def measure(client: Any, size: int, directory: Path) -> dict[str, float]:
    """Return milliseconds per operation with `size` fireworks in the store."""
    import fireworks.core.launchpad as module

    module.MongoClient = lambda *_, **__: client
    launchpad = LaunchPad(name="benchmark", strm_lvl="ERROR")
    launchpad.reset("", require_password=False)
    task = PyTask(func="builtins.abs", args=[-1])
    workflows = [Workflow([Firework(task, {"x": "y" * 500})]) for _ in range(size)]
    started = time.perf_counter()
    with contextlib.redirect_stderr(io.StringIO()):  # its progress bar
        launchpad.bulk_add_wfs(workflows)
    result = {"bulk insert /fw": (time.perf_counter() - started) / size * 1000}
    repeats = 200 if isinstance(client, EmbeddedClient) else 20
    fws = launchpad.fireworks
    step = max(size // repeats, 1)
    result["find_one fw_id"] = timed(repeats, lambda i: fws.find_one({"fw_id": 1 + i * step}))
    result["f1&update fw_id"] = timed(
        repeats,
        lambda i: fws.find_one_and_update({"fw_id": 1 + i * step}, {"$set": {"spec.z": i}}),
    )
    result["checkout f1&update"] = timed(
        repeats,
        lambda _: fws.find_one_and_update(
            {"state": "READY"},
            {"$set": {"state": "RESERVED"}},
            sort=[("spec._priority", DESCENDING)],
        ),
    )
    result["WFLock f1&update nodes"] = timed(
        repeats,
        lambda i: launchpad.workflows.find_one_and_update(
            {"nodes": 1 + i * step, "locked": {"$exists": False}}, {"$set": {"x": i}}
        ),
    )
    counter = launchpad.fw_id_assigner
    result["id counter"] = timed(
        repeats, lambda _: counter.find_one_and_update({}, {"$inc": {"next_launch_id": 1}})
    )
    result["count READY"] = timed(repeats // 10, lambda _: fws.count_documents({"state": "READY"}))
    result["add_wf"] = timed(repeats // 4, lambda i: launchpad.add_wf(workflows_of(task, i)))
    os.chdir(directory)
    rapidfire(launchpad, FWorker(), m_dir=str(directory), nlaunches=1, strm_lvl="ERROR")  # loads
    started = time.perf_counter()
    rapidfire(launchpad, FWorker(), m_dir=str(directory), nlaunches=LAUNCHES, strm_lvl="ERROR")
    result["rapidfire /launch"] = (time.perf_counter() - started) / LAUNCHES * 1000
    return result


def workflows_of(task: PyTask, number: int) -> Workflow:
    """Return a workflow of one firework."""
    return Workflow([Firework(task, {"number": number})])


def main() -> None:
    """Print one table for each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--normal", action="store_true")
    parser.add_argument("--only-ours", action="store_true")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 5000])
    arguments = parser.parse_args()
    logging.disable(logging.INFO)
    durability = "NORMAL" if arguments.normal else "FULL"
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory() as temporary:
            directory = Path(temporary)
            client = EmbeddedClient(directory / "store.db", durability)
            ours = measure(client, size, directory)
            theirs = (
                {} if arguments.only_ours else measure(mongomock.MongoClient(), size, directory)
            )
            os.chdir("/")
            file_mb = (directory / "store.db").stat().st_size / 1e6
        print(f"{size} fireworks, synchronous={durability}, file {file_mb:.1f} MB, milliseconds:")
        for name, value in ours.items():
            other = theirs.get(name)
            ratio = "" if other is None else f"{other:10.2f} in memory {other / value:8.1f} x"
            print(f"  {name:24}{value:8.3f}{ratio}")


if __name__ == "__main__":
    main()
