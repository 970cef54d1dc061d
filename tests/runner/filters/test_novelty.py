from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from runner.crystal.cells import to_arrow
from runner.filters.novelty import NoveltyParams, plugin
from schemas.errors import UserError
from schemas.protocols import Surroundings
from schemas.structure import Structure


def salt(a: float = 5.64, cation: str = "Na") -> Structure:
    h = a / 2
    return Structure(
        lattice_ang=((0, h, h), (h, 0, h), (h, h, 0)),
        species=(cation, "Cl"),
        frac_coords=((0, 0, 0), (0.5, 0.5, 0.5)),
    )


@pytest.fixture
def known(tmp_path: Path) -> Path:
    cube = salt().to_pymatgen()
    cube.make_supercell([[-1, 1, 1], [1, -1, 1], [1, 1, -1]])
    cube.to(str(tmp_path / "salt.cif"), fmt="cif")
    return tmp_path


def scored(
    folder: Path, *structures: Structure, references: tuple[Structure, ...] = (), **params: object
) -> list[Any]:
    chosen = NoveltyParams.model_validate(params)
    here = Surroundings(folder=folder, seed=0, references=references)
    batch = pa.record_batch({"structure": to_arrow(structures)})
    rows: list[Any] = plugin.scorer(chosen, here)(batch).to_pylist()
    return rows


def test_a_known_crystal_is_found_in_another_cell_and_named(known: Path) -> None:
    same, strained, other = scored(known, salt(), salt(a=6.2), salt(cation="K"), files="*.cif")

    assert same == {
        "novel": False, "equivalent_to": "salt.cif", "novel_formula": False, "note": None,
        "error": None,
    }  # fmt: skip
    assert (strained["novel"], strained["novel_formula"]) == (True, False)
    assert (other["novel"], other["novel_formula"]) == (True, True)


def test_tables_of_structures_are_read_with_their_names(tmp_path: Path) -> None:
    cells = pa.table({"structure": to_arrow([salt(cation="K"), salt()]), "name": ["kcl", "nacl"]})
    texts = pa.table({"structure": [salt(cation="Rb").model_dump_json()]})
    pq.write_table(cells, tmp_path / "cells.parquet")
    pq.write_table(texts, tmp_path / "texts.parquet")

    sodium, rubidium = scored(tmp_path, salt(), salt(cation="Rb"), files="*.parquet")

    assert sodium["equivalent_to"] == "nacl"
    assert rubidium["equivalent_to"] == "texts.parquet#0"


def test_the_campaigns_references_can_be_what_is_known(tmp_path: Path) -> None:
    (row,) = scored(tmp_path, salt(), references=(salt(cation="K"), salt()), use_references=True)

    assert row["equivalent_to"] == "reference 1 (NaCl)"


def test_what_is_known_enters_the_key_of_stored_values(known: Path) -> None:
    params = NoveltyParams(files=("*.cif",), use_references=True)
    one = Surroundings(folder=known, seed=0, references=(salt(),))
    other = Surroundings(folder=known, seed=0, references=(salt(a=5.7),))

    assert set(plugin.files(params, one)) == {"salt.cif", "reference 0"}
    assert plugin.files(params, one) != plugin.files(params, other)


def test_tables_without_structures_are_refused_with_what_they_hold(tmp_path: Path) -> None:
    pq.write_table(pa.table({"cell": [1]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"structure": ["no"]}), tmp_path / "b.parquet")
    (tmp_path / "c.parquet").write_text("nothing")

    for name, message in (
        ("a", "has no column 'structure' with structures; it has cell"),
        ("b", "holds something that is no structure"),
        ("c", "is no Parquet file"),
    ):
        with pytest.raises(UserError, match=message):
            scored(tmp_path, salt(), files=f"{name}.parquet")


def test_something_to_compare_with_must_be_given() -> None:
    with pytest.raises(ValidationError, match="nothing to compare with"):
        NoveltyParams()
