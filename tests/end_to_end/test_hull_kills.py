"""A campaign with an analysis in real processes, killed again and again: it ends, all once."""

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
from consistency import assert_consistent

SPEC = """
version: 1
campaign: hull-kills
space:
  - {kind: prototype, prototype: fcc, species: {A: [Mg, Al, Ti]}, lattice_ang: 4.2}
  - {kind: prototype, prototype: rocksalt, species: {A: [Mg, Ti], X: [Al]}, lattice_ang: 5.0}
  - {kind: prototype, prototype: cesium-chloride, species: {A: [Mg, Ti], X: [Al]}, lattice_ang: 3.3}
stages:
  scf: {engine: toy, task: scf, x: -1.0, seconds: 0.2}
  hull: {analysis: hull, over: campaign, of: scf, energy: value}
  bands: {engine: toy, task: scf, x: 3.0, seconds: 0.2, when: hull.above_hull_ev_per_atom < 1}
  again: {analysis: hull, over: campaign, of: bands, energy: value}
  last: {engine: toy, task: scf, x: 4.0, when: again.on_hull is not null}
run: {launcher: {kind: local, slots: 2}}
"""
KILLS = 5
BETWEEN_S = (2.0, 6.0)
LONGEST_RUN_S = 120.0


@pytest.mark.slow
def test_a_campaign_with_analyses_that_is_killed_ends_as_one_that_is_not(tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC)
    log = tmp_path / "toy.log"
    environ = {
        **os.environ,
        "MATCAMPAIGN_DATA_DIR": str(tmp_path / "data"),
        "MATCAMPAIGN_CONFIG_DIR": str(tmp_path / "config"),
        "TOY_LOG": str(log),
    }
    command = [sys.executable, "-c", "from runner.cli import main; main()", "run", str(spec)]
    rng = random.Random(1)
    for _ in range(KILLS):
        with subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL) as process:
            try:
                process.wait(rng.uniform(*BETWEEN_S))
            except subprocess.TimeoutExpired:
                _kill(tmp_path)
    done = subprocess.run(
        command, env=environ, check=False, capture_output=True, text=True, timeout=LONGEST_RUN_S
    )
    assert done.returncode == 0, done.stdout + done.stderr

    from fireworks_ext.store import open_store

    store = open_store(str(tmp_path / "data" / "store.db"))
    assert_consistent(store)
    states = Counter(
        (stage, entry["state"])
        for member in store.candidates.find({"member": True})
        for stage, entry in member["stages"].items()
    )
    assert (states["scf", "ok"], states["hull", "ok"]) == (7, 7)
    passed = states["bands", "ok"]
    assert 0 < passed < 7
    assert states["bands", "skipped"] == states["again", "skipped"] == 7 - passed
    assert states["again", "ok"] == passed
    ends = Counter(line.split()[1] for line in log.read_text().splitlines() if line[:3] == "end")
    assert set(Counter(Path(folder).parent.name for folder in ends.elements()).values()) == {1}


def _kill(folder: Path) -> None:
    """Kill everything of this test's campaign, as when a machine loses power."""
    for process in psutil.process_iter():
        try:
            if process.environ().get("MATCAMPAIGN_DATA_DIR") == str(folder / "data"):
                process.send_signal(signal.SIGKILL)
        except (psutil.Error, OSError):
            continue
    time.sleep(0.1)
