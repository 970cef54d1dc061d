import numpy as np
import pytest

from runner.crystal.cells import arrays, from_arrow, to_arrow
from schemas.structure import Structure

CUBIC = ((4.0, 0.0, 0.0), (0.0, 4.0, 0.0), (0.0, 0.0, 4.0))
IRON = Structure(
    lattice_ang=((1.4, 1.4, 1.4), (-1.4, 1.4, 1.4), (-1.4, -1.4, 1.4)),
    species=("Fe",),
    frac_coords=((0.0, 0.0, 0.0),),
    moments_bohr=(2.2,),
    charge=-1.0,
)
SALT = Structure(
    lattice_ang=CUBIC, species=("Cs", "Cl"), frac_coords=((0.0, 0.0, 0.0), (0.5, 0.25, 0.75))
)


def test_structures_survive_the_way_there_and_back() -> None:
    assert from_arrow(to_arrow([IRON, SALT])) == [IRON, SALT]
    assert from_arrow(to_arrow([])) == []


def test_a_slice_gives_the_arrays_of_its_own_cells() -> None:
    cells = arrays(to_arrow([IRON, SALT, IRON]).slice(1, 2))
    assert len(cells) == 2
    lattice, numbers, frac = cells.one(0)
    assert np.array_equal(lattice, CUBIC)
    assert numbers.tolist() == [55, 17]
    assert frac.tolist() == [[0.0, 0.0, 0.0], [0.5, 0.25, 0.75]]
    assert cells.one(1)[1].tolist() == [26]
    assert np.array_equal(from_arrow(to_arrow([SALT]).slice(0, 1))[0].lattice_ang, CUBIC)


def test_a_species_that_is_no_element_is_refused() -> None:
    with pytest.raises(ValueError, match="'Xx' is not an element"):
        to_arrow([SALT.model_copy(update={"species": ("Xx", "Cl")})])
