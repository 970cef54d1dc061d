import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runner.hull.entries import read_entries
from schemas.errors import UserError

MGO = ("Mg", "O")


def write(path: Path, data: Any) -> Path:
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path


def test_a_list_of_entries_is_read(tmp_path: Path) -> None:
    path = write(
        tmp_path / "e.json",
        [
            {"formula": "Mg", "energy_ev_per_atom": -1.5, "method": "m-1"},
            {"composition": {"O": 2}, "energy_ev": -9.8, "method": "m-1"},
            {"formula": "MgO", "energy_ev": -12.0, "method": "m-1", "label": "periclase"},
        ],
    )

    entries = read_entries(path)

    assert entries.method == "m-1"
    assert [(e.label, e.energy_ev_per_atom) for e in entries.within(MGO)] == [
        ("Mg", -1.5),
        ("O2", -4.9),
        ("periclase", -6.0),
    ]


def test_a_method_may_be_given_once_for_all(tmp_path: Path) -> None:
    path = write(
        tmp_path / "e.json",
        {"method": "pw.x pbe gth", "entries": [{"formula": "Mg", "energy_ev_per_atom": -1.5}]},
    )

    assert read_entries(path).method == "pw.x pbe gth"


def test_csv_and_parquet_are_read_alike(tmp_path: Path) -> None:
    rows = [
        {"formula": "Ca(OH)2", "energy_ev_per_atom": -5.5, "method": "m"},
        {"formula": "Ca", "energy_ev_per_atom": -2.0, "method": "m"},
    ]
    lines = ["formula,energy_ev_per_atom,method", "Ca(OH)2,-5.5,m", "Ca,-2.0,m"]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "e.parquet")
    files = (write(tmp_path / "e.csv", "\n".join(lines)), tmp_path / "e.parquet")

    found = [read_entries(path).within(("Ca", "H", "O")) for path in files]

    assert found[0] == found[1]
    assert found[0][0].composition == {"Ca": 1.0, "O": 2.0, "H": 2.0}


def test_a_total_energy_is_that_of_the_formula_as_written(tmp_path: Path) -> None:
    path = write(tmp_path / "e.json", [{"formula": "Mg2O2", "energy_ev": -24.0, "method": "m"}])

    (entry,) = read_entries(path).within(MGO)

    assert entry.energy_ev_per_atom == -6.0


def test_two_entries_of_one_formula_have_labels_of_their_own(tmp_path: Path) -> None:
    one = {"formula": "TiO2", "energy_ev_per_atom": -8.0, "method": "m"}
    path = write(tmp_path / "e.json", [one, one | {"energy_ev_per_atom": -8.1}])

    assert [e.label for e in read_entries(path).within(("O", "Ti"))] == ["TiO2", "TiO2 (2)"]


GOOD = {"formula": "Mg", "energy_ev_per_atom": -1.5, "method": "m"}
MISTAKES: dict[str, tuple[str, Any, str]] = {
    "mixed": ("e.json", [GOOD, GOOD | {"method": "n"}], "entry 1 is 'm', entry 2 'n'"),
    "no method": ("e.json", [{"formula": "Mg", "energy_ev_per_atom": -1.5}], "says no method"),
    "no energy": ("e.json", [{"formula": "Mg", "method": "m"}], "entry 1: no energy"),
    "no composition": ("e.json", [{"energy_ev": 1, "method": "m"}], "entry 1: no composition"),
    "not an element": ("e.json", [GOOD | {"formula": "Qq"}], "entry 1: "),
    "invented": ("e.json", [GOOD | {"formula": "MgXx"}], "'Xx' is not an element"),
    "no formula": ("e.json", [GOOD | {"formula": "@!"}], "entry 1: "),
    "no number": ("e.json", [GOOD | {"energy_ev_per_atom": "low"}], "could not convert"),
    "infinite": ("e.json", [GOOD | {"energy_ev_per_atom": "inf"}], "is inf"),
    "a truth": ("e.json", [GOOD | {"energy_ev_per_atom": True}], "is no number"),
    "negative": (
        "e.json",
        [{"composition": {"Mg": -1}, "energy_ev": 1, "method": "m"}],
        "amounts above 0",
    ),
    "empty": ("e.json", [], "holds no entries"),
    "no list": ("e.json", {"a": 1}, "expected a list of entries"),
    "no JSON": ("e.json", "{", "cannot be read"),
    "no Parquet": ("e.parquet", "PAR", "cannot be read"),
    "another format": ("e.xlsx", "", "expected .json, .csv or .parquet"),
}


@pytest.mark.parametrize(("name", "data", "words"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_with_file_and_entry(
    tmp_path: Path, name: str, data: Any, words: str
) -> None:
    path = write(tmp_path / name, data)

    with pytest.raises(UserError) as caught:
        read_entries(path)

    assert str(path) in str(caught.value)
    assert words in str(caught.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_entries(tmp_path / "e.csv")
