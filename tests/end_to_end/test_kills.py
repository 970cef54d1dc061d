"""A screening campaign on the real pw.x is killed again and again, and every time it goes on.

`MATCAMPAIGN_KILLS` sets how many kills (default 4; `make bars` takes 20), `MATCAMPAIGN_SEED` when.
Kills take turns: everything at once, as when a machine loses power, and only our own processes, so
that the programs that they started live on.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

KILLS = int(os.environ.get("MATCAMPAIGN_KILLS", "4"))
SEED = int(os.environ.get("MATCAMPAIGN_SEED", "1"))
LONGEST_RUN_S = 600.0
KILL_BETWEEN_S = (1.0, 16.0)
"""From before the first firework is submitted to the middle of the calculations."""

SPEC = """
version: 1
campaign: kills
seed: 1
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Ca, Sr, Na], X: [S, Se, Te]}
filters:
  - {score: charge-neutral, keep: charge_neutral}
defaults:
  espresso: {protocol: fast, pseudopotentials: gth-pbe, kspacing_per_ang: 0.6}
stages:
  relax: {engine: espresso, task: vc-relax, ecutwfc_ry: 24}
  final: {engine: espresso, task: scf, structure: relax, ecutwfc_ry: 30,
          when: relax.volume_ang3_per_atom > 1}
run:
  launcher: {kind: local, slots: 2}
  codes: {pw: {command: WRAPPER}}
"""
WRAPPER = """#!/bin/bash
# Logs every start and every good end of pw.x by its run directory.
echo "start $PWD" >> LOG
pw.x "$@"
code=$?
[ $code -eq 0 ] && echo "end $PWD" >> LOG
exit $code
"""


@pytest.mark.pw
@pytest.mark.slow
def test_a_campaign_that_is_killed_again_and_again_finishes_everything_once(
    tmp_path: Path,
) -> None:
    spec, log = _prepare(tmp_path)
    environ = {
        **os.environ,
        "MATCAMPAIGN_DATA_DIR": str(tmp_path / "data"),
        "MATCAMPAIGN_CONFIG_DIR": str(tmp_path / "config"),
    }
    rng = random.Random(SEED)
    for number in range(KILLS):
        process = _start(spec, environ, tmp_path / f"run-{number}.txt")
        try:
            process.wait(rng.uniform(*KILL_BETWEEN_S))
        except subprocess.TimeoutExpired:
            _kill(tmp_path, everything=number % 2 == 0)
        process.wait(LONGEST_RUN_S)
    last = _start(spec, environ, tmp_path / "run-last.txt")
    assert last.wait(LONGEST_RUN_S) == 0, (tmp_path / "run-last.txt").read_text()

    _check_ledger(tmp_path)
    ends = Counter(line.split()[1] for line in log.read_text().splitlines() if line[:3] == "end")
    by_key = Counter(Path(folder).parent.name for folder in ends.elements())
    assert set(by_key.values()) == {1}, "a key was computed to its end twice"
    assert len(by_key) == 12
    assert not [one for one in _processes(tmp_path) if one.is_running()]


def _prepare(folder: Path) -> tuple[Path, Path]:
    log = folder / "pw.log"
    log.touch()
    wrapper = folder / "pw-logged"
    wrapper.write_text(WRAPPER.replace("LOG", str(log)))
    wrapper.chmod(0o755)
    spec = folder / "spec.yaml"
    spec.write_text(SPEC.replace("WRAPPER", str(wrapper)))
    return spec, log


def _start(spec: Path, environ: dict[str, str], output: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", "from runner.cli import main; main()", "run", str(spec)]
    with output.open("wb") as file:
        return subprocess.Popen(command, env=environ, stdout=file, stderr=subprocess.STDOUT)


def _processes(folder: Path) -> list[psutil.Process]:
    """Return the processes of this test's campaign: by their environment, which they inherit."""
    found = []
    for process in psutil.process_iter():
        try:
            mine = process.environ().get("MATCAMPAIGN_DATA_DIR") == str(folder / "data")
        except (psutil.Error, OSError):
            continue
        if mine and process.status() != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def _kill(folder: Path, *, everything: bool) -> None:
    for process in _processes(folder):
        try:
            if everything or "python" in process.name():
                process.send_signal(signal.SIGKILL)
        except psutil.Error:
            continue
    time.sleep(0.1)


def _check_ledger(folder: Path) -> None:
    from fireworks_ext.store import open_store

    store = open_store(str(folder / "data" / "store.db"))
    members = list(store.candidates.find({"member": True}))
    assert len(members) == 6
    for member in members:
        assert [entry["state"] for entry in member["stages"].values()] == ["ok", "ok"]
    assert {one["state"] for one in store.workflows.find({})} == {"COMPLETED"}
    assert {one["state"] for one in store.fireworks.find({})} == {"COMPLETED"}
    assert store.workflows.count_documents({"locked": {"$exists": True}}) == 0
    assert store.results.count_documents({}) == 12
    assert store.attempts.count_documents({"outcome": "running"}) == 0
