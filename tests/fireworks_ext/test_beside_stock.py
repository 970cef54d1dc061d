"""Our workers and FireWorks' own `rlaunch rapidfire` side by side, and `lpad` on what they did."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import documentdb_listener
import pytest
import stock_fireworks
from consistency import assert_consistent

from runner.fireworks_cli import write_description

pytestmark = pytest.mark.slow  # 15 s each

PLUGINS = Path(__file__).parents[1] / "plugins"
SPEC = """
version: 1
campaign: beside
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg, Ca, Sr, Ba], X: [S, Se, Te, Po]}
stages:
  relax: {engine: toy, task: relax, seconds: 0.1}
  left: {engine: toy, task: scf, structure: relax, seconds: 0.1}
  right: {engine: toy, task: scf, structure: relax, x: 2.0, when: relax.value > 0}
  join: {engine: toy, task: scf, structure: relax, x: 3.0, when: left.value > 0 and right.value > 0}
  never: {engine: toy, task: scf, structure: relax, x: 4.0, when: left.value < 0}
"""
CANDIDATES, COMPUTED = 16, 4
LONGEST_S = 120.0


@pytest.fixture(params=["embedded", "mongodb"])
def run(request: pytest.FixtureRequest, bench: Any) -> Any:
    if request.param != "embedded":
        bench.store = request.getfixturevalue(request.param)
    return bench.prepare(SPEC)


def rlaunch(bench: Any, run: Any) -> list[str]:
    """Return the command of FireWorks' own worker; it cannot open a file, so that is opened."""
    if bench.store is None:
        return [sys.executable, str(PLUGINS / "stock_fireworks.py"), run.store.location, "beside"]
    description = bench.folder / "my_launchpad.yaml"
    write_description(run.store.launchpad, description)
    fworker = bench.folder / "my_fworker.yaml"
    query = json.dumps({"spec.campaign": "beside"})
    fworker.write_text(f"category: ''\nname: {stock_fireworks.STOCK}\nquery: '{query}'\n")
    program = [str(Path(sys.executable).with_name("rlaunch")), "-l", str(description)]
    return [*program, "-w", str(fworker), "rapidfire", "--nlaunches", "infinite", "--sleep", "1"]


