from pathlib import Path

import pytest

from runner.space.supercells import SupercellsParams, plugin
from schemas.candidate import Candidate
from schemas.protocols import Surroundings

HERE = Surroundings(folder=Path(), seed=7)
SALTS = {
    "kind": "prototype",
    "prototype": "rocksalt",
    "species": {"A": ["Li", "Na", "K"], "X": ["F"]},
    "lattice_ang": 4.2,
}


def made(**params: object) -> list[Candidate]:
    given = SupercellsParams.model_validate({"of": SALTS, **params})
    return list(plugin.candidates(given, HERE))


def test_a_matrix_needs_no_cell_before_one_is_asked_for() -> None:
    unknown = {**SALTS, "species": {"A": ["Li"], "X": ["Og"]}}
    unknown.pop("lattice_ang")

    (candidate,) = made(of=unknown, matrix=[3, 3, 3])

    assert candidate.composition == {"Li": 27, "Og": 27}


def test_the_cube_of_a_primitive_cell_has_eight_atoms_and_its_own_columns() -> None:
    candidate = made(matrix=[[-1, 1, 1], [1, -1, 1], [1, 1, -1]])[0]

    assert candidate.structure.n_atoms == 8
    assert candidate.structure.lattice_ang[0] == pytest.approx((4.2, 0.0, 0.0))
    assert candidate.extra["supercell_size"] == 4
    assert candidate.extra["supercell"] == "[[-1,1,1],[1,-1,1],[1,1,-1]]"


def test_targets_give_each_cell_its_own_matrix() -> None:
    sizes = [c.extra["supercell_size"] for c in made(n_atoms=54)]
    widths = [c.choice["matrix"] for c in made(min_length_ang=7.0)]

    assert sizes == [27] * 3
    assert widths == [[[3, 0, 0], [0, 3, 0], [0, 0, 3]]] * 3
    assert plugin.count(SupercellsParams.model_validate({"of": SALTS, "n_atoms": 9}), HERE) == 3
