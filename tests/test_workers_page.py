"""Every example of docs/workers.md is carried out, word by word, with a small campaign."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from consistency import assert_consistent

PAGE = (Path(__file__).parents[1] / "docs" / "workers.md").read_text("utf-8")
SPEC = """
version: 1
campaign: sulfides
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg, Ca], X: [S]}
stages:
  relax: {engine: toy, task: relax, seconds: 0.2}
  gap: {engine: toy, task: scf, structure: relax}
run: {launcher: {kind: local, slots: 1}}
"""
LONGEST_S = 60.0
WORKER = "worker-node7+4711+8815"


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def commands(title: str) -> list[str]:
    return re.findall(r"^\$ (.*)$", section(title), re.MULTILINE)


class Shell:
    """Somebody at a command line, whose home is the bench's folder."""

    def __init__(self, bench: Any, store: str) -> None:
        self.bench, self.folder = bench, bench.folder
        self.environ = {
            **{name: value for name, value in os.environ.items() if "MATCAMPAIGN_" not in name},
            "HOME": str(self.folder),
            "XDG_DATA_HOME": str(self.folder / ".local/share"),
            "XDG_CONFIG_HOME": str(self.folder / ".config"),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        profiles = self.folder / ".config/matcampaign/profiles"
        profiles.mkdir(parents=True)
        (profiles / "lab.yaml").write_text(f"store: {store}\n")
        (profiles.parent / "settings.yaml").write_text(f"store: {store}\n")
        (self.folder / "sulfides.yaml").write_text(SPEC)
        self.data = self.folder / ".local/share/matcampaign"

    def start(self, line: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["sh", "-c", line],
            cwd=self.folder,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def submit(self) -> Any:
        """Submit the campaign from this process, and run nothing."""
        from runner.controller import Run
        from runner.load import load
        from runner.place import place_of

        loaded = load(self.folder / "sulfides.yaml")
        folders = {
            "MATCAMPAIGN_DATA_DIR": str(self.data),
            "MATCAMPAIGN_CONFIG_DIR": str(self.folder / ".config/matcampaign"),
        }
        run = Run(loaded, place_of(loaded, environ=folders))
        run.prepare()
        return run


@pytest.fixture
def shell(bench: Any, mongodb: str) -> Shell:
    return Shell(bench, mongodb)


def done(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, err = process.communicate(timeout=LONGEST_S)
    assert "Traceback" not in err
    return process.returncode, out + err


def until(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + LONGEST_S
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def states(run: Any) -> Counter[str]:
    return Counter(
        entry["state"] for one in run.store.candidates.find({}) for entry in one["stages"].values()
    )


@pytest.mark.slow  # 12 s
def test_one_machine_controls_and_another_joins(shell: Shell) -> None:
    control, join = commands("Further machines")
    controller = shell.start(control)
    until((shell.data / "artefacts").exists)
    worker = shell.start(join)
    assert done(controller)[0] == 0
    assert done(worker) == (0, "")
    run = shell.submit()
    assert states(run) == {"ok": 4}
    assert run.store.attempts.count_documents({}) == 4
    assert_consistent(run.store)


@pytest.mark.slow  # 9 s
def test_a_job_of_a_batch_system_is_a_worker(shell: Shell) -> None:
    (script,) = re.findall(
        r"^```sh\n(.*?)^```$", section("Further machines"), re.MULTILINE | re.DOTALL
    )
    run = shell.submit()
    assert done(shell.start(script)) == (0, "")
    assert states(run) == {"ok": 4}


@pytest.mark.slow  # 8 s
def test_stages_go_to_compute_nodes_as_files(shell: Shell) -> None:
    hand_over, offline, ingest = commands("Compute nodes without a database")
    run = shell.submit()
    waiting = shell.start(hand_over)
    until(lambda: len(list((shell.folder / "travel").glob("*/stage.json"))) == 2)
    nowhere = {**shell.environ, "MATCAMPAIGN_STORE": "mongodb://127.0.0.1:1/nowhere"}
    shell.environ, at_home = nowhere, shell.environ
    assert done(shell.start(offline))[0] == 0
    shell.environ = at_home
    assert done(waiting)[0] == 0
    assert states(run) == {"ok": 2, "ready": 2}
    assert done(shell.start(hand_over.removesuffix(" --wait")))[0] == 0
    assert done(shell.start(offline))[0] == 0
    assert done(shell.start(ingest)) == (0, "2 stages ended: 2 known\n")
    assert states(run) == {"ok": 4}
    assert_consistent(run.store)


@pytest.mark.slow  # 5 s
def test_what_a_worker_could_not_deliver_is_delivered_by_hand(shell: Shell) -> None:
    from fireworks_ext.folders.offline import stages
    from fireworks_ext.worker.outbox import keep
    from runner import workers

    (ingest,) = commands("When the database is away")
    run = shell.submit()
    workers.hand_over(run.store, "sulfides", shell.folder / "travel", 2)
    ended: list[Any] = []
    workers.work_offline(shell.folder / "travel", ended.append)
    assert len(stages(shell.folder / "travel")) == 2
    for one in ended:
        keep(shell.data / "launches" / WORKER, one)
    assert done(shell.start(ingest)) == (0, "2 stages ended: 2 known\n")
    assert states(run) == {"ok": 2, "ready": 2}


def test_the_files_of_the_table_are_those_that_are_written() -> None:
    from fireworks_ext.artefacts import ORDER, OUTCOME
    from fireworks_ext.folders.claims import PREFIX
    from fireworks_ext.folders.offline import RESULT, STAGE
    from fireworks_ext.processes import Process
    from fireworks_ext.worker.loop import folder_name

    listed = set(re.findall(r"`([a-zA-Z-]+[1-9]?(?:\.json|\.log)?)`", section("Files")))
    assert {ORDER, OUTCOME, RESULT, STAGE, f"{PREFIX}1", "FIREWORK-LAUNCH.json"} <= listed
    assert folder_name(Process(host="node7", pid=4711, started=8815)) == WORKER
    assert WORKER in PAGE
