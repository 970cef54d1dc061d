from collections import Counter
from itertools import permutations
from random import Random

import numpy as np
import pytest

from runner.crystal.disorder import DisorderedCell, any_of, disordered, fractional, replaced
from runner.crystal.frame import Parent
from runner.crystal.ordering import Ordering, orderings
from schemas.structure import Structure, Vector

FCC: tuple[Vector, ...] = ((0.0, 1.8, 1.8), (1.8, 0.0, 1.8), (1.8, 1.8, 0.0))
CUBE: tuple[Vector, ...] = ((3.6, 0.0, 0.0), (0.0, 3.6, 0.0), (0.0, 0.0, 3.6))
HEXAGON: tuple[Vector, ...] = (
    (3.2, 0.0, 0.0),
    (-1.6, 1.6 * 3**0.5, 0.0),
    (0.0, 0.0, 3.2 * (8 / 3) ** 0.5),
)
FCC_PLACES = ((0.0, 0.0, 0.0), (0.5, 0.5, 0.0), (0.5, 0.0, 0.5), (0.0, 0.5, 0.5))
HCP_PLACES = ((1 / 3, 2 / 3, 0.25), (2 / 3, 1 / 3, 0.75))


def alloy(
    lattice: tuple[Vector, ...], *elements: str, places: tuple[Vector, ...] = ((0.0, 0.0, 0.0),)
) -> DisorderedCell:
    structure = Structure.model_validate(
        {
            "lattice_ang": lattice,
            "species": (elements[0],) * len(places),
            "frac_coords": places,
        }
    )
    return replaced(disordered(structure), {elements[0]: any_of(elements)})


def made(
    cell: DisorderedCell, largest: int, *, primitive: bool = True, sample: int | None = None
) -> list[Ordering]:
    return list(
        orderings(
            Parent(cell, primitive=primitive),
            largest=largest,
            superperiodic=not primitive,
            tolerance=0.005,
            sample=sample,
            random=Random(7),
        )
    )


def without_names(found: list[Ordering], n_elements: int) -> Counter[int]:
    """Numbers of orderings by size, those that differ only in the elements' names once."""
    numbers: Counter[int] = Counter()
    by_frame: dict[int, tuple[set[tuple[int, ...]], Ordering]] = {}
    for one in found:
        if one.colouring and len(set(one.colouring.colours)) == n_elements:
            by_frame.setdefault(id(one.frame), (set(), one))[0].add(one.colouring.colours)
    for every, one in by_frame.values():
        group = one.frame.permutations
        seen: set[tuple[int, ...]] = set()
        for colours in every:
            if colours not in seen:
                numbers[one.frame.size] += 1
            for names in permutations(range(n_elements)):
                renamed = np.array([names[colour] for colour in colours])
                seen.add(min(map(tuple, renamed[group].tolist())))
    return numbers


@pytest.mark.parametrize(
    ("cell", "n_elements", "numbers"),
    [
        # Hart and Forcade, Phys. Rev. B 77, 224115 (2008), table IV: names exchanged are equal.
        (alloy(FCC, "Cu", "Au"), 2, [0, 2, 3, 12, 14, 50, 52, 229]),
        (alloy(CUBE, "Cu", "Au"), 2, [0, 3, 3, 15]),
        (alloy(FCC, "Cu", "Au", "Ag"), 3, [0, 0, 3, 13, 23, 130]),
        # Hart and Forcade, Phys. Rev. B 80, 014120 (2009), table II: two sites in the parent.
        (alloy(HEXAGON, "Mg", "Al", places=HCP_PLACES), 2, [1, 7, 30, 163]),
        # A conventional cell is reduced to the primitive one.
        (alloy(CUBE, "Cu", "Au", places=FCC_PLACES), 2, [0, 2, 3, 12]),
    ],
)
def test_there_are_as_many_derivative_structures_as_published(
    cell: DisorderedCell, n_elements: int, numbers: list[int]
) -> None:
    found = without_names(made(cell, len(numbers)), n_elements)

    assert [found[size] for size in range(1, len(numbers) + 1)] == numbers


def test_no_two_orderings_are_the_same_crystal() -> None:
    from pymatgen.analysis.structure_matcher import StructureMatcher

    found = [one.build().to_pymatgen() for one in made(alloy(FCC, "Cu", "Au"), 5)]

    groups = StructureMatcher(scale=False).group_structures(found)

    assert len(groups) == len(found) == 57


