"""A campaign is rehearsed with every failure: what can be repaired is, the rest is named right.

`MATCAMPAIGN_REHEARSAL` sets how many calculations (default 60; `make bars` takes 500).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

CALCULATIONS = int(os.environ.get("MATCAMPAIGN_REHEARSAL", "60"))
LONGEST_RUN_S = 60.0 + 3.0 * CALCULATIONS
OK, SETTLED_WITH_FAILURES = 0, 3
STAGES = ("relax", "scf")

SPEC = """
version: 1
campaign: rehearsed
space:
  - kind: structures
    files: [cells.json]
defaults:
  rehearsal:
    kmesh: [2, 2, 2]
    time_scale: 0
    failures: FAILURES
    again: 0.3
stages:
  relax: {engine: rehearsal, task: vc-relax}
  scf: {engine: rehearsal, task: scf, structure: relax}
run:
  launcher: {kind: local, slots: 2}
"""


def test_a_rehearsed_campaign_with_repairable_failures_ends_all_ok(tmp_path: Path) -> None:
    code, store = run(tmp_path, {"all": 0.3})
    stages = by_stage(store)
    assert {entry["state"] for entry in stages.values()} == {"ok"}
    assert len(stages) == CALCULATIONS
    assert code == OK
    met = [name for names in meetings(tmp_path).values() for name in names]
    # Five standard deviations of a binomial, around 30%.
    assert len(met) > CALCULATIONS * 0.3 - 5 * (CALCULATIONS * 0.21) ** 0.5
    told = {
        correction["failure"]
        for result in store.results.find({})
        for correction in result["recovery"]
    }
    continued = {one["failure"] for one in store.attempts.find({"outcome": "interrupted"})}
    assert told | continued == set(met)
    check_that_nothing_was_lost_or_ran_twice(tmp_path, store)


def test_unrepairable_failures_and_only_those_end_failed_under_their_own_names(
    tmp_path: Path,
) -> None:
    code, store = run(tmp_path, {"all": 0.3, "unrepairable": 0.15})
    injected = left_over(tmp_path)
    assert injected
    failed = {
        entry["key"]: entry["failure"]
        for entry in by_stage(store).values()
        if entry["state"] == "failed"
    }
    assert failed == injected
    for member in store.candidates.find({"member": True}):
        relax, scf = (member["stages"][stage]["state"] for stage in STAGES)
        assert (relax, scf) in {("ok", "ok"), ("ok", "failed"), ("failed", "blocked")}
    assert code == SETTLED_WITH_FAILURES
    check_that_nothing_was_lost_or_ran_twice(tmp_path, store)


def run(folder: Path, failures: dict[str, float]) -> tuple[int, Any]:
    """Run a campaign in processes of its own; return its exit code and its store."""
    from fireworks_ext.store import open_store

    (folder / "cells.json").write_text(json.dumps(cells(CALCULATIONS // len(STAGES))))
    spec = folder / "spec.yaml"
    spec.write_text(SPEC.replace("FAILURES", json.dumps(failures)))
    environ = {
        **os.environ,
        "MATCAMPAIGN_DATA_DIR": str(folder / "data"),
        "MATCAMPAIGN_CONFIG_DIR": str(folder / "config"),
        "PATH": str(folder),  # no pw.x
    }
    command = [sys.executable, "-c", "from runner.cli import main; main()", "run", str(spec)]
    with (folder / "run.txt").open("wb") as output:
        process = subprocess.Popen(command, env=environ, stdout=output, stderr=subprocess.STDOUT)
    try:
        code = process.wait(LONGEST_RUN_S)
    except subprocess.TimeoutExpired:
        process.terminate()
        process.wait()
        pytest.fail((folder / "run.txt").read_text())
    assert "Traceback" not in (folder / "run.txt").read_text()
    return code, open_store(str(folder / "data" / "store.db"))


def cells(number: int) -> list[dict[str, Any]]:
    """Return rock salt at so many lattice constants."""
    return [
        {
            "lattice_ang": [[0.0, half, half], [half, 0.0, half], [half, half, 0.0]],
            "species": ["Na", "Cl"],
            "frac_coords": [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]],
        }
        for half in (2.5 + 0.002 * n for n in range(number))
    ]


def by_stage(store: Any) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (member["id"], stage): entry
        for member in store.candidates.find({"member": True})
        for stage, entry in member["stages"].items()
    }


def scripts(folder: Path) -> list[Path]:
    return sorted((folder / "data" / "artefacts").glob("*/*/*/rehearsal.json"))


def meetings(folder: Path) -> dict[str, list[str]]:
    """Return, by key, the failures that were really played."""
    played: dict[str, list[str]] = {}
    for script in scripts(folder):
        lines = (script.parent / "rehearsal-played.txt").read_text().split()
        played.setdefault(script.parent.parent.name, []).extend(
            name for name in dict.fromkeys(lines) if name != "-"
        )
    return played


def left_over(folder: Path) -> dict[str, str]:
    """Return, by key, the failures that were injected and that nothing repairs."""
    return {
        script.parent.parent.name: failure["name"]
        for script in scripts(folder)
        for failure in json.loads(script.read_text())["failures"]
        if not failure["repairable"]
    }


def check_that_nothing_was_lost_or_ran_twice(folder: Path, store: Any) -> None:
    attempts = list(store.attempts.find({}))
    outcomes: dict[str, Counter[str]] = {}
    for attempt in attempts:
        outcomes.setdefault(attempt["key"], Counter())[attempt["outcome"]] += 1
    for entry in by_stage(store).values():
        if entry["state"] == "blocked":
            assert entry["key"] not in outcomes
            continue
        ended = outcomes[entry["key"]]
        assert ended[entry["state"]] == 1
        assert set(ended) <= {entry["state"], "interrupted"}
    worked = Counter(
        script.parent.parent.name
        for script in scripts(folder)
        for name in (script.parent / "rehearsal-played.txt").read_text().split()
        if name == "-"
    )
    results = {one["key"] for one in store.results.find({}, {"key": 1})}
    assert worked == Counter(results), "a calculation that worked was started again, or was lost"
