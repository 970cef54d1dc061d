import pytest

from runner.crystal.elements import SYMBOLS
from runner.hull.ground_states import ground_state, known_elements
from schemas.errors import UserError

SITES = {"Fe": 1, "Mg": 2, "Si": 2, "La": 4, "Sm": 3, "O": 2, "N": 8, "S": 32, "Mn": 29, "B": 12}
SPACE_GROUPS = {
    "Fe": 229,
    "O": 12,
    "F": 15,
    "N": 205,
    "S": 70,
    "Mn": 217,
    "C": 194,
    "Si": 227,
    "P": 64,
    "Se": 152,
    "Np": 62,
    "Pu": 11,
}
BONDS_ANG = {
    "H": 0.74,
    "N": 1.10,
    "O": 1.21,
    "F": 1.42,
    "Cl": 2.0,
    "Si": 2.35,
    "S": 2.05,
    "Fe": 2.48,
}
"""Donohue, The Structures of the Elements, Wiley (1974)."""
SHORTEST_ANG, LONGEST_ANG = 0.7, 5.3
"""H2 and caesium."""


@pytest.mark.parametrize("symbol", known_elements())
def test_every_structure_is_a_solid_of_that_element(symbol: str) -> None:
    structure = ground_state(symbol)

    assert set(structure.species) == {symbol}
    assert SHORTEST_ANG < nearest_ang(symbol) < LONGEST_ANG


def test_all_elements_up_to_plutonium_but_the_short_lived_are_there() -> None:
    short_lived = {"At", "Rn", "Fr", "Ra", "Ac"}

    assert set(known_elements()) == set(SYMBOLS[:94]) - short_lived


@pytest.mark.parametrize("symbol", SITES)
def test_cells_are_primitive(symbol: str) -> None:
    assert ground_state(symbol).n_atoms == SITES[symbol]


@pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")  # pymatgen
@pytest.mark.parametrize("symbol", SPACE_GROUPS)
def test_they_have_the_space_group_of_the_table(symbol: str) -> None:
    structure = ground_state(symbol).to_pymatgen()

    assert structure.get_space_group_info(symprec=0.01)[1] == SPACE_GROUPS[symbol]


@pytest.mark.parametrize("symbol", BONDS_ANG)
def test_neighbours_are_as_far_as_they_were_measured(symbol: str) -> None:
    assert nearest_ang(symbol) == pytest.approx(BONDS_ANG[symbol], abs=0.03)


def test_an_element_without_a_structure_is_told() -> None:
    with pytest.raises(UserError, match="no reference structure of Fr is known"):
        ground_state("Fr")


def nearest_ang(symbol: str) -> float:
    structure = ground_state(symbol).to_pymatgen()
    neighbours = structure.get_neighbors(structure[0], 6.0)
    return min(float(neighbour.nn_distance) for neighbour in neighbours)
