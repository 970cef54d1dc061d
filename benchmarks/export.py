"""Publication of many result rows against pandas.to_parquet of the same documents; ratio and peak.

    python benchmarks/export.py [--rows 1000000] [--compared 200000] [--rounds 1] [URI]

Documents are those of perovskites after a vc-relax of Quantum ESPRESSO (five atoms, forces and
stresses), in an embedded store, or on the server of the URI. From there

ours      publishes the table of results: candidates joined with their results, or where they failed
          with their attempts; sorted, hashed, zstd, times in ms, nested values as canonical JSON
pandas    writes the results as most people would, DataFrame(collection.find()).to_parquet(): no
          join, no order, nested values as structs, snappy
flat      the same by json_normalize, which gives each computed value a column of its own
alike     writes with pandas the table that ours is

pandas holds all documents at once and gets fewer of them, `--compared`; compared are rows per
second of wall time. Each runs in a process of its own, one after the other, after a small table
outside of the clock; `--rounds` repeats them and takes the best of each. Afterwards one row is
changed among several partitions, and those that are rewritten are counted.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
PAGE_ROWS = 4096
BAR = 5.0
PARTITIONS = 20
T0 = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)
STAGE = "relax"
TASK = {"engine": "espresso", "task": "vc-relax"}
PARTITION = {"campaign": "bench", "stage": STAGE}
CELL = {
    "lattice_ang": [[3.9, 0.0, 0.0], [0.0, 3.9, 0.0], [0.0, 0.0, 3.9]],
    "species": ["Sr", "Ti", "O", "O", "O"],
    "frac_coords": [[0.0, 0.0, 0.5]] * 5,
}


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


def pages(rows: int, campaign: str) -> Iterator[list[dict[str, Any]]]:
    """Yield all rows of a campaign, a page at a time; no two campaigns have keys in common."""
    chance = random.Random(campaign)
    for start in range(0, rows, PAGE_ROWS):
        yield [document(n, chance) for n in range(start, min(start + PAGE_ROWS, rows))]


def fill(location: str, campaign: str, rows: int) -> None:
    """Write the documents from which such rows come."""
    from fireworks_ext import ledger
    from fireworks_ext.database.indexes import make_stage_indexes
    from fireworks_ext.store import open_store

    store = open_store(location)
    make_stage_indexes(store, [STAGE])
    store.campaigns.insert_one({"_id": campaign, "tasks": {STAGE: TASK}})
    for page in pages(rows, campaign):
        store.candidates.insert_many([member(campaign, row) for row in page], ordered=False)
        ledger.store_results(store, [result(campaign, row) for row in page if "program" in row])
        ledger.record_attempts(store, [attempt(campaign, row) for row in page])


def cell(row: dict[str, Any]) -> Any:
    """Return the structure of a row."""
    from schemas.structure import Structure

    given = row.get("structure", CELL)
    return Structure.model_construct(
        lattice_ang=tuple(map(tuple, given["lattice_ang"])),
        species=tuple(given["species"]),
        frac_coords=tuple(map(tuple, given["frac_coords"])),
        moments_bohr=None,
        charge=0.0,
    )


def member(campaign: str, row: dict[str, Any]) -> dict[str, Any]:
    """Return the document of a candidate."""
    from runner.documents import entry_document, record_document
    from schemas.ledger import CandidateRecord, StageEntry, StageState

    record = CandidateRecord.model_construct(
        campaign=campaign,
        id=row["candidate_id"],
        row=0,
        formula=row["formula"],
        structure=cell(row),
        generator="prototype",
        choice={"A": "Sr", "B": "Ti", "X": "O"},
        columns={"formula": row["formula"], "n_atoms": 5, "max_atomic_number": 72},
    )
    entry = StageEntry(
        key=row["key"],
        state=StageState(row["outcome"]),
        cached=row["cached"],
        failure=row["failure"],
        reason=row["failure_message"],
    )
    name = {"_id": f"{campaign}/{record.id}"}
    stages = {STAGE: entry_document(entry, 1)}
    return {**name, **record_document(record, pending=False), "stages": stages}


def result(campaign: str, row: dict[str, Any]) -> Any:
    """Return the record of a result."""
    from schemas.ledger import ResultRecord
    from schemas.result import Correction
    from schemas.tables import RESULTS

    given = {name: row[name] for name in ResultRecord.model_fields.keys() & row.keys()}
    fixed = {column.name for column in RESULTS}
    return ResultRecord.model_construct(
        **given
        | {
            "campaign": campaign,
            "deviation": "",
            "attempt": 1,
            "values": {name: value for name, value in row.items() if name not in fixed},
            "structure": cell(row),
            "products": {"structure": "data-file-schema.xml"},
            "recovery": tuple(Correction(**one) for one in row["recovery"]),
            "token": 1,
        }
    )


def attempt(campaign: str, row: dict[str, Any]) -> Any:
    """Return the record of an attempt."""
    from schemas.ledger import AttemptRecord

    given = {name: row[name] for name in AttemptRecord.model_fields.keys() & row.keys()}
    return AttemptRecord.model_construct(
        **given
        | {
            "campaign": campaign,
            "candidate": row["candidate_id"],
            "stage": STAGE,
            "attempt": 1,
            "machine": "node17",
            "worker": "node17:4711:1",
            "directory": row["artefacts"],
            "work": 1.0,
        }
    )


def ours(store: Any, campaign: str, folder: Path) -> None:
    """Publish the table of results."""
    from runner.publication import Publisher

    Publisher(store, campaign, folder)._publish({STAGE: TASK}, {STAGE})  # noqa: SLF001


def pandas(store: Any, campaign: str, folder: Path) -> None:
    """Have pandas write the results as they are."""
    import pandas as pd

    found = list(store.results.find({"campaign": campaign}))
    pd.DataFrame(found).to_parquet(folder / "pandas.parquet")


def flat(store: Any, campaign: str, folder: Path) -> None:
    """Have pandas write the results with a column for each value."""
    import pandas as pd

    found = list(store.results.find({"campaign": campaign}))
    pd.json_normalize(found, max_level=1).to_parquet(folder / "pandas.parquet")


def alike(store: Any, campaign: str, folder: Path) -> None:
    """Have pandas write the table that we publish."""
    import pandas as pd

    from runner.ledger_rows import page_rows
    from schemas.columns import arrow_schema

    members = store.candidates.find({"campaign": campaign})
    columns = tuple(one for one in table_columns() if one.name not in PARTITION)
    rows = page_rows(store, campaign, list(members), {STAGE: TASK})
    frame = pd.DataFrame(list(rows)).reindex(columns=[one.name for one in columns])
    for one in columns:
        if one.type == "json":
            frame[one.name] = frame[one.name].map(canonical)
    frame.sort_values("candidate_id").to_parquet(
        folder / "pandas.parquet", schema=arrow_schema(columns), compression="zstd", index=False
    )


def canonical(value: object) -> str | None:
    """Return a nested value as text."""
    if not isinstance(value, dict | list):
        return None
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def table_columns() -> tuple[Any, ...]:
    """Return the columns of the stage's table."""
    from runner.ledger_rows import task_columns
    from schemas.tables import fixed_columns

    return (*fixed_columns("results"), *task_columns(TASK))


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


