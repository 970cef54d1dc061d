"""Published tables of a campaign that was never run: any number of candidates, made-up numbers.

`A B X3` perovskites of every combination of elements go through a filter and three stages; the last
is a hull with elements and binaries as references.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import cycle, islice, product
from math import cos
from pathlib import Path
from typing import Any

from runner.export.parquet import publish
from schemas.columns import Column
from schemas.tables import fixed_columns, stage_columns

A = [
    "Li", "Na", "K", "Rb", "Cs", "Mg", "Ca", "Sr", "Ba",
    "Zn", "Cd", "Sn", "Pb", "La", "Y", "Ag", "Tl", "Bi",
]  # fmt: skip
B = [
    "Ti", "Zr", "Hf", "V", "Nb", "Ta", "Cr", "Mo", "W",
    "Mn", "Fe", "Co", "Ni", "Cu", "Sn", "Ge", "Si", "Pb",
]  # fmt: skip
X = ["O", "S", "Se", "Te", "F", "Cl", "Br", "I"]
START = datetime(2026, 1, 1)  # noqa: DTZ001  (tables hold naive UTC)
SPEC = """\
version: 1
campaign: {name}
project: demo
space:
  - {{kind: prototype, prototype: perovskite-cubic, species: {{A: [Ca], B: [Ti], X: [O]}}}}
filters:
  - {{score: tolerance-factor, keep: tolerance_factor <= 1.05}}
stages:
  relax: {{engine: espresso, task: vc-relax, pseudopotentials: gth-pbe}}
  gap: {{engine: espresso, task: scf, structure: relax, pseudopotentials: gth-pbe}}
  hull: {{analysis: hull, over: campaign, of: relax}}
"""
SPECTRA = """\
  bands: {engine: espresso, task: bands, structure: relax, pseudopotentials: gth-pbe}
  dos: {engine: espresso, task: dos, structure: relax, pseudopotentials: gth-pbe}
