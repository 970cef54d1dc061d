import numpy as np
import pytest
from pydantic import ValidationError

from runner.crystal.supercell import MOST_ATOMS, SupercellSize, repeated, whole_matrix, widths_ang
from schemas.structure import Structure

SALT = Structure(
    lattice_ang=((0.0, 2.1, 2.1), (2.1, 0.0, 2.1), (2.1, 2.1, 0.0)),
    species=("Mg", "O"),
    frac_coords=((0.0, 0.0, 0.0), (0.5, 0.5, 0.5)),
    moments_bohr=(0.0, 1.5),
    charge=1.0,
)
CUBIC = ((-1, 1, 1), (1, -1, 1), (1, 1, -1))


@pytest.mark.parametrize("matrix", [(2, 1, 3), CUBIC, ((1, 1, 0), (0, 2, 1), (0, 0, 1))])
def test_a_supercell_is_the_same_crystal(matrix: object) -> None:
    from pymatgen.analysis.structure_matcher import StructureMatcher

    size = SupercellSize.model_validate({"matrix": matrix})
    supercell = repeated(SALT, size.matrix_of(SALT))
    times = round(np.linalg.det(np.array(size.fixed())))

    assert supercell.n_atoms == 2 * times
    assert supercell.species == ("Mg",) * times + ("O",) * times
    assert supercell.moments_bohr == (0.0,) * times + (1.5,) * times
    assert supercell.charge == times
    assert StructureMatcher(scale=False).fit(supercell.to_pymatgen(), SALT.to_pymatgen())


def test_three_numbers_are_repeats_along_the_cell_vectors() -> None:
    assert whole_matrix((2, 3, 4)) == ((2, 0, 0), (0, 3, 0), (0, 0, 4))
    supercell = repeated(SALT, whole_matrix((2, 3, 4)))
    assert np.allclose(
        supercell.lattice_ang, np.diag((2, 3, 4)) @ np.array(SALT.lattice_ang), atol=1e-12
    )


def test_a_least_length_is_reached_between_all_faces_and_by_no_more_than_it_takes() -> None:
    long = SALT.model_copy(
        update={"lattice_ang": ((3.0, 0.0, 0.0), (1.0, 4.0, 0.0), (0.0, 0.0, 5.0))}
    )
    size = SupercellSize(min_length_ang=10.0)

    supercell = repeated(long, size.matrix_of(long))

    assert min(widths_ang(supercell)) >= 10.0
    assert size.matrix_of(long) == ((4, 0, 0), (0, 3, 0), (0, 0, 2))
    assert SupercellSize(min_length_ang=15.0).matrix_of(long)[2] == (0, 0, 3)  # 3 x 5, exactly


@pytest.mark.parametrize(("n_atoms", "repeats"), [(1, 1), (2, 1), (16, 2), (53, 2), (54, 3)])
def test_a_number_of_atoms_is_never_exceeded_but_by_the_cell_itself(
    n_atoms: int, repeats: int
) -> None:
    matrix = SupercellSize(n_atoms=n_atoms).matrix_of(SALT)

    assert matrix == whole_matrix((repeats, repeats, repeats))


def test_a_flat_cell_is_repeated_where_its_images_are_near() -> None:
    flat = SALT.model_copy(
        update={"lattice_ang": ((3.0, 0.0, 0.0), (0.0, 3.0, 0.0), (0.0, 0.0, 12.0))}
    )

    assert SupercellSize(n_atoms=32).matrix_of(flat) == whole_matrix((4, 4, 1))


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ({}, "exactly one of matrix, n_atoms and min_length_ang; found none"),
        ({"matrix": (2, 2, 2), "n_atoms": 5}, "found matrix and n_atoms"),
        ({"matrix": (2, 0, 2)}, "its determinant is 0, expected 1 or more"),
        ({"matrix": ((0, 1, 0), (1, 0, 0), (0, 0, 1))}, "its determinant is -1"),
        ({"min_length_ang": -1.0}, "greater than"),
    ],
)
def test_mistakes_are_named(size: object, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SupercellSize.model_validate(size)


def test_a_supercell_that_no_stage_takes_is_refused() -> None:
    with pytest.raises(ValueError, match="2000000 atoms; give a smaller one"):
        repeated(SALT, whole_matrix((100, 100, 100)))
    assert MOST_ATOMS < 2_000_000
