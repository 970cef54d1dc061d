"""The tables that the battery of queries asks: small, the same every time, with all that is odd.

Two campaigns, three stages, every type of column, nulls in each of them; empty texts and lists,
lists with nulls and doubles, texts with line breaks, quotes, wildcards and letters beyond ASCII,
whole numbers beyond 2^53, times at the ends of months and of a leap day, nested JSON.
"""

# ruff: noqa: DTZ001  (tables hold naive UTC)

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from runner.export.manifest import read_manifest
from runner.export.parquet import publish
from schemas.columns import Column
from schemas.tables import ATTEMPTS, CAMPAIGNS, RESULTS, SCREENING

Row = dict[str, Any]

ENERGY = Column("energy_ev_per_atom", "float", "Total energy.", "eV")
GAP = Column("band_gap_ev", "float", "Band gap.", "eV")
BATTERY_COLUMNS = (
    Column("forces_of_sites", "floats", "Norms of the forces on the sites.", "eV/angstrom"),
    Column("big", "int", "A whole number that no double holds."),
    Column("is_metal", "bool", "Whether it has no gap."),
    Column("labels", "texts", "Words about it."),
    Column("remark", "text", "Any text."),
    Column("details", "json", "Any JSON."),
)
"""Of names that no engine has, so that they stay as they are when engines get columns."""
SCORES = (
    Column("tolerance_factor", "float", "Goldschmidt's."),
    Column("mass_g_per_mol", "float", "Molar mass.", "g/mol"),
)
FORMULAS = {
    "BaTiO3": ["Ba", "O", "Ti"],
    "SrTiO3": ["O", "Sr", "Ti"],
    "CaTiO3": ["Ca", "O", "Ti"],
    "PbZrO3": ["O", "Pb", "Zr"],
    "NaCl": ["Cl", "Na"],
    "MgO": ["Mg", "O"],
    "Cu": ["Cu"],
    "CsPbI3": ["Cs", "I", "Pb"],
}
AMOUNTS = {"BaTiO3": [1, 1, 3], "NaCl": [1, 1], "MgO": [1, 1], "Cu": [1]}
TIMES = (
    datetime(2024, 2, 29, 23, 59, 59, 999_000),
    datetime(2025, 12, 31, 12, 30, 0, 1_000),
    datetime(2026, 1, 31, 10, 0, 0, 120_000),
    datetime(2026, 2, 28, 0, 0, 0),
    datetime(2026, 3, 29, 2, 30, 0),
    datetime(2026, 7, 4, 6, 5, 4, 321_000),
    datetime(1999, 12, 31, 23, 0, 0),
    datetime(2026, 1, 1, 0, 0, 0),
)
REMARKS = (
    "plain", "", None, "two\nlines", "100% of a_b", "it's \"quoted\"", "Größe ß é", "  padded\t",
)  # fmt: skip
LABELS: tuple[list[str | None] | None, ...] = (
    ["oxide", "ferroelectric"], [], None, ["oxide", None, "oxide"], ["b", "a", "c"], ["salt"],
    [None], ["", "x,y"],
)  # fmt: skip
FORCES: tuple[list[float | None] | None, ...] = (
    [0.5, 0.25, -0.125], [], None, [None], [1e-7, 2.5e10], [3.0], [0.1, 0.2, 0.3],
    [-1.5, None, 1.5],
)  # fmt: skip
DETAILS: tuple[Any, ...] = (
    {"mesh": [4, 4, 4], "kind": "gamma", "cutoff_ry": 40.5, "spin": None},
    [],
    None,
    {"nested": {"deep": [{"x": 1}, {"x": 2}]}, "flag": True},
    [1, "two", None, 3.5],
    {"": "empty key", "a b": "blank", "n": -7, "text": "12"},
    '"a text"',  # a text is taken for JSON
    {"list": ["p", "q"], "big": 9007199254740993, "small": 0.001},
)
NUMBERS = (-8.5, -7.25, 0.0, 1.5, 2.5, -2.5, 1e-7, 123456789.125)
BIGS = (9007199254740993, -9007199254740993, 0, 1, -1, 2**62, 7, None)


def publish_battery_tables(root: Path) -> None:
    """Publish the four tables of two campaigns in a folder."""
    for number, name in enumerate(("alpha", "beta")):
        screened = [_screened(row, number) for row in range(8 if number == 0 else 4)]
        mine = {"campaign": name}
        publish(root, "screening", mine, screened, (*SCREENING, *SCORES))
        attempts: list[Row] = []
        for at, stage in enumerate(("relax", "scf", "gap")[: 3 - number]):
            rows = [_result(one, at) for one in screened if one["verdict"] == "pass"]
            columns = (*RESULTS, ENERGY, *((GAP,) if stage != "relax" else ()), *BATTERY_COLUMNS)
            publish(root, "results", {**mine, "stage": stage}, rows, columns)
            attempts += [_attempt(row, stage, try_) for row in rows for try_ in _tries(row)]
        publish(root, "attempts", mine, attempts, ATTEMPTS)
        publish(root, "campaigns", mine, [_campaign(name, number)], CAMPAIGNS)


