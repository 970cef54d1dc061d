from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.crystal.equivalence import Equivalence
from runner.crystal.fingerprint import fingerprint, group_of
from schemas.structure import Structure

PEROVSKITE = ((0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5))


def perovskite(
    a: float = 3.91, species: Sequence[str] = ("Sr", "Ti", "O", "O", "O"), **more: object
) -> Structure:
    return Structure.model_validate(
        {
            "lattice_ang": [[a, 0, 0], [0, a, 0], [0, 0, a]],
            "species": species,
            "frac_coords": PEROVSKITE,
            **more,
        }
    )


def doubled(structure: Structure, steps: Sequence[Sequence[int]]) -> Structure:
    """Return a supercell, its sites in another order and moved by one shift."""
    made = structure.to_pymatgen()
    made.make_supercell(steps)
    rng = np.random.default_rng(1)
    order = rng.permutation(len(made))
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    return Structure(
        lattice_ang=tuple(map(tuple, (made.lattice.matrix @ turn).tolist())),
        species=tuple(made[i].specie.symbol for i in order),
        frac_coords=tuple(map(tuple, (made.frac_coords[order] + [0.3, 0.1, 0.7]).tolist())),
        moments_bohr=(
            tuple(float(made[i].properties["magmom"]) for i in order)
            if structure.moments_bohr
            else None
        ),
        charge=structure.charge * len(made) / structure.n_atoms,
    )


@pytest.mark.parametrize(
    "steps",
    [[[2, 0, 0], [0, 1, 0], [0, 0, 1]], [[1, 1, 0], [1, -1, 0], [0, 0, 1]],
     [[1, 0, 0], [3, 1, 0], [0, -2, 1]]],
)  # fmt: skip
def test_other_cells_of_one_crystal_are_equivalent_and_have_one_fingerprint(
    steps: list[list[int]],
) -> None:
    known: Equivalence[int] = Equivalence()
    cell, other = perovskite(), doubled(perovskite(), steps)

    assert known.first(0, cell) is None
    assert known.first(1, other) == 0
    assert fingerprint(cell).text() == fingerprint(other).text()


def test_other_crystals_of_the_same_formula_are_not_equivalent() -> None:
    known: Equivalence[int] = Equivalence()
    known.add(0, perovskite())

    swapped = perovskite(species=("Ti", "Sr", "O", "O", "O"))
    larger = perovskite(a=4.3)

    assert known.find(swapped) is None
    assert known.find(larger) is None
    assert known.find(perovskite(a=3.93)) == 0
    assert fingerprint(swapped).text() != fingerprint(perovskite()).text()


def test_moments_and_charge_tell_crystals_apart() -> None:
    known: Equivalence[str] = Equivalence()
    up = perovskite(moments_bohr=(0, 3.0, 0, 0, 0))
    known.add("up", up)

    assert known.find(perovskite()) is None
    assert known.find(perovskite(moments_bohr=(0, 2.0, 0, 0, 0))) is None
    assert known.find(perovskite(moments_bohr=(0, 3.0, 0, 0, 0), charge=1.0)) is None
    assert known.find(doubled(up, [[2, 0, 0], [0, 1, 0], [0, 0, 1]])) == "up"
    assert group_of(doubled(perovskite(charge=1.0), [[2, 0, 0], [0, 1, 0], [0, 0, 1]])) == group_of(
        perovskite(charge=1.0)
    )


def test_the_first_of_several_is_named_and_only_new_ones_are_remembered() -> None:
    known: Equivalence[int] = Equivalence()
    lattices = (3.91, 4.3, 3.92, 4.31, 4.7, 3.90)

    found = [known.first(row, perovskite(a=a)) for row, a in enumerate(lattices)]

    assert found == [None, None, 0, 1, None, 0]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.001, 0.2))
def test_a_fingerprint_moves_by_at_most_twice_the_largest_displacement(
    seed: int, largest_ang: float
) -> None:
    rng = np.random.default_rng(seed)
    cell = perovskite()
    steps = rng.normal(size=(5, 3))
    steps *= largest_ang / np.linalg.norm(steps, axis=1).max()
    moved = cell.model_copy(
        update={"frac_coords": tuple(map(tuple, (np.array(PEROVSKITE) + steps / 3.91).tolist()))}
    )

    (apart,) = fingerprint(cell).apart_ang(fingerprint(moved).distances_ang[None])

    assert apart <= 2 * largest_ang + 1e-9


def test_a_cell_without_volume_is_refused() -> None:
    flat = perovskite().model_copy(update={"lattice_ang": ((1, 0, 0), (2, 0, 0), (0, 0, 1))})

    with pytest.raises(ValueError, match="spans no volume"):
        fingerprint(flat)
