"""The real pw.x in jobs: several side by side, and one that outlasts its job."""

from __future__ import annotations

import json
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from cluster_bench import Cluster
from consistency import assert_consistent

LOGGED = """#!/bin/bash
# Logs which cores a run of pw.x has, from when to when.
cores=$(grep Cpus_allowed_list /proc/self/status | cut -f2)
began=$EPOCHREALTIME
pw.x "$@"
code=$?
echo "$cores $began $EPOCHREALTIME" >> LOG
exit $code
"""
CELLS = """
version: 1
campaign: cells
space:
  - {kind: structures, files: [cells.json]}
stages:
  only:
    engine: espresso
    task: TASK
    protocol: balanced
    pseudopotentials: debian-pbe
    smearing: none
    SETTINGS
run:
  codes: {pw: {command: PROGRAM}}
"""
HALTING = """#!/bin/bash
# pw.x, whose first relaxation halts after a step until its job wants it to stop.
pw.x "$@" &
program=$!
while kill -0 $program 2>/dev/null; do
    if grep -q 'number of bfgs steps *= *1' pw.out && mkdir MARK 2>/dev/null; then
        kill -STOP $program
        until compgen -G '*/*.EXIT' >/dev/null; do sleep 0.1; done
        kill -CONT $program
    fi
    sleep 0.1
done
wait $program
"""
MANY = 8
SITES = (
    *((0.0, 0.0, 0.0), (0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0)),
    *((0.25, 0.25, 0.25), (0.25, 0.75, 0.75), (0.75, 0.25, 0.75), (0.75, 0.75, 0.25)),
)
A_ANG = 5.43
LARGEST_SHIFT = 0.025  # of the lattice constant
RELAXATION = """ecutwfc_ry: 12
    ecutrho_ry: 48
    kmesh: [2, 2, 2]
    fmax_ev_per_ang: 5.0e-4
    energy_tolerance_ev_per_atom: 1.0e-6
    conv_thr_ry_per_atom: 1.0e-10"""


def write(
    cluster: Cluster,
    script: str,
    cells: list[dict[str, Any]],
    task: str,
    params: str,
    **settings: Any,
) -> Path:
    """Write a campaign over cells, whose pw.x is a script; return the log that it may write."""
    log = cluster.folder / "pw.log"
    program = cluster.folder / "pw-here"
    program.write_text(
        script.replace("LOG", str(log)).replace("MARK", str(cluster.folder / "halted"))
    )
    program.chmod(0o755)
    (cluster.folder / "cells.json").write_text(json.dumps(cells))
    spec = CELLS.replace("TASK", task).replace("SETTINGS", params)
    cluster.write(spec.replace("PROGRAM", str(program)), **settings)
    return log


def primitive(a_ang: float) -> dict[str, Any]:
    half = a_ang / 2
    return {
        "lattice_ang": [[0.0, half, half], [half, 0.0, half], [half, half, 0.0]],
        "species": ["Si", "Si"],
        "frac_coords": [[0.0, 0.0, 0.0], [0.25, 0.25, 0.25]],
    }


def cubic(shift: float) -> dict[str, Any]:
    """Return the cubic cell, each of its eight atoms moved away from its site by up to so much."""
    rng = random.Random(20)
    moved = [[x + rng.uniform(-shift, shift) for x in site] for site in SITES]
    return {
        "lattice_ang": [[A_ANG if i == j else 0.0 for j in range(3)] for i in range(3)],
        "species": ["Si"] * 8,
        "frac_coords": moved,
    }


@pytest.mark.slow
@pytest.mark.pw
def test_short_runs_share_few_jobs_each_on_cores_of_its_own(cluster: Cluster) -> None:
    cells = [primitive(5.40 + 0.01 * number) for number in range(MANY)]
    params = "ecutwfc_ry: 20\n    kmesh: [6, 6, 6]"
    log = write(cluster, LOGGED, cells, "scf", params, memory_gb=4, fill_min=5)
    assert cluster.run() == 0, cluster.trouble()
    assert cluster.jobs().total() <= 4
    assert cluster.jobs().keys() == cluster.records().keys()
    runs = [line.split() for line in log.read_text().splitlines()]
    assert len(runs) == MANY
    by_core: dict[str, list[tuple[float, float]]] = {}
    for cores, began, ended in runs:
        assert cores.isdigit(), "one core each"
        by_core.setdefault(cores, []).append((float(began), float(ended)))
    assert len(by_core) == 2
    for times in by_core.values():
        times.sort()
        assert all(one[1] <= following[0] for one, following in pairwise(times))
    assert_consistent(cluster.store)


@pytest.mark.slow
@pytest.mark.pw
def test_a_relaxation_that_outlasts_its_job_goes_on_in_another_and_ends_right(
    cluster: Cluster,
) -> None:
    # Undisturbed it ends in the cell without shifts, whose own relaxation is over at once.
    cells = [cubic(LARGEST_SHIFT), cubic(0.0)]
    limits = {"walltime_min": 1, "stop_before_s": 30}
    write(cluster, HALTING, cells, "relax", RELAXATION, memory_gb=4, **limits)
    assert cluster.run() == 0, cluster.trouble()
    attempts = cluster.attempts()
    *stopped, last = [one for one in attempts if one["key"] == _longest(attempts)]
    assert stopped
    assert {one["outcome"] for one in stopped} == {"interrupted"}
    assert last["outcome"] == "ok"
    assert last["continued"]
    assert 2 <= cluster.jobs().total() <= 8
    energies = [one["values"]["energy_ev_per_atom"] for one in cluster.store.results.find({})]
    # Forces below 5e-4 eV/A leave less than that.
    assert energies[0] == pytest.approx(energies[1], abs=1e-5)
    assert_consistent(cluster.store)


def _longest(attempts: list[dict[str, Any]]) -> str:
    keys = [str(one["key"]) for one in attempts]
    return max(keys, key=keys.count)
