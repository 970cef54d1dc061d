import csv
import tracemalloc
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from runner.crystal.cells import to_arrow
from runner.space.table import TableParams, plugin
from schemas.candidate import Candidate
from schemas.errors import UserError
from schemas.protocols import Surroundings
from schemas.structure import Structure

SALT = Structure(
    lattice_ang=((4.0, 0.0, 0.0), (0.0, 4.0, 0.0), (0.0, 0.0, 4.0)),
    species=("Cs", "Cl"),
    frac_coords=((0.0, 0.0, 0.0), (0.5, 0.5, 0.5)),
)
IRON = Structure(
    lattice_ang=((1.4, 1.4, 1.4), (-1.4, 1.4, 1.4), (-1.4, -1.4, 1.4)),
    species=("Fe",),
    frac_coords=((0.0, 0.0, 0.0),),
    moments_bohr=(2.2,),
    charge=1.0,
)


def here(folder: Path) -> Surroundings:
    return Surroundings(folder=folder, seed=0)


def made(folder: Path, **params: object) -> list[Candidate]:
    return list(plugin.candidates(TableParams.model_validate(params), here(folder)))


def write(path: Path, names: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([names, *rows])


def cif() -> str:
    return str(SALT.to_pymatgen().to(fmt="cif"))


def poscar() -> str:
    return str(SALT.to_pymatgen().to(fmt="poscar"))


def test_texts_of_all_kinds_are_read_and_columns_taken_along_typed(tmp_path: Path) -> None:
    write(
        tmp_path / "t.csv",
        ("structure", "Band gap (eV)", "n", "known", "note", "other"),
        [
            (cif(), "1.5", "3", "true", "a, b", "x"),
            (poscar(), "", "-4", "0", "", "x"),
            (SALT.model_dump_json(), "nan", "", "", "c", "x"),
        ],
    )

    candidates = made(
        tmp_path,
        files="t.csv",
        columns={
            "gap_ev": {"type": "float", "header": "Band gap (eV)", "unit": "eV"},
            "n": "int",
            "known": "bool",
            "note": "text",
        },
    )

    assert [c.problem for c in candidates] == [None] * 3
    assert [c.structure.volume_ang3 for c in candidates] == [pytest.approx(64.0)] * 3
    assert [c.extra for c in candidates] == [
        {"file": "t.csv", "file_index": 0, "gap_ev": 1.5, "n": 3, "known": True, "note": "a, b"},
        {"file": "t.csv", "file_index": 1, "gap_ev": None, "n": -4, "known": False, "note": None},
        {"file": "t.csv", "file_index": 2, "gap_ev": None, "n": None, "known": None, "note": "c"},
    ]
    assert candidates[1].choice == {"file": "t.csv", "index": 1}


def test_cells_of_parquet_are_read_as_one_column_or_as_several(tmp_path: Path) -> None:
    cells = to_arrow([SALT, IRON])
    pq.write_table(pa.table({"structure": cells, "e": [1, 2]}), tmp_path / "one.parquet")
    parts = {name: cells.field(name) for name in ("lattice_ang", "numbers", "frac_coords")}
    also = {name: cells.field(name) for name in ("moments_bohr", "charge")}
    pq.write_table(pa.table({**parts, **also}), tmp_path / "several.parquet")
    pq.write_table(pa.table({"cell": cells}), tmp_path / "named.parquet")

    one = made(tmp_path, files="one.parquet", columns={"e": "float"})
    several = made(tmp_path, files=["several.parquet"])
    named = made(tmp_path, files="named.parquet", structure="cell")

    assert [c.structure for c in one] == [c.structure for c in several] == [SALT, IRON]
    assert [c.structure for c in named] == [SALT, IRON]
    assert [c.extra["e"] for c in one] == [1.0, 2.0]
    params = TableParams(files=("*.parquet",))
    assert plugin.count(TableParams(files=("one.parquet",)), here(tmp_path)) == 2
    with pytest.raises(UserError, match=r"named\.parquet: has no column 'structure', and not all"):
        plugin.count(params, here(tmp_path))


def test_paths_start_at_the_table(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.cif").write_text(cif())
    write(tmp_path / "data" / "t.csv", ("at",), [("a.cif",), ("b.cif",), ("",)])

    there, missing, empty = made(tmp_path, files="data/*.csv", path="at")

    assert there.structure.formula == "CsCl"
    assert missing.problem == "data/t.csv: row 1: there is no file 'b.cif'"
    assert empty.problem == "data/t.csv: row 2: column at is empty"


def test_a_row_that_is_wrong_is_a_row_with_the_reason_and_the_others_stay(tmp_path: Path) -> None:
    good = SALT.model_dump_json()
    broken = cif().replace("0.5", "half")
    write(
        tmp_path / "t.csv",
        ("structure", "x"),
        [(good, "1"), (broken, "1"), ("", "1"), (good, "wide"), ("{", "1"), (good, "2")],
    )

    candidates = made(tmp_path, files="t.csv", columns={"x": "float"})

    problems = [c.problem for c in candidates]
    assert [problem is None for problem in problems] == [True, False, False, False, False, True]
    assert str(problems[1]).startswith("t.csv: row 1: column structure: cannot be read")
    assert problems[2] == "t.csv: row 2: column structure is empty"
    assert problems[3] == "t.csv: row 3: column x: found 'wide', expected a number"
    assert str(problems[4]).startswith("t.csv: row 4: column structure: cannot be read")
    with pytest.raises(UserError, match="row 1"):
        _ = candidates[1].structure


def test_whole_numbers_that_no_table_holds_are_wrong_in_their_row_alone(tmp_path: Path) -> None:
    numbers = (2**63 - 1, -(2**63), 2**63, 10**30)
    write(tmp_path / "t.csv", ("structure", "n"), [(poscar(), number) for number in numbers])
    found = made(tmp_path, files="t.csv", columns={"n": "int"})
    assert [one.extra.get("n") for one in found[:2]] == [*numbers[:2]]
    assert [one.problem is None for one in found] == [True, True, False, False]
    assert "expected a whole number of at most 64 bits" in (found[3].problem or "")


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ({"numbers": [55, 200]}, r"found the atomic numbers \[55, 200\], expected 1 to 118"),
        ({"frac_coords": [0.0, 0.0, 0.0, 0.5]}, "found 4 numbers of vectors"),
        ({"frac_coords": [0.0, 0.0, 0.0]}, "one entry per site"),
        ({"lattice_ang": [4.0, 0.0, 0.0, 4.0, 0.0, 0.0, 0.0, 0.0, 4.0]}, "span no volume"),
        ({"numbers": None}, "a part of the cell is empty"),
    ],
)
def test_a_cell_of_numbers_that_is_wrong_says_why(
    tmp_path: Path, cell: Mapping[str, object], message: str
) -> None:
    row = {
        "lattice_ang": [4.0, 0.0, 0.0, 0.0, 4.0, 0.0, 0.0, 0.0, 4.0],
        "numbers": [55, 17],
        "frac_coords": [0.0, 0.0, 0.0, 0.5, 0.5, 0.5],
    }
    pq.write_table(pa.Table.from_pylist([row, {**row, **cell}]), tmp_path / "t.parquet")

    good, bad = made(tmp_path, files="t.parquet")

    assert good.structure == SALT
    with pytest.raises(UserError, match=f"row 1: .*{message}"):
        _ = bad.structure