@contextmanager
def running(bench: Any, name: str, command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program in a folder of its own, until the body ends."""
    folder = bench.folder / name
    folder.mkdir()
    environ = {**os.environ, **bench.environ}
    if name == "rlaunch":  # what stock FireWorks sends is not ours to judge
        environ.pop(documentdb_listener.FILE, None)
    with (folder / "said.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environ, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30.0)


def until(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + LONGEST_S
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def launched_by_stock(store: Any) -> int:
    return int(store.launches.count_documents({"fworker.name": stock_fireworks.STOCK}))


def lpad(bench: Any, run: Any, *commands: str) -> list[str]:
    """Run commands of `lpad` in a process of their own; return what each printed."""
    environ = {**os.environ, **bench.environ}
    environ.pop(documentdb_listener.FILE, None)
    if bench.store is not None:
        description = bench.folder / "my_launchpad.yaml"
        write_description(run.store.launchpad, description)
        program = [sys.executable, str(PLUGINS / "lpad_session.py"), str(description)]
        words = json.dumps([command.split() for command in commands])
        printed = subprocess.run(
            program, input=words, env=environ, stdout=subprocess.PIPE, text=True, check=True
        ).stdout
        answers = json.loads(printed.splitlines()[-1])
        assert not [one for one in answers if "error" in one], answers
        return [one["printed"] for one in answers]
    main = "from runner.cli import main; main()"
    return [
        subprocess.run(
            [sys.executable, "-c", main, "lpad", *command.split()],
            env=environ,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout
        for command in commands
    ]


def settled(store: Any) -> bool:
    """Tell whether all is written down: FireWorks writes a workflow after its fireworks."""
    going = {"$or": [{"state": {"$ne": "COMPLETED"}}, {"locked": {"$exists": True}}]}
    return store.workflows.find_one(going, {"_id": 1}) is None


def entries(store: Any) -> Counter[tuple[str, str]]:
    return Counter((place[1], state) for place, state in stock_fireworks.entries(store).items())


def test_two_of_ours_and_one_of_fireworks_compute_each_stage_once(bench: Any, run: Any) -> None:
    store = run.store
    ours = [sys.executable, str(PLUGINS / "lone_worker.py"), store.location]
    with running(bench, "rlaunch", rlaunch(bench, run)):
        until(lambda: launched_by_stock(store))
        with (
            running(bench, "one", [*ours, str(bench.folder / "one"), "beside"]),
            running(bench, "two", [*ours, str(bench.folder / "two"), "beside"]),
        ):
            until(lambda: settled(store))
    assert entries(store) == {
        **{(stage, "ok"): CANDIDATES for stage in ("relax", "left", "right", "join")},
        ("never", "skipped"): CANDIDATES,
    }
    attempts = list(store.attempts.find({}))
    assert Counter(one["outcome"] for one in attempts) == {"ok": COMPUTED * CANDIDATES}
    assert set(Counter(one["key"] for one in attempts).values()) == {1}
    assert len({one["worker"] for one in attempts}) == 3
    assert_consistent(store)
    _steer(bench, run)


def _steer(bench: Any, run: Any) -> None:
    """See that `lpad` shows and does what it says, on what was done by both."""
    store = run.store
    mine = {
        one["spec"]["stage"]: one["fw_id"]
        for one in store.fireworks.find({"spec.order.formula": "MgS"})
    }
    shown, counted, workflow, report = lpad(
        bench,
        run,
        f"get_fws -i {mine['join']}",
        "get_fws -s COMPLETED -d count",
        f"get_wflows -i {mine['join']} -d more",
        "report",
    )
    assert json.loads(shown)["state"] == "COMPLETED"
    assert int(counted) == (COMPUTED + 1) * CANDIDATES
    assert set(json.loads(workflow)["states"].values()) == {"COMPLETED"}
    assert f"total : {(COMPUTED + 1) * CANDIDATES}" in report

    lpad(bench, run, f"rerun_fws -i {mine['left']}")
    assert _states(run, "join", "never", "left") == ["WAITING", "WAITING", "READY"]
    lpad(bench, run, f"pause_fws -i {mine['left']}")
    bench.work_off(run)
    assert _states(run, "left") == ["PAUSED"]
    lpad(bench, run, f"resume_fws -i {mine['left']}")
    bench.work_off(run)
    assert _states(run, "join", "never", "left") == ["COMPLETED"] * 3
    # What is known by its key is not computed again.
    assert store.attempts.count_documents({}) == COMPUTED * CANDIDATES
    assert_consistent(store)

    every = ",".join(str(one) for one in mine.values())
    lpad(bench, run, f"rerun_fws -i {mine['relax']}", f"defuse_fws -i {every}")
    bench.work_off(run)
    assert set(_states(run, *mine)) == {"DEFUSED"}
    assert store.workflows.find_one({"nodes": mine["relax"]})["state"] == "DEFUSED"
    lpad(bench, run, f"reignite_wflows -i {mine['relax']}")
    bench.work_off(run)
    assert set(_states(run, *mine)) == {"COMPLETED"}

    # FireWorks 2.1.4 wired this one to `pause_wflows`.
    lpad(bench, run, f"rerun_fws -i {mine['relax']}", f"defuse_wflows -i {mine['relax']}")
    bench.work_off(run)
    assert set(_states(run, *mine)) == {"PAUSED"}
    lpad(bench, run, f"resume_fws -i {every}")
    bench.work_off(run)
    assert set(_states(run, *mine)) == {"COMPLETED"}
    assert store.attempts.count_documents({}) == COMPUTED * CANDIDATES
    assert_consistent(store)


def _states(run: Any, *stages: str) -> list[str]:
    found = stock_fireworks.states(run.store)
    return [found["MgS", stage] for stage in stages]
