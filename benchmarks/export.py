"""Publication of many result rows against pandas.to_parquet of the same documents; ratio and peak.

    python benchmarks/export.py [--rows 1000000] [--rounds 1]

Documents are those of perovskites after a vc-relax of Quantum ESPRESSO: five atoms, forces and
stresses. They are made in chunks of a page, outside of the clock; ours are published as they come,
so that memory holds a group of rows. pandas gets them all at once, as its API wants them: `pandas`
is DataFrame(documents).to_parquet(), nested values as structs, unsorted, snappy; `alike` writes the
table that is published: sorted, zstd, times in ms, nested values as canonical JSON. Each runs in a
process of its own, one after the other, after a first page outside of the clock; `--rounds` repeats
them and takes the best of each. Afterwards one row is changed among several partitions, and those
that are rewritten counted.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
PAGE_ROWS = 4096
BAR = 5.0
PARTITIONS = 20
T0 = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)
PARTITION = {"campaign": "bench", "stage": "relax"}


def document(number: int, chance: random.Random) -> dict[str, Any]:
    """Return a row as the ledger gives it."""
    failed = number % 20 == 0
    a = 3.8 + 1e-6 * number
    row: dict[str, Any] = {
        "candidate_id": f"{number:08x}{chance.getrandbits(224):056x}",
        "formula": f"Sr{'TiZrHf'[number % 3 * 2 :][:2]}O3",
        "elements": ["O", "Sr", "Ti"],
        "n_atoms": 5,
        "key": f"{chance.getrandbits(256):064x}",
        "engine": "espresso",
        "task": "vc-relax",
        "outcome": "failed" if failed else "ok",
        "failure": "scf_not_converged" if failed else None,
        "failure_message": "convergence NOT achieved after 100 iterations" if failed else None,
        "reason": None,
        "cached": number % 9 == 0,
        "deviation": None,
        "started_at": T0 + timedelta(seconds=number),
        "finished_at": T0 + timedelta(seconds=number + 900),
        "walltime_s": 900 * chance.random(),
        "core_hours": chance.random(),
        "cores": 4,
        "attempt": "1",
        "artefacts": f"/scratch/artefacts/{number:064x}/1",
    }
    if failed:
        return row
    change = {"failure": "scf_not_converged", "action": "smaller mixing_beta"}
    return row | {
        "recovery": [change | {"before": {"mixing_beta": 0.7}, "after": {"mixing_beta": 0.3}}]
        if number % 10 == 0
        else [],
        "structure": {
            "lattice_ang": [[a, 0.0, 0.0], [0.0, a, 0.0], [0.0, 0.0, a]],
            "species": ["Sr", "Ti", "O", "O", "O"],
            "frac_coords": [[chance.random() for _ in range(3)] for _ in range(5)],
            "charge": 0,
        },
        "program": "PWSCF v.7.4",
        "schema_version": 1,
        "energy_ev": -4000 * chance.random(),
        "energy_ev_per_atom": -800 * chance.random(),
        "fmax_ev_per_ang": chance.random(),
        "forces_ev_per_ang": [[chance.random() for _ in range(3)] for _ in range(5)],
        "pressure_gpa": chance.random(),
        "stress_gpa": [[chance.random() for _ in range(3)] for _ in range(3)],
        "fermi_energy_ev": chance.random(),
        "band_gap_ev": chance.random(),
        "is_metal": number % 2 == 0,
        "volume_ang3": a**3,
        "volume_ang3_per_atom": a**3 / 5,
        "a_ang": a,
        "b_ang": a,
        "c_ang": a,
        "n_kpoints": 20,
        "scf_iterations": 12,
        "scf_accuracy_ry": [chance.random() for _ in range(12)],
        "program_walltime_s": 890 * chance.random(),
    }


def pages(rows: int) -> Iterator[list[dict[str, Any]]]:
    """Yield all documents, a page at a time."""
    chance = random.Random(1)
    for start in range(0, rows, PAGE_ROWS):
        yield [document(n, chance) for n in range(start, min(start + PAGE_ROWS, rows))]


def ours(rows: int, folder: Path) -> float:
    """Publish the documents as they come; return the seconds that this took."""
    from runner.export.parquet import publishing

    took = 0.0
    with publishing(folder, "results", PARTITION, table_columns()) as writer:
        for page in pages(rows):
            began = time.perf_counter()
            writer.add(page)
            took += time.perf_counter() - began
        began = time.perf_counter()
    return took + time.perf_counter() - began


def pandas(rows: int, folder: Path) -> float:
    """Have pandas write the same documents; return the seconds that this took."""
    import pandas as pd

    documents = [one for page in pages(rows) for one in page]
    began = time.perf_counter()
    pd.DataFrame(documents).to_parquet(folder / "pandas.parquet")
    return time.perf_counter() - began


def alike(rows: int, folder: Path) -> float:
    """Have pandas write the table that we publish; return the seconds that this took."""
    import pandas as pd

    from schemas.columns import arrow_schema

    documents = [one for page in pages(rows) for one in page]
    columns = tuple(one for one in table_columns() if one.name not in PARTITION)
    began = time.perf_counter()
    frame = pd.DataFrame(documents).reindex(columns=[one.name for one in columns])
    for one in columns:
        if one.type == "json":
            frame[one.name] = frame[one.name].map(canonical)
    frame.sort_values("candidate_id").to_parquet(
        folder / "pandas.parquet", schema=arrow_schema(columns), compression="zstd", index=False
    )
    return time.perf_counter() - began


def canonical(value: object) -> str | None:
    """Return a nested value as text."""
    if not isinstance(value, dict | list):
        return None
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def table_columns() -> tuple[Any, ...]:
    """Return the columns of the stage's table."""
    from runner.ledger_rows import task_columns
    from schemas.tables import fixed_columns

    stage = {"engine": "espresso", "task": "vc-relax"}
    return (*fixed_columns("results"), *task_columns(stage))


