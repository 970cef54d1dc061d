"""The view of cells: JSON goes in, and what a reader of CIF makes of it is the same crystal."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from awkward_cells import awkward_cells, publish_cells

from runner.export.views import views
from runner.sql.examples import example
from runner.sql.query import query
from schemas.structure import Structure

LENGTH_ANG = 1e-5
"""What six decimals of lengths and angles, and eight of coordinates, may move an atom."""
CELLS = awkward_cells()
Row = dict[str, Any]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cells")
    publish_cells(folder, "cells")
    return folder


@pytest.fixture(scope="module")
def rows(root: Path) -> dict[str, Row]:
    """The rows of the view by candidate."""
    (view,) = (one for one in views() if one.name == "structures")
    found = query(view.sql, [root])
    assert tuple(found.columns) == view.columns
    names = [name for name, _ in found.columns]
    return {row[2]: dict(zip(names, row, strict=True)) for row in found.rows}


def read_back(cif: str) -> Any:
    """Return what pymatgen reads, without its rounding of coordinates to thirds."""
    from pymatgen.core import Structure as PymatgenStructure

    return PymatgenStructure.from_str(cif, fmt="cif", frac_tolerance=0)


def check_same_crystal(read: Any, cell: Structure) -> None:
    """Check that a rotation, and no reflection, lays one crystal on the other."""
    from scipy.optimize import linear_sum_assignment

    stored = np.array(cell.lattice_ang)
    turned = stored * np.sign(np.linalg.det(stored))
    rotation = np.linalg.solve(turned, read.lattice.matrix)
    assert np.linalg.det(rotation) > 0
    assert turned @ rotation == pytest.approx(read.lattice.matrix, abs=LENGTH_ANG)
    assert rotation @ rotation.T == pytest.approx(np.eye(3), abs=LENGTH_ANG)
    expected = read.lattice.get_fractional_coords(np.array(cell.frac_coords) @ stored @ rotation)
    assert sorted(cell.species) == sorted(site.specie.symbol for site in read)
    for element in cell.elements:
        mine = expected[np.array(cell.species) == element]
        theirs = read.frac_coords[[site.specie.symbol == element for site in read]]
        apart = read.lattice.get_all_distances(mine, theirs)
        assert apart[linear_sum_assignment(apart)].max() < LENGTH_ANG


def test_there_is_a_row_for_each_ok_result_with_a_structure(rows: dict[str, Row]) -> None:
    assert set(rows) == set(CELLS)


@pytest.mark.parametrize("name", CELLS)
def test_the_cif_is_read_as_the_crystal_that_is_stored(name: str, rows: dict[str, Row]) -> None:
    check_same_crystal(read_back(rows[name]["cif"]), CELLS[name])


def test_a_mirror_image_would_be_noticed(rows: dict[str, Row]) -> None:
    cell = CELLS["chiral"]
    mirrored = Structure(
        lattice_ang=cell.lattice_ang,
        species=cell.species,
        frac_coords=tuple((-x, -y, -z) for x, y, z in cell.frac_coords),
    )
    with pytest.raises(AssertionError):
        check_same_crystal(read_back(rows["chiral"]["cif"]), mirrored)


@pytest.mark.parametrize("name", CELLS)
def test_the_numbers_are_those_of_the_cell(name: str, rows: dict[str, Row]) -> None:
    lattice = CELLS[name].to_pymatgen().lattice
    row = rows[name]
    found = [row[f"{edge}_ang"] for edge in "abc"]
    found += [row[f"{angle}_deg"] for angle in ("alpha", "beta", "gamma")]
    assert found == pytest.approx([*lattice.abc, *lattice.angles], abs=1e-6)
    assert row["volume_ang3"] == pytest.approx(lattice.volume, abs=1e-6)
    assert row["n_atoms"] == len(CELLS[name].species)


def test_a_cif_is_written_like_this(rows: dict[str, Row]) -> None:
    assert rows["hexagonal"]["cif"] == (
        "data_ZnO\n"
        "_chemical_formula_sum 'O2 Zn2'\n"
        "_cell_length_a 3.250000\n"
        "_cell_length_b 3.250000\n"
        "_cell_length_c 5.210000\n"
        "_cell_angle_alpha 90.000000\n"
        "_cell_angle_beta 90.000000\n"
        "_cell_angle_gamma 120.000000\n"
        "_cell_volume 47.657919\n"
        "_symmetry_space_group_name_H-M 'P 1'\n"
        "_symmetry_Int_Tables_number 1\n"
        "loop_\n"
        "_symmetry_equiv_pos_as_xyz\n"
        "'x, y, z'\n"
        "loop_\n"
        "_atom_site_label\n"
        "_atom_site_type_symbol\n"
        "_atom_site_fract_x\n"
        "_atom_site_fract_y\n"
        "_atom_site_fract_z\n"
        "_atom_site_occupancy\n"
        "Zn1 Zn 0.33333333 0.66666667 0.00000000 1\n"
        "Zn2 Zn 0.66666667 0.33333333 0.50000000 1\n"
        "O3 O 0.33333333 0.66666667 0.38200000 1\n"
        "O4 O 0.66666667 0.33333333 0.88200000 1\n"
    )
    assert "_chemical_formula_sum 'C1 H3 Br1'\n" in rows["carbon and hydrogen"]["cif"]


def test_a_cell_with_something_missing_has_a_row_without_cif(tmp_path: Path) -> None:
    from runner.export.parquet import publish
    from schemas.tables import results_columns

    whole = CELLS["hexagonal"].model_dump(mode="json")
    broken = [
        {**whole, "frac_coords": whole["frac_coords"][:-1]},
        {**whole, "lattice_ang": [[4.0, 0.0, 0.0]]},
        {**whole, "frac_coords": [[0.5, 0.5]] * 4},
        {"species": ["Cu"]},
    ]
    given = [
        {"candidate_id": str(at), "formula": "X", "outcome": "ok", "structure": one}
        for at, one in enumerate(broken)
    ]
    publish(tmp_path, "results", {"campaign": "c", "stage": "s"}, given, results_columns())
    (view,) = (one for one in views() if one.name == "structures")
    found = query(f"SELECT candidate_id, a_ang, cif FROM ({view.sql}) AS s ORDER BY 1", [tmp_path])  # noqa: S608  (a shipped query)
    assert found.rows == [("0", 3.25, None), ("1", 4.0, None), ("2", 3.25, None), ("3", None, None)]


def test_the_example_gives_the_cif_of_the_best_as_the_view_does(
    root: Path, rows: dict[str, Row]
) -> None:
    found = query(example("structures").of("cells").sql, [root])
    names = [name for name, _ in found.columns]
    given = [dict(zip(names, row, strict=True)) for row in found.rows]
    assert [row["candidate_id"] for row in given] == list(CELLS)[:20]
    assert [row["cif"] for row in given] == [rows[name]["cif"] for name in list(CELLS)[:20]]


def test_the_cif_of_the_best_candidate_is_written_as_the_page_says(bench: Any, call: Any) -> None:
    folder = bench.folder / "data" / "tables"
    folder.mkdir(parents=True)
    publish_cells(folder, "oxides")
    page = (Path(__file__).parents[3] / "docs" / "sql.md").read_text("utf-8")
    (found,) = re.findall(
        r'^campaign sql --json "\n(.*?)^" \| jq -j (.*) > best', page, re.MULTILINE | re.DOTALL
    )
    code, out, _ = call("sql", "--json", found[0])
    assert (code, found[1]) == (0, "'.data.rows[0][0]'")
    check_same_crystal(read_back(json.loads(out)["data"]["rows"][0][0]), CELLS["cubic"])