def test_memory_does_not_grow_with_the_table(tmp_path: Path) -> None:
    row = (SALT.model_dump_json(), "x" * 2000)

    def peak_bytes(rows: int) -> int:
        write(tmp_path / "t.csv", ("structure", "note"), [row] * rows)
        tracemalloc.start()
        params = TableParams(files=("t.csv",), columns={"note": "text"})
        for _ in plugin.candidates(params, here(tmp_path)):
            pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak_bytes(10)  # imports
    assert peak_bytes(3000) < peak_bytes(300) + 200_000


def test_the_first_rows_are_made_without_the_rest(tmp_path: Path) -> None:
    with (tmp_path / "t.csv").open("wb") as file:
        file.write(b"structure\n\n")
        file.write(b'"{}"\n' * 5000)
        file.write(b"\xff" * 2**20)
    stream = plugin.candidates(TableParams(files=("t.csv",)), here(tmp_path))

    assert len(list(islice(stream, 2))) == 2


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"files": "none.csv"}, r"there is no file 'none\.csv'"),
        (
            {"files": "*.csv", "structure": "Cif"},
            r"t\.csv: has no column 'Cif'; did you mean 'cif'",
        ),
        ({"files": "*.csv", "path": "at"}, r"t\.csv: has no column 'at'"),
        (
            {"files": "*.csv", "structure": "cif", "columns": {"gap": "float"}},
            r"t\.csv: has no column 'gap'; did you mean 'Gap'",
        ),
        ({"files": "*.csv"}, "has no column 'structure', and not all of lattice_ang"),
        ({"files": "x.txt"}, r"x\.txt: found a \.txt file, expected \.csv or \.parquet"),
        ({"files": "x.parquet", "structure": "a"}, r"x\.parquet: cannot be read"),
    ],
)
def test_what_is_not_there_is_told_before_anything_is_made(
    tmp_path: Path, params: dict[str, object], message: str
) -> None:
    write(tmp_path / "t.csv", ("cif", "Gap"), [])
    (tmp_path / "x.txt").touch()
    (tmp_path / "x.parquet").write_text("no parquet")

    with pytest.raises(UserError, match=message):
        plugin.count(TableParams.model_validate(params), here(tmp_path))


def test_mistakes_in_params_are_named() -> None:
    with pytest.raises(ValidationError, match="found both structure and path"):
        TableParams(files=("t.csv",), structure="a", path="b")
    with pytest.raises(ValidationError, match="at least one file"):
        TableParams(files=())