def one_changed_row() -> tuple[int, int]:
    """Return how many partitions there are and how many a changed row rewrites."""
    from runner.export.parquet import publish

    chance = random.Random(2)
    parts = [[document(100 * n + i, chance) for i in range(100)] for n in range(PARTITIONS)]
    written = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(2):
            written.append(
                sum(
                    publish(
                        Path(folder),
                        "results",
                        {"campaign": "bench", "stage": f"s{n}"},
                        rows,
                        table_columns(),
                    )
                    for n, rows in enumerate(parts)
                )
            )
            parts[3][7] = {**parts[3][7], "energy_ev": 0.0}
    return written[0], written[1]


def peak_mb() -> float:
    """Return the largest resident set of this process so far, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (peak,) = [line for line in lines if line.startswith("VmHWM")]
    return float(peak.split()[1]) / 1000


def measured(what: str, rows: int) -> dict[str, float]:
    """Run one of the two in a process of its own."""
    command = [sys.executable, __file__, "--inside", what, "--rows", str(rows)]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, float] = json.loads(printed.splitlines()[-1])
    return found


WRITERS: dict[str, Callable[[int, Path], float]] = {"ours": ours, "pandas": pandas, "alike": alike}


def main() -> None:
    """Print times, ratio, peaks, and what a changed row rewrites."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--inside", choices=WRITERS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        with tempfile.TemporaryDirectory() as folder:
            write = WRITERS[arguments.inside]
            (Path(folder) / "first").mkdir()
            write(PAGE_ROWS, Path(folder) / "first")
            shutil.rmtree(Path(folder) / "first")
            seconds = write(arguments.rows, Path(folder))
            size = sum(file.stat().st_size for file in Path(folder).rglob("*.parquet"))
        print(json.dumps({"seconds": seconds, "peak_mb": peak_mb(), "mb": size / 1e6}))
        return
    best: dict[str, dict[str, float]] = {}
    for _ in range(arguments.rounds):
        for what in WRITERS:
            found = measured(what, arguments.rows)
            if what not in best or found["seconds"] < best[what]["seconds"]:
                best[what] = found
    for what, found in best.items():
        rate = arguments.rows / found["seconds"]
        print(
            f"{what:7}{arguments.rows:10,} rows: {found['seconds']:7.1f} s ({rate:9,.0f} rows/s), "
            f"peak {found['peak_mb']:8.1f} MB, file {found['mb']:7.1f} MB",
            flush=True,
        )
    before, after = one_changed_row()
    print(f"one changed row rewrites {after} of {before} partitions")
    ratio = best["pandas"]["seconds"] / best["ours"]["seconds"]
    same = best["alike"]["seconds"] / best["ours"]["seconds"]
    print(
        f"ratio {ratio:.2f} (bar: at least {BAR:.0f}); to pandas writing the same table {same:.2f}"
    )
    if ratio < BAR or after != 1:
        sys.exit(1)


if __name__ == "__main__":
    main()
