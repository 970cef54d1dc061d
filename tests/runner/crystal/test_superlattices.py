import numpy as np
import pytest

from runner.crystal.superlattices import (
    coset_numbers,
    coset_points,
    distinct_superlattices,
    hermite_form,
    keeps,
    superlattices,
)
from runner.crystal.symmetry import Cell, operations

LATTICES = {
    "fcc": [[0, 1, 1], [1, 0, 1], [1, 1, 0]],
    "bcc": [[-1, 1, 1], [1, -1, 1], [1, 1, -1]],
    "sc": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "hexagonal": [[1, 0, 0], [-0.5, 3**0.5 / 2, 0], [0, 0, 1.7]],
    "tetragonal": [[1, 0, 0], [0, 1, 0], [0, 0, 1.3]],
}
# Hart and Forcade, Phys. Rev. B 77, 224115 (2008), table IV: superlattices by size, from 1.
DISTINCT = {
    "fcc": [1, 2, 3, 7, 5, 10, 7, 20, 14, 18],
    "bcc": [1, 2, 3, 7, 5, 10, 7, 20, 14, 18],
    "sc": [1, 3, 3, 9, 5, 13, 7, 24, 14, 23],
    "hexagonal": [1, 3, 5, 11, 7, 19, 11, 34, 23, 33],
    "tetragonal": [1, 5, 5, 17, 9, 29, 13, 51, 28, 53],
}
# OEIS A001001.
ALL = [1, 7, 13, 35, 31, 91, 57, 155, 130, 217, 133, 455]


def rotations(name: str) -> np.ndarray:
    lattice = np.array(LATTICES[name], dtype=float)
    return operations(Cell(lattice, np.zeros((1, 3)), np.zeros(1, dtype=np.int64))).rotations


def test_all_superlattices_of_a_size_are_there_once() -> None:
    for size, number in enumerate(ALL, start=1):
        found = list(superlattices(size))
        assert len(found) == len(set(found)) == number


@pytest.mark.parametrize("name", DISTINCT)
def test_symmetry_leaves_the_published_numbers(name: str) -> None:
    group = rotations(name)

    found = [sum(1 for _ in distinct_superlattices(n, group)) for n in range(1, 11)]

    assert found == DISTINCT[name]


def test_a_normal_form_is_the_same_for_every_basis_of_a_lattice() -> None:
    random = np.random.default_rng(3)
    for hermite in superlattices(12):
        basis = np.array(hermite)
        for _ in range(5):
            first, second = random.choice(3, 2, replace=False)
            basis[first] += int(random.integers(-3, 4)) * basis[second]
        assert hermite_form(basis[[1, 2, 0]].tolist()) == hermite


def test_points_of_a_superlattice_fall_on_its_origin_and_others_have_a_number_each() -> None:
    for hermite in superlattices(6):
        points = coset_points(hermite)
        assert coset_numbers(hermite, points).tolist() == list(range(6))
        far = points + 5 * np.array(hermite)[0] - 7 * np.array(hermite)[2]
        assert coset_numbers(hermite, far).tolist() == list(range(6))


def test_a_rotation_that_turns_a_long_cell_does_not_keep_it() -> None:
    group = rotations("sc")

    kept = keeps(((1, 0, 0), (0, 1, 0), (0, 0, 2)), group)

    assert len(group) == 48
    assert kept.sum() == 16