def fingerprint(root: Path) -> str:
    """Return what changes with the content of the tables, and with nothing else."""
    found = read_manifest(root).partitions
    versions = "".join(f"{path} {entry.version}\n" for path, entry in sorted(found.items()))
    return hashlib.sha256(versions.encode()).hexdigest()[:12]


def _screened(row: int, campaign: int) -> Row:
    formula = list(FORMULAS)[(row + 2 * campaign) % len(FORMULAS)]
    rejected = row in {5, 6} and campaign == 0
    return {
        "row": row,
        "candidate_id": None if rejected else f"{campaign}{row}".ljust(64, "c"),
        "formula": formula,
        "elements": FORMULAS[formula],
        "amounts": [float(one) for one in AMOUNTS.get(formula, (1, 1, 3))],
        "n_elements": len(FORMULAS[formula]),
        "n_atoms": int(sum(AMOUNTS.get(formula, (1, 1, 3)))),
        "generator": "prototype",
        "choice": {"A": FORMULAS[formula][0], "n": row, "x": row / 4},
        "verdict": "reject" if rejected else "pass",
        "step": ("tolerance-factor", "mass")[row % 2] if rejected else None,
        "reason": f"row {row} is out" if rejected else None,
        "note": REMARKS[row],
        "control": row == 7,
        "score_s": row * 0.001,
        "tolerance_factor": None if row == 3 else 0.75 + 0.0625 * row,
        "mass_g_per_mol": NUMBERS[row],
    }


def _result(candidate: Row, at: int) -> Row:
    row = candidate["row"]
    turn = (row + 3 * at) % 8
    outcome = "failed" if turn == 4 else "skipped" if turn == 6 and at else "ok"
    base = {
        **{name: candidate[name] for name in ("candidate_id", "formula", "elements", "n_atoms")},
        "key": f"{row}{at}".ljust(64, "k"),
        "engine": "espresso",
        "task": ("vc-relax", "scf", "nscf")[at],
        "outcome": outcome,
        "cached": turn == 1,
        "labels": LABELS[turn],
        "remark": REMARKS[turn],
        "details": DETAILS[turn],
        "big": BIGS[turn],
        "schema_version": 1,
    }
    if outcome == "skipped":
        return {**base, "reason": "when: scf.band_gap_ev > 0.3"}
    begun = TIMES[turn]
    took_s = (5400.0, 1800.5, 60.0, 0.25, 86399.999, 3600.0, 7.0, 12345.678)[turn]
    run = {
        "started_at": begun,
        "finished_at": begun + timedelta(milliseconds=round(took_s * 1000)),
        "walltime_s": took_s,
        "cores": 2**at,
        "core_hours": took_s * 2**at / 3600,
        "attempt": str(1 + at),
        "artefacts": f"/runs/{row}/{at}",
    }
    if outcome == "failed":
        message = "no time\nleft"
        return {**base, **run, "failure": "out_of_walltime", "failure_message": message}
    return {
        **base,
        **run,
        "deviation": "d" * 8 if turn == 3 else None,
        "recovery": [{"failure": "scf_not_converged", "before": 0.7, "after": 0.3}][: turn % 2],
        "structure": {"species": candidate["elements"], "lattice_ang": [[4.0, 0, 0]]},
        "program": "PWSCF v.7.3.1",
        "energy_ev_per_atom": NUMBERS[turn],
        "forces_of_sites": FORCES[turn],
        "is_metal": None if turn == 5 else turn % 2 == 0,
        **({"band_gap_ev": float("nan") if turn == 2 else 0.5 * turn} if at else {}),
    }


def _tries(result: Row) -> range:
    """One attempt where all went well, two where it failed, none where it was skipped or known."""
    return range({"ok": 0 if result["cached"] else 1, "failed": 2}.get(result["outcome"], 0))


def _attempt(result: Row, stage: str, number: int) -> Row:
    failed = result["outcome"] == "failed"
    kept = ("candidate_id", "key", "cores", "walltime_s", "core_hours", "started_at")
    return {
        **{name: result[name] for name in kept},
        "stage": stage,
        "attempt": str(number + 1),
        "machine": f"node{number + 1:02d}",
        "worker": None if number else f"node01:{100 + len(stage)}:1",
        "finished_at": None if number else result["finished_at"],
        "exit_code": 137 if failed else 0,
        "outcome": "failed" if failed else "ok",
        "failure": result.get("failure"),
        "corrections": result.get("recovery"),
        "checkpoints": [{"name": "a", "bytes": 2**40, "seconds": 1.5}] if failed else None,
        "peak_memory_gb": None if failed else 0.75,
        "cpu_s": result["walltime_s"] / 2,
        "taken_in": number == 1,
    }


def _campaign(name: str, number: int) -> Row:
    return {
        "project": None if number else "solar-2026",
        "revision": number + 1,
        "spec_sha256": f"{number}" * 64,
        "started_at": TIMES[6],
        "updated_at": TIMES[5 - number],
        "enumerated": 8 - 4 * number,
        "survivors": 6 - 2 * number,
        "spent_core_hours": 12.5 + number,
        "state": ("settled", "running")[number],
        "spec": f"version: 1\ncampaign: {name}\n",
    }