WRITERS: dict[str, Callable[[Any, str, Path], None]] = {
    "ours": ours, "pandas": pandas, "flat": flat, "alike": alike,
}  # fmt: skip


def inside(what: str, location: str, campaign: str, rows: int) -> None:
    """Be one process: write one table outside of the clock and one inside; print what it took."""
    from fireworks_ext.store import open_store

    with tempfile.TemporaryDirectory() as folder:
        for name in ("small", campaign):
            target = Path(folder) / name
            target.mkdir()
            store = open_store(location)
            before = peak_mb()
            began, used = time.perf_counter(), time.process_time()
            WRITERS[what](store, name, target)
            seconds, cpu_s = time.perf_counter() - began, time.process_time() - used
        size = sum(file.stat().st_size for file in target.rglob("*.parquet"))
    found = {"rows": rows, "seconds": seconds, "cpu_s": cpu_s, "mb": size / 1e6}
    print(json.dumps(found | {"peak_mb": peak_mb(), "before_mb": before}))


def measured(what: str, location: str, campaign: str, rows: int) -> dict[str, float]:
    """Run one of them in a process of its own."""
    command = [sys.executable, __file__, location, "--inside", what, campaign, "--rows", str(rows)]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, float] = json.loads(printed.splitlines()[-1])
    return found


def main() -> None:
    """Print times, ratio, peaks, and what a changed row rewrites."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("location", nargs="?", metavar="URI")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--compared", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--inside", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        inside(arguments.inside[0], arguments.location, arguments.inside[1], arguments.rows)
        return
    with tempfile.TemporaryDirectory() as folder:
        location = arguments.location or str(Path(folder) / "store.db")
        best = compared(location, arguments)
    for what, found in best.items():
        rows, seconds = found["rows"], found["seconds"]
        print(
            f"{what:12}{rows:10,} rows: {seconds:7.1f} s ({rows / seconds:9,.0f} rows/s, CPU "
            f"{1e6 * found['cpu_s'] / rows:6.1f} us/row), peak {found['peak_mb']:8.1f} MB "
            f"({found['before_mb']:.1f} before), file {found['mb']:7.1f} MB",
            flush=True,
        )
    before, after = one_changed_row()
    print(f"one changed row rewrites {after} of {before} partitions")
    rate = {what: found["rows"] / found["seconds"] for what, found in best.items()}
    ratios = {what: rate["ours"] / rate[what] for what in WRITERS if what != "ours"}
    print("from the store:", ", ".join(f"{ratio:.2f} x {what}" for what, ratio in ratios.items()))
    print(f"ratio {ratios['pandas']:.2f} (bar: at least {BAR:.0f})")
    if ratios["pandas"] < BAR or after != 1:
        sys.exit(1)


def compared(location: str, arguments: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Return the best of some rounds of each."""
    mark = uuid4().hex[:8]
    many, few = f"many-{mark}", f"few-{mark}"
    fill(location, "small", PAGE_ROWS)
    fill(location, many, arguments.rows)
    if arguments.compared < arguments.rows:
        fill(location, few, arguments.compared)
    else:
        few = many
    best: dict[str, dict[str, float]] = {}
    for _ in range(arguments.rounds):
        for what in WRITERS:
            campaign, rows = (many, arguments.rows) if what == "ours" else (few, arguments.compared)
            found = measured(what, location, campaign, min(rows, arguments.rows))
            if what not in best or found["seconds"] < best[what]["seconds"]:
                best[what] = found
    return best


if __name__ == "__main__":
    main()
