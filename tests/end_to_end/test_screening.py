"""Screenings as a whole: a bad row among many, and verdicts that depend on the row alone."""

import json
import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from runner.load import load
from runner.screenings import screening_of

ROWS = 100_000
BAD = 61_803
TABLE = """
version: 1
campaign: many
space:
  - {kind: table, files: cells.csv, structure: cell}
filters:
  - {score: density, keep: "density_g_per_cm3 > 0.5"}
stages:
  relax: {engine: toy, task: relax}
"""
SPACE = """
version: 1
campaign: shuffled
space:
  - kind: prototype
    prototype: perovskite-cubic
    species: {A: A_LIST, B: B_LIST, X: X_LIST}
screening: {order: ORDER}
filters:
  - {score: charge-neutral, keep: charge_neutral}
  - {score: tolerance-factor, keep: "0.8 <= tolerance_factor <= 1.05"}
  - {score: composition, keep: "max_atomic_number <= 80"}
  - {score: min-distance, keep: "min_distance_ratio > 0.6"}
  - {score: elements}
stages:
  relax: {engine: toy, task: relax}
"""
LISTS = {
    "A": ["Ca", "Sr", "Ba", "Na", "K", "La", "Pb", "Ar"],
    "B": ["Ti", "Zr", "Nb", "Sn", "Mn", "Fe", "W"],
    "X": ["O", "S", "F", "Cl", "N"],
}


@pytest.mark.slow
def test_one_malformed_structure_among_a_hundred_thousand_rejects_one_row(tmp_path: Path) -> None:
    with (tmp_path / "cells.csv").open("w") as table:
        table.write("cell\n")
        for row in range(ROWS):
            length = 4.0 + row * 1e-5
            cell = {
                "lattice_ang": [[length, 0, 0], [0, length, 0], [0, 0, length]],
                "species": ["Cs", "Cl"],
                "frac_coords": [[0, 0, 0], [0.5, 0.5, 0.5]],
            }
            text = json.dumps(cell) if row != BAD else '{"lattice_ang": [[4.0, 0, 0]]}'
            table.write('"' + text.replace('"', '""') + '"\n')
    (tmp_path / "many.yaml").write_text(TABLE)
    screening = screening_of(load(tmp_path / "many.yaml"), tmp_path / "table")
    survivors = sum(1 for _ in screening.survivors())
    found = pq.read_table(tmp_path / "table", columns=["row", "verdict", "reason"])
    assert found.num_rows == ROWS
    wrong = [row for row in found.to_pylist() if row["verdict"] != "pass"]
    assert [(row["row"], row["verdict"]) for row in wrong] == [(BAD, "error")]
    assert (
        "row 61803: column cell: cannot be read: lattice_ang.1: field required"
        in wrong[0]["reason"]
    )
    assert survivors == ROWS - 1


def verdicts(
    folder: Path, lists: dict[str, list[str]], order: str = "written", **options: Any
) -> dict[str, Any]:
    """Screen a space and return verdict, step, reason and columns by formula."""
    folder.mkdir()
    text = SPACE.replace("ORDER", order)
    for label, elements in lists.items():
        text = text.replace(f"{label}_LIST", json.dumps(elements))
    (folder / "space.yaml").write_text(text)
    screening = screening_of(load(folder / "space.yaml"), folder / "table")
    for name, value in options.items():
        setattr(screening, name, value)
    list(screening.survivors())
    rows = pq.read_table(folder / "table").drop(["row", "score_s", "campaign"]).to_pylist()
    by_formula = {row["formula"]: row for row in rows}
    assert len(by_formula) == len(rows)
    return by_formula


def test_a_shuffled_space_other_batches_and_other_shards_give_the_same_verdicts(
    tmp_path: Path,
) -> None:
    plain = verdicts(tmp_path / "plain", LISTS)
    assert {row["verdict"] for row in plain.values()} >= {"pass", "reject", "unknown"}
    rng = random.Random(11)
    mixed = {label: rng.sample(elements, len(elements)) for label, elements in LISTS.items()}
    assert verdicts(tmp_path / "shuffled", mixed) == plain
    assert verdicts(tmp_path / "cut", LISTS, batch_rows=7, shard_rows=13) == plain
    # Which of two filters a row meets first is measured; who passes both is not.
    planned = verdicts(tmp_path / "planned", mixed, order="planned")
    passed = {formula for formula, row in plain.items() if row["verdict"] == "pass"}
    assert {formula for formula, row in planned.items() if row["verdict"] == "pass"} == passed
