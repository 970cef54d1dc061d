"""FireWorks' own `lpad`, unchanged, on workflows of ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import documentdb_listener
import pytest
from consistency import assert_consistent
from fireworks import FWorker

pytestmark = pytest.mark.slow  # a few seconds each

NOT_ON_FERRET = {"report": "$substr", "detect_lostruns --rerun": "unknown operator: state"}
A_DAY = timedelta(days=1)
SPEC = """
version: 1
campaign: steered
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg, Ca], X: [S, Se]}
stages:
  relax: {engine: toy, task: relax}
  gap: {engine: toy, task: scf, structure: relax}
"""


class Stock:
    """Stock `lpad` on the bench's store."""

    def __init__(self, bench: Any, uri: str, *, is_ferret: bool) -> None:
        from runner.fireworks_cli import write_description

        bench.store = uri
        self.bench = bench
        self.is_ferret = is_ferret
        self.run = bench.prepare(SPEC)
        self.store = self.run.store
        self._file = bench.folder / "my_launchpad.yaml"
        write_description(self.run.store.launchpad, self._file)

    def __call__(self, *commands: str) -> list[dict[str, str]]:
        """Run commands in one process; return what each printed, or its error."""
        script = Path(__file__).parents[1] / "plugins/lpad_session.py"
        # What stock FireWorks sends is not ours to judge.
        unseen = {
            name: value for name, value in os.environ.items() if name != documentdb_listener.FILE
        }
        done = subprocess.run(
            [sys.executable, script, self._file],
            input=json.dumps([command.split() for command in commands]),
            env=unseen,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        found: list[dict[str, str]] = json.loads(done.stdout.splitlines()[-1])
        return found

    def settle(self) -> None:
        """Run the campaign to its end, and see that the store is as it should be."""
        status = self.bench.run(SPEC)
        assert not status.unsettled
        assert_consistent(self.store)


@pytest.fixture
def stock(bench: Any, any_server: str, request: pytest.FixtureRequest) -> Stock:
    return Stock(bench, any_server, is_ferret="ferret" in request.node.name)


def test_it_lists_and_counts_what_was_submitted(stock: Stock) -> None:
    asked = ["get_fws -d count", "get_wflows -d count", "get_fws -i 1", "get_wflows -i 1", "report"]
    fireworks, workflows, firework, workflow, report = stock(*asked)
    assert (fireworks["printed"], workflows["printed"]) == ("8\n", "4\n")
    assert json.loads(firework["printed"])["state"] == "READY"
    assert json.loads(workflow["printed"])["states_list"] == "REA-W"
    if stock.is_ferret:
        assert NOT_ON_FERRET["report"] in report["error"]
    else:
        assert "total : 8" in report["printed"]


def test_what_is_paused_defused_and_deleted_by_it_is_computed_in_the_end(stock: Stock) -> None:
    look = "get_fws -i 1"
    steps = ["pause_fws -i 1", look, "resume_fws -i 1", look, "defuse_fws -i 1", look]
    steps += ["reignite_fws -i 1", look, "pause_wflows -i 3", "get_fws -i 4", "resume_fws -i 3,4"]
    steps += ["delete_wflows -i 5", "get_fws -d count"]
    answers = stock(*steps)
    assert not [one for one in answers if "error" in one]
    seen = [answers[step]["printed"] for step in (1, 3, 5, 7, 9)]
    states = [json.loads(one)["state"] for one in seen]
    assert states == ["PAUSED", "READY", "DEFUSED", "READY", "PAUSED"]
    assert answers[-1]["printed"] == "6\n"
    stock.settle()
    assert len(stock.bench.computed) == 8


def test_what_it_reruns_is_computed_again(stock: Stock) -> None:
    stock.settle()
    rerun, parent, child = stock("rerun_fws -i 1", "get_fws -i 1", "get_fws -i 2")
    assert "error" not in rerun
    states = [json.loads(one["printed"])["state"] for one in (parent, child)]
    assert states == ["READY", "WAITING"]
    stock.settle()


def test_it_frees_locks_and_finds_runs_that_are_lost(stock: Stock) -> None:
    lost = stock.store.launchpad.checkout_fw(FWorker(), str(stock.bench.folder), fw_id=1)[1]
    long_ago = (datetime.now(UTC).replace(tzinfo=None) - A_DAY).isoformat()
    launch = stock.store.launches.find_one({"launch_id": lost})
    for entry in launch["state_history"]:
        entry.update(created_on=long_ago, updated_on=long_ago)
    history = {"state_history": launch["state_history"]}
    stock.store.launches.update_one({"launch_id": lost}, {"$set": history})
    stock.store.workflows.update_one({"nodes": 3}, {"$set": {"locked": True}})
    unlock, find = stock("admin unlock -i 3", "detect_lostruns --rerun")
    assert "error" not in unlock
    assert "locked" not in stock.store.workflows.find_one({"nodes": 3})
    if stock.is_ferret:
        assert NOT_ON_FERRET["detect_lostruns --rerun"] in find["error"]
        return
    assert "Lost FireWorks: 1" in find["printed"]
    assert stock.store.fireworks.find_one({"fw_id": 1})["state"] == "READY"
    stock.settle()