def test_atoms_sit_on_the_sites_of_the_parent() -> None:
    parent = np.array(FCC)
    for one in made(alloy(FCC, "Cu", "Au"), 6):
        structure = one.build()
        places = np.array(structure.frac_coords) @ np.array(structure.lattice_ang)
        on_sites = places @ np.linalg.inv(parent)
        assert np.abs(on_sites - np.rint(on_sites)).max() < 1e-9
        assert structure.volume_ang3 == pytest.approx(one.frame.size * 3.6**3 / 4)
        assert dict(Counter(structure.species)) == dict(one.amounts)


def test_degeneracies_sum_up_to_all_arrangements_of_a_given_cell() -> None:
    cell = alloy(CUBE, "Cu", "Au", places=FCC_PLACES)

    found = made(cell, 1, primitive=False)

    assert Counter(one.amounts.get("Au", 0) for one in found) == {0: 1, 1: 1, 2: 1, 3: 1, 4: 1}
    assert sum(one.colouring.degeneracy for one in found if one.colouring) == 2**4
    assert {one.build().lattice_ang for one in found} == {CUBE}


def test_fractions_choose_the_compositions_and_what_is_missing_is_vacancy() -> None:
    cell = replaced(
        disordered(Structure(lattice_ang=FCC, species=("Li",), frac_coords=((0.0, 0.0, 0.0),))),
        {"Li": fractional({"Li": 0.5, "Na": 0.25})},
    )

    found = made(cell, 4)

    assert found
    assert all(dict(one.amounts) == {"Li": 2, "Na": 1} for one in found)
    assert all(one.build().n_atoms == 3 for one in found)


def test_sites_that_may_hold_the_same_share_their_atoms_whatever_held_them() -> None:
    salt = Structure(
        lattice_ang=CUBE, species=("Cs", "Cl"), frac_coords=((0.0,) * 3, (0.5, 0.5, 0.5))
    )
    half = fractional({"Cu": 0.5, "Zn": 0.5})
    cell = replaced(disordered(salt), {"Cs": half, "Cl": half})

    found = made(cell, 2)

    # The parent is body-centred then; of size two it has the CsCl structure and a tetragonal one.
    assert [(one.frame.size, one.build().n_atoms) for one in found] == [(2, 2), (2, 2)]


def test_where_nothing_fits_the_message_says_what_would() -> None:
    cell = replaced(
        disordered(Structure(lattice_ang=FCC, species=("Cu",), frac_coords=((0.0, 0.0, 0.0),))),
        {"Cu": fractional({"Cu": 0.3, "Au": 0.7})},
    )

    with pytest.raises(ValueError, match=r"holds Cu 0\.3, Au 0\.7 on 1 site; max_atoms: 10 would"):
        made(cell, 4)


def test_too_many_arrangements_are_refused_one_by_one_and_sampled_on_request() -> None:
    places = tuple((x / 4, y / 4, z / 2) for x in range(4) for y in range(4) for z in range(2))
    half = replaced(
        disordered(
            Structure.model_validate(
                {"lattice_ang": CUBE, "species": ("Cu",) * 32, "frac_coords": places}
            )
        ),
        {"Cu": fractional({"Cu": 0.5, "Au": 0.5})},
    )

    (refused,) = made(half, 1, primitive=False)
    sampled = made(half, 1, primitive=False, sample=5)

    with pytest.raises(ValueError, match=r"601,080,390 arrangements .* give sample"):
        refused.build()
    assert len({one.colouring.colours for one in sampled if one.colouring}) == 5


def test_moments_stay_where_there_is_no_choice() -> None:
    salt = Structure(
        lattice_ang=CUBE,
        species=("Fe", "O"),
        frac_coords=((0.0,) * 3, (0.5, 0.5, 0.5)),
        moments_bohr=(4.0, 0.5),
        charge=1.0,
    )
    cell = replaced(disordered(salt), {"O": fractional({"O": 0.5, "S": 0.5})})

    found = made(cell, 2)

    assert found
    for one in found:
        structure = one.build()
        moments = dict(zip(structure.species, structure.moments_bohr or (), strict=True))
        assert moments == {"Fe": 4.0, "O": 0.0, "S": 0.0}
        assert structure.charge == 2.0
