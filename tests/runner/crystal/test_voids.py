import numpy as np
import pytest

from runner.crystal.symmetry import cell_of, operations
from runner.crystal.voids import Void, voids
from schemas.structure import Structure, Vector


def found(
    lattice: tuple[Vector, ...], *places: Vector, least_ang: float = 0.5
) -> list[tuple[float, int]]:
    structure = Structure.model_validate(
        {"lattice_ang": lattice, "species": ("Cu",) * len(places), "frac_coords": places}
    )
    return [(one.radius_ang, one.multiplicity) for one in of(structure, least_ang)]


def of(structure: Structure, least_ang: float = 0.5) -> list[Void]:
    cell = cell_of(structure)
    return list(voids(cell, operations(cell), least_ang=least_ang))


def test_fcc_has_octahedral_and_tetrahedral_places() -> None:
    lattice = ((0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0))
    cell = tuple((4 * a, 4 * b, 4 * c) for a, b, c in lattice)

    assert found(cell, (0.0, 0.0, 0.0)) == [
        (pytest.approx(4 / 2), 1),
        (pytest.approx(4 * 3**0.5 / 4), 2),
    ]


def test_bcc_has_tetrahedral_places_between_its_octahedral_ones() -> None:
    cell = ((-2.0, 2.0, 2.0), (2.0, -2.0, 2.0), (2.0, 2.0, -2.0))

    assert found(cell, (0.0, 0.0, 0.0)) == [(pytest.approx(4 * 5**0.5 / 4), 6)]


def test_diamond_has_tetrahedral_and_hexagonal_places() -> None:
    cell = ((0.0, 2.0, 2.0), (2.0, 0.0, 2.0), (2.0, 2.0, 0.0))

    assert found(cell, (0.0, 0.0, 0.0), (0.25, 0.25, 0.25)) == [
        (pytest.approx(4 * 3**0.5 / 4), 2),
        (pytest.approx(4 * 11**0.5 / 8), 4),
    ]


def test_the_same_places_are_found_in_another_cell_of_the_crystal() -> None:
    primitive = ((0.0, 2.0, 2.0), (2.0, 0.0, 2.0), (2.0, 2.0, 0.0))
    skewed = ((0.0, 2.0, 2.0), (2.0, 0.0, 2.0), (4.0, 4.0, 0.0))
    cube = ((4.0, 0.0, 0.0), (0.0, 4.0, 0.0), (0.0, 0.0, 4.0))
    faces = ((0.0, 0.0, 0.0), (0.5, 0.5, 0.0), (0.5, 0.0, 0.5), (0.0, 0.5, 0.5))

    small = found(primitive, (0.0, 0.0, 0.0))
    doubled = found(skewed, (0.0, 0.0, 0.0), (0.0, 0.0, 0.5))

    for cell, size in ((found(cube, *faces), 4), (doubled, 2)):
        assert [radius for radius, _ in cell] == pytest.approx([radius for radius, _ in small])
        assert [n for _, n in cell] == [size * n for _, n in small]


def test_an_empty_layer_has_places_too_however_flat_the_cell() -> None:
    flat = ((2.5, 0.0, 0.0), (0.0, 2.5, 0.0), (0.0, 0.0, 20.0))

    radii = [radius for radius, _ in found(flat, (0.0, 0.0, 0.0), (0.5, 0.5, 0.1))]

    assert max(radii) == pytest.approx(9.0, abs=0.5)


def test_places_too_near_an_atom_are_left_out() -> None:
    cube = ((4.0, 0.0, 0.0), (0.0, 4.0, 0.0), (0.0, 0.0, 4.0))

    assert found(cube, (0.0, 0.0, 0.0), least_ang=3.4) == [(pytest.approx(2 * 3**0.5), 1)]
    assert found(cube, (0.0, 0.0, 0.0), least_ang=3.5) == []


def test_a_place_is_as_far_from_the_atoms_as_it_says() -> None:
    random = np.random.default_rng(5)
    structure = Structure(
        lattice_ang=((5.0, 0.0, 0.0), (1.0, 6.0, 0.0), (0.5, -1.0, 7.0)),
        species=("Cu",) * 4,
        frac_coords=tuple(tuple(map(float, row)) for row in random.random((4, 3))),  # type: ignore[misc]
    )
    whole = structure.to_pymatgen()

    every = of(structure)

    assert len(every) > 3
    for one in every:
        sites = whole.get_sites_in_sphere(
            whole.lattice.get_cartesian_coords(one.frac_coords), one.radius_ang + 0.1
        )
        assert min(site.nn_distance for site in sites) == pytest.approx(one.radius_ang, abs=1e-6)
