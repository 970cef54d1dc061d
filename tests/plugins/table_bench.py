"""What the examples of the generators `points` and `table` name: a program, tables, a cell."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from runner.crystal.cells import to_arrow
from schemas.structure import Structure

PROGRAM = """\
import json, sys

for number, line in enumerate(sys.stdin.read().splitlines() or ['{"a": 4.0, "x": 0.5}']):
    row = json.loads(line)
    a = row["a"]
    cell = {
        "lattice_ang": [[a, 0, 0], [0, a, 0], [0, 0, a]],
        "species": ["Cs", "Cl"],
        "frac_coords": [[0, 0, 0], [0.5, 0.5, 0.5]],
    }
    print(json.dumps({"structure": cell, "params": {"x": row["x"]}}))
"""
CSCL = Structure(
    lattice_ang=((4.0, 0.0, 0.0), (0.0, 4.0, 0.0), (0.0, 0.0, 4.0)),
    species=("Cs", "Cl"),
    frac_coords=((0.0, 0.0, 0.0), (0.5, 0.5, 0.5)),
)


def write_tables(folder: Path) -> None:
    """Write them into a folder."""
    (folder / "make.py").write_text(PROGRAM)
    (folder / "params.csv").write_text("a,x\n4.0,0.1\n4.1,0.2\n")
    CSCL.to_pymatgen().to(filename=str(folder / "cscl.cif"))
    with (folder / "candidates.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("cif", "file", "Band gap", "origin"))
        table.writerow(((folder / "cscl.cif").read_text(), "cscl.cif", "5.1", "measured"))
    (folder / "shards").mkdir()
    cells = to_arrow([CSCL, CSCL.model_copy(update={"species": ("Rb", "Cl")})])
    pq.write_table(pa.table({"structure": cells}), folder / "shards" / "1.parquet")
