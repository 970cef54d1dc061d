import json
import warnings
from pathlib import Path

import pytest
from pydantic import ValidationError
from pymatgen.core import Lattice
from pymatgen.core import Structure as PymatgenStructure

from runner.space.orderings import OrderingsParams, plugin
from schemas.candidate import Candidate
from schemas.errors import UserError
from schemas.protocols import Surroundings
from schemas.structure import Structure

PEROVSKITE = {
    "kind": "prototype",
    "prototype": "perovskite-cubic",
    "species": {"A": ["Sr"], "B": ["Ti"], "X": ["O"]},
    "lattice_ang": 3.905,
}
HALF = {"Ti": {"Ti": 0.5, "Zr": 0.5}}
CUBE = {"kind": "supercells", "of": PEROVSKITE, "matrix": [2, 2, 2]}


def made(folder: Path = Path(), seed: int = 7, **params: object) -> list[Candidate]:
    given = OrderingsParams.model_validate(params)
    return list(plugin.candidates(given, Surroundings(folder=folder, seed=seed)))


def space_group(structure: Structure) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # spglib announces changes of its own
        return int(structure.to_pymatgen().get_space_group_info()[1])


def test_rocksalt_layered_and_columnar_order_are_the_smallest_of_a_double_perovskite() -> None:
    smallest = made(of=PEROVSKITE, replace=HALF, max_atoms=10)

    assert [c.formula for c in smallest] == ["Sr2TiZrO6"] * 3
    assert [c.structure.n_atoms for c in smallest] == [10] * 3
    # Layers, columns and rocksalt order; see King and Woodward, J. Mater. Chem. 20, 5785 (2010),
    # doi:10.1039/b926757c.
    assert sorted(space_group(c.structure) for c in smallest) == [123, 123, 225]
    assert all(c.extra["ordering_size"] == 2 for c in smallest)


def test_a_supercell_as_it_stands_has_each_arrangement_of_its_atoms_once() -> None:
    eight = made(of=CUBE, replace=HALF)

    # 8 choose 4 is 70; six are told apart by the symmetry of the cube with its translations.
    assert sorted(c.extra["ordering_degeneracy"] for c in eight) == [2, 6, 6, 8, 24, 24]
    assert all(c.structure.n_atoms == 40 for c in eight)
    lattice = eight[0].structure.lattice_ang
    assert lattice == ((7.81, 0.0, 0.0), (0.0, 7.81, 0.0), (0.0, 0.0, 7.81))


def test_no_two_of_them_are_the_same_crystal() -> None:
    from pymatgen.analysis.structure_matcher import StructureMatcher

    found = made(of=PEROVSKITE, replace=HALF, max_atoms=30)

    groups = StructureMatcher().group_structures([c.structure.to_pymatgen() for c in found])

    assert len(groups) == len(found) == 35


def test_any_proportion_is_a_list_and_empty_sites_are_vacancies() -> None:
    found = made(of=PEROVSKITE, replace={"Sr": ["Sr", "vacancy"]}, max_size=1)

    assert [c.formula for c in found] == ["SrTiO3", "TiO3"]
    assert found[1].structure.n_atoms == 4


def write(folder: Path, name: str = "mixed.cif") -> None:
    PymatgenStructure(
        Lattice.cubic(4.0),
        ["Sr", {"Ti": 0.5, "Zr": 0.5}, "O", "O", "O"],
        [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]],
    ).to(filename=str(folder / name))


def test_partially_occupied_files_are_ordered_like_what_they_stand_for(tmp_path: Path) -> None:
    write(tmp_path)
    files = {"kind": "structures", "files": "*.cif"}

    from_file = made(tmp_path, of=files, max_atoms=20)
    from_choice = made(of=PEROVSKITE, replace=HALF, max_atoms=20)

    assert [c.composition for c in from_file] == [c.composition for c in from_choice]
    assert from_file[0].extra["file"] == "mixed.cif"
    assert from_file[0].extra["parent_formula"] == "SrTi0.5Zr0.5O3"
    assert from_file[0].choice["of"] == {"file": "mixed.cif", "index": 0}


def test_an_ordered_file_is_its_own_only_ordering(tmp_path: Path) -> None:
    lattice = Lattice.cubic(4.0)
    copper = PymatgenStructure.from_spacegroup("Fm-3m", lattice, ["Cu"], [[0, 0, 0]])
    (tmp_path / "cu.json").write_text(json.dumps(copper.as_dict()))
    files = {"kind": "structures", "files": "*.json"}

    (whole,) = made(tmp_path, of=files)
    (reduced,) = made(tmp_path, of={**files, "primitive": True})

    assert (whole.structure.n_atoms, reduced.structure.n_atoms) == (4, 1)
    assert whole.extra["ordering_degeneracy"] == 1


def test_samples_follow_the_seed() -> None:
    large = {"kind": "supercells", "of": PEROVSKITE, "matrix": [4, 2, 2]}

    first = [c.id for c in made(of=large, replace=HALF, sample=5)]

    assert len(set(first)) == 5
    assert [c.id for c in made(of=large, replace=HALF, sample=5)] == first
    assert [c.id for c in made(seed=8, of=large, replace=HALF, sample=5)] != first


def test_what_has_nothing_to_replace_or_does_not_fit_is_a_candidate_that_says_so() -> None:
    (other,) = made(of=PEROVSKITE, replace={"Nb": {"Nb": 0.5, "Ta": 0.5}}, max_atoms=10)
    (third,) = made(of=PEROVSKITE, replace={"Ti": {"Ti": 0.3, "Zr": 0.7}}, max_atoms=10)
    (small,) = made(of=PEROVSKITE, replace=HALF, max_atoms=4)

    for candidate, message in (
        (other, "SrTiO3: has no site of Nb alone"),
        (third, r"on 1 site; max_atoms: 50 would do"),
        (small, "its primitive cell has 5 sites, more than max_atoms"),
    ):
        with pytest.raises(UserError, match=message):
            _ = candidate.structure


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"max_size": 2}, "`kind: prototype` yields ordered cells: give `replace`"),
        ({"replace": {"Ti": {"Ti": 0.5, "Zx": 0.5}}}, "Ti: 'Zx' is not an element"),
        ({"replace": {"Ti": {"Ti": 0.7, "Zr": 0.5}}}, "Ti: fractions sum up to 1.2"),
        ({"replace": {"Ti": ["Zr"]}}, "Ti: at least two elements"),
        ({"replace": HALF, "max_size": 0}, "greater than or equal to 1"),
    ],
)
def test_mistakes_in_params_are_named(params: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        OrderingsParams.model_validate({"of": PEROVSKITE, **params})
