from pathlib import Path

import pytest
from pymatgen.core import Lattice
from pymatgen.core import Structure as PymatgenStructure

from runner.crystal.disorder import Occupants
from runner.crystal.reading import read_disordered, read_structures
from schemas.errors import UserError
from schemas.structure import Structure

PLACES = [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]


def written(folder: Path, *species: object, name: str = "x.cif") -> Path:
    path = folder / name
    PymatgenStructure(Lattice.cubic(4.0), list(species), PLACES).to(filename=str(path))
    return path


@pytest.mark.parametrize("name", ["x.cif", "x.json"])
def test_partial_occupancy_is_read_as_it_is_given(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, {"Ti": 0.5, "Zr": 0.5}, {"O": 0.9}, name=name)

    (found,) = read_disordered(path)

    titanium, oxygen = found.cell.sites
    assert titanium == Occupants(("Ti", "Zr"), (0.5, 0.5))
    assert oxygen.symbols == ("O", "vacancy")
    assert oxygen.fractions == pytest.approx((0.9, 0.1))
    assert found.cell.formula == "Ti0.5Zr0.5O0.9"


def test_states_of_one_element_are_one_occupant(tmp_path: Path) -> None:
    path = written(tmp_path, {"Fe2+": 0.25, "Fe3+": 0.5, "Ni2+": 0.25}, "O2-", name="x.json")

    (found,) = read_disordered(path)

    iron, oxygen = found.cell.sites
    assert dict(zip(iron.symbols, iron.fractions or (), strict=True)) == {"Fe": 0.75, "Ni": 0.25}
    assert oxygen.symbols == ("O",)


def test_rounded_thirds_fill_their_site(tmp_path: Path) -> None:
    path = written(tmp_path, {"Ti": 0.333, "Zr": 0.333, "Hf": 0.333}, "O", name="x.json")

    (found,) = read_disordered(path)

    assert found.cell.sites[0].symbols == ("Ti", "Zr", "Hf")
    assert found.cell.sites[0].fractions == pytest.approx((1 / 3,) * 3)


def test_an_ordered_file_is_the_same_by_both_ways(tmp_path: Path) -> None:
    path = written(tmp_path, "Mg", "O")

    (ordered,), (found,) = read_structures(path), read_disordered(path)

    assert isinstance(ordered.structure, Structure)
    assert found.cell.sites == (Occupants(("Mg",)), Occupants(("O",)))
    assert found.cell.frac_coords == ordered.structure.frac_coords
    assert found.cell.lattice_ang == ordered.structure.lattice_ang


def test_a_site_with_no_element_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, {"Ti": 0.5, "X": 0.5}, "O", name="x.json")

    with pytest.raises(UserError, match=r"x\.json: site 1: 'X' is not an element"):
        list(read_disordered(path))


def test_who_reads_ordered_cells_is_told_of_the_generator_that_makes_them(tmp_path: Path) -> None:
    path = written(tmp_path, {"Ti": 0.5, "Zr": 0.5}, "O")

    with pytest.raises(UserError, match=r"partially occupied sites .* `kind: orderings` makes"):
        list(read_structures(path))