"""
COLUMNS = (
    *fixed_columns("screening"),
    Column("tolerance_factor", "float", "Goldschmidt's."),
    Column("mass_g_per_mol", "float", "Molar mass.", "g/mol"),
)


def publish_campaign(
    root: Path,
    name: str,
    candidates: int,
    seed: int = 1,
    spectra: int = 0,
    points: int = 90,
    price: float | None = None,
) -> None:
    """Publish the four tables of a campaign of so many candidates; one in eight is rejected.

    The first `spectra` of the others have bands on so many points, and densities of states.
    A core-hour costs so many dollars.
    """
    rng = random.Random(seed)
    rows = list(islice(_screening(rng), candidates))
    onward = [row for row in rows if row["verdict"] == "pass"]
    partition = {"campaign": name}
    publish(root, "screening", partition, rows, COLUMNS)
    columns = (*fixed_columns("results"), *stage_columns())
    for at, stage in enumerate(("relax", "gap")):
        results = [_result(row, stage, at, rng) for row in onward]
        publish(root, "results", {**partition, "stage": stage}, results, columns)
    for stage in ("bands", "dos") if spectra else ():
        curves = [
            _spectrum(row, stage, points if at < spectra else 0) for at, row in enumerate(onward)
        ]
        publish(root, "results", {**partition, "stage": stage}, curves, columns)
    hull = [*map(_above, onward, (rng.random() for _ in onward)), *_references(rng)]
    publish(root, "results", {**partition, "stage": "hull"}, hull, columns)
    attempts = [_attempt(row, stage, rng) for row in onward for stage in ("relax", "gap")]
    if price is not None:
        paid = {"usd_per_core_hour": price, "cost_usd": attempts[0]["core_hours"] * price}
        attempts = [attempt | paid for attempt in attempts]
    publish(root, "attempts", partition, attempts, fixed_columns("attempts"))
    about: dict[str, Any] = {
        "project": "demo", "revision": 1, "spec_sha256": "0" * 64, "started_at": START,
        "updated_at": START + timedelta(hours=9), "enumerated": candidates,
        "survivors": len(onward), "spent_core_hours": 1.0, "state": "settled",
        "spec": SPEC.format(name=name) + (SPECTRA if spectra else ""),
    }  # fmt: skip
    publish(root, "campaigns", partition, [about], fixed_columns("campaigns"))


def _screening(rng: random.Random) -> Iterator[dict[str, Any]]:
    """Yield candidates without end; from the second round on they are other cells."""
    for row, (a, b, x) in enumerate(cycle(product(A, B, X))):
        if a == b:
            continue
        t = rng.uniform(0.7, 1.2)
        passes = t <= 1.15
        yield {
            "row": row, "candidate_id": f"{row:064x}", "formula": f"{a}{b}{x}3",
            "elements": sorted({a, b, x}), "amounts": [1.0, 1.0, 3.0], "n_elements": 3,
            "n_atoms": 5, "generator": "prototype", "choice": "{}", "sites": "{}",
            "verdict": "pass" if passes else "reject",
            "step": None if passes else "tolerance-factor",
            "reason": None if passes else f"tolerance_factor = {t:.3f}; keep: <= 1.15",
            "note": None, "control": False, "score_s": 1e-4, "tolerance_factor": t,
            "mass_g_per_mol": rng.uniform(100, 700),
        }  # fmt: skip


def _base(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("candidate_id", "formula", "elements", "n_atoms")}


def _result(row: dict[str, Any], stage: str, at: int, rng: random.Random) -> dict[str, Any]:
    a = rng.uniform(3.6, 6.0)
    species = [*_species(row["formula"])]
    begun = START + timedelta(seconds=2 * row["row"] + at)
    base = {
        **_base(row), "key": f"{row['candidate_id'][:50]}{stage}", "engine": "espresso",
        "task": "scf" if at else "vc-relax", "cached": False, "schema_version": 1,
    }  # fmt: skip
    if rng.random() < 0.03:
        return {**base, "outcome": "failed", "failure": "scf_not_converged",
                "failure_message": "convergence NOT achieved"}  # fmt: skip
    repaired = [{"failure": "scf_not_converged", "action": "set mixing_beta", "after": 0.2}]
    return {
        **base,
        "outcome": "ok",
        "recovery": json.dumps(repaired if rng.random() < 0.1 else []),
        "structure": json.dumps({
            "lattice_ang": [[a, 0, 0], [0, a, 0], [0, 0, a]], "species": species,
            "frac_coords": [[0, 0, 0], [.5, .5, .5], [.5, .5, 0], [.5, 0, .5], [0, .5, .5]],
        }),
        "program": "PWSCF 6.7MaX", "started_at": begun, "finished_at": begun + timedelta(seconds=1),
        "walltime_s": rng.lognormvariate(4, 1), "core_hours": 0.1, "cores": 4, "attempt": "1",
        "artefacts": "/data", "energy_ev": -5 * a**3, "energy_ev_per_atom": -(a**3),
        "fmax_ev_per_ang": rng.random() / 100, "pressure_gpa": rng.gauss(0, 1),
        "fermi_energy_ev": rng.uniform(0, 9), "band_gap_ev": max(0.0, rng.gauss(1, 1)),
        "direct_gap_ev": max(0.0, rng.gauss(1.3, 1)), "total_magnetisation_bohr": rng.random(),
        "volume_ang3": a**3, "volume_ang3_per_atom": a**3 / 5, "a_ang": a, "b_ang": a, "c_ang": a,
        "n_electrons": 40.0, "n_bands": 30, "n_kpoints": rng.randrange(4, 30), "ecutwfc_ry": 80.0,
        "scf_iterations": rng.randrange(8, 40), "program_walltime_s": rng.random() * 100,
    }  # fmt: skip


def _spectrum(row: dict[str, Any], stage: str, points: int) -> dict[str, Any]:
    """Return the row of bands or states: every third is a metal, every second magnetic."""
    base = {
        **_base(row), "key": f"{row['candidate_id'][:50]}{stage}", "engine": "espresso",
        "task": stage, "cached": False, "schema_version": 1,
    }  # fmt: skip
    if not points:
        return {**base, "outcome": "skipped", "reason": "gap.band_gap_ev > 0"}
    metal, spins = row["row"] % 3 == 0, 1 + row["row"] % 2
    gap = 0.0 if metal else 1.0
    zero = "fermi" if metal else "vbm"
    found: dict[str, Any] = {"band_gap_ev": gap, "direct_gap_ev": 2 * gap, "is_metal": metal}
    if not metal:
        found |= {"vbm_ev": 2.0, "cbm_ev": 3.0}
    middle, last = points // 2, points - 1
    if stage == "bands":
        bands = [[gap * (n >= 0) + 2 * n + (1 + cos(6.3 * at / last)) / 2 - (n < 0)
                  for at in range(points)] for n in range(-10, 10)]  # fmt: skip
        curve: dict[str, Any] = {
            "zero": zero, "zero_ev": 2.0,
            "distances_per_ang": [round(at / 20 - (at > middle) / 20, 4) for at in range(points)],
            "ticks": [[0, "Γ"], [middle, "K"], [middle + 1, "U"], [last, "X"]],
            "energies_ev": [[[round(e + spin / 3 * metal, 3) for e in band] for band in bands]
                            for spin in range(spins)],
            "left_out": {"points": points, "bands_below": [3] * spins, "bands_above": [0] * spins},
        }  # fmt: skip
        if not metal:
            curve |= {"vbm_at": 0, "cbm_at": middle}
            found |= {"vbm_kpoint": "Γ", "cbm_kpoint": "K"}
        found |= {"lattice_type": "FCC", "band_structure": json.dumps(curve)}
    else:
        states = [[abs(round(cos(at / 30), 4)) * 9 for at in range(600)] for _ in range(spins)]
        curve = {"zero": zero, "zero_ev": 2.0, "start_ev": -15.0, "step_ev": 0.05, "n_atoms": 5,
                 "states_per_ev": states}  # fmt: skip
        found["density_of_states"] = json.dumps(curve)
    return {**base, "outcome": "ok", "recovery": "[]", **found}


def _species(formula: str) -> Iterator[str]:
    for symbol, count in re.findall(r"([A-Z][a-z]?)(\d*)", formula):
        yield from [symbol] * int(count or 1)


def _above(row: dict[str, Any], luck: float) -> dict[str, Any]:
    above = max(0.0, 0.5 * luck - 0.05)
    return {
        **_base(row), "key": f"{row['candidate_id'][:50]}hull", "engine": "analysis",
        "task": "hull", "outcome": "ok", "cached": False, "schema_version": 1,
        "above_hull_ev_per_atom": above, "formation_energy_ev_per_atom": above - 2.0,
        "on_hull": above <= 0,
    }  # fmt: skip


def _references(rng: random.Random) -> Iterator[dict[str, Any]]:
    """Yield elements, and binaries with X."""
    phases = [(one, [one]) for one in sorted({*A, *B, *X})]
    phases += [(f"{m}{x}", sorted([m, x])) for m in ("Ca", "Ti", "Li") for x in ("O", "S")]
    for at, (formula, elements) in enumerate(phases):
        pure = len(elements) == 1
        yield {
            "candidate_id": f"f{at:063x}", "formula": formula, "elements": elements,
            "n_atoms": len(elements), "key": f"reference{at}", "engine": "analysis",
            "task": "hull", "outcome": "ok", "cached": False, "schema_version": 1,
            "above_hull_ev_per_atom": 0.0, "on_hull": True,
            "formation_energy_ev_per_atom": 0.0 if pure else -rng.uniform(0.5, 1.5),
        }  # fmt: skip


def _attempt(row: dict[str, Any], stage: str, rng: random.Random) -> dict[str, Any]:
    begun = START + timedelta(seconds=2 * row["row"])
    ok = rng.random() < 0.96
    return {
        "stage": stage, "candidate_id": row["candidate_id"], "key": f"{row['row']}{stage}",
        "attempt": "1", "machine": "node1", "worker": "node1:1:1", "started_at": begun,
        "finished_at": begun + timedelta(seconds=1), "exit_code": 0 if ok else 1,
        "outcome": "ok" if ok else "failed", "failure": None if ok else "scf_not_converged",
        "corrections": "[]", "walltime_s": rng.lognormvariate(4, 1), "cores": 4,
        "core_hours": 0.1, "taken_in": False, "peak_memory_gb": rng.random(),
    }  # fmt: skip
