from itertools import pairwise
from math import dist, hypot, pi

import numpy as np
import pytest

from fireworks_ext.engines.espresso.kpath import BandPath, standard_path
from schemas.structure import Structure

HEXAGONAL = ((3.2, 0.0, 0.0), (-1.6, 2.7712812921, 0.0), (0.0, 0.0, 5.2))


def rocksalt(a_ang: float = 4.2) -> Structure:
    """Return the conventional cell, turned so that no axis is where the convention has it."""
    turn = np.array([[0.0, 0.6, 0.8], [0.0, -0.8, 0.6], [1.0, 0.0, 0.0]])
    corners = [(0.0, 0.0, 0.0), (0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0)]
    shifted = [(x + 0.5, y, z) for x, y, z in corners]
    a, b, c = (tuple(map(float, row)) for row in a_ang * turn)
    return Structure.model_validate(
        {
            "lattice_ang": (a, b, c),
            "species": ("Mg",) * 4 + ("O",) * 4,
            "frac_coords": tuple(corners + shifted),
        }
    )


def steps(cell: Structure, path: BandPath) -> list[float]:
    """Return the distances of neighbouring points, by numpy."""
    reciprocal = 2 * pi * np.linalg.inv(np.array(cell.lattice_ang)).T
    points = np.array(path.kpoints_frac) @ reciprocal
    return [dist(one, other) for one, other in pairwise(points)]


def test_any_cell_of_a_crystal_gives_the_primitive_one_and_its_path() -> None:
    cell, path = standard_path(rocksalt(), [0.0] * 8, 0.05)
    assert (cell.n_atoms, cell.formula, path.lattice) == (2, "MgO", "FCC")
    assert cell.volume_ang3 == pytest.approx(4.2**3 / 4)
    assert "".join(tick.label for tick in path.ticks) == "ΓXWKΓLUWLKUX"
    again, same = standard_path(cell, [0.0] * 2, 0.05)
    assert same == path
    assert again.lattice_ang == cell.lattice_ang


@pytest.mark.parametrize("spacing", [0.02, 0.05, 0.3, 10.0])
def test_points_are_no_farther_apart_than_asked_but_where_the_path_jumps(spacing: float) -> None:
    cell, path = standard_path(rocksalt(), [0.0] * 8, spacing)
    told = [b - a for a, b in pairwise(path.distances_per_ang)]
    for apart, said in zip(steps(cell, path), told, strict=True):
        assert said == 0 or said == pytest.approx(apart, abs=1e-6)
    if spacing < 1:
        assert max(told) <= spacing + 1e-9
    assert told.count(0) == 1  # K|U


def test_high_symmetry_points_are_where_the_paper_puts_them() -> None:
    cell, path = standard_path(rocksalt(), [0.0] * 8, 0.1)
    reciprocal = 2 * pi * np.linalg.inv(np.array(cell.lattice_ang)).T
    length = {
        tick.label: hypot(*(np.array(path.kpoints_frac[tick.at]) @ reciprocal))
        for tick in path.ticks
    }
    unit = 2 * pi / 4.2
    assert length["Γ"] == 0
    assert length["X"] == pytest.approx(unit)
    assert length["L"] == pytest.approx(unit * 3**0.5 / 2)
    assert length["W"] == pytest.approx(unit * 1.25**0.5)
    assert length["K"] == pytest.approx(unit * 0.75 * 2**0.5)


def test_a_point_between_two_is_named_by_how_far_it_is() -> None:
    _, path = standard_path(rocksalt(), [0.0] * 8, 0.05)
    x = next(tick.at for tick in path.ticks if tick.label == "X")
    assert (path.label(0), path.label(x)) == ("Γ", "X")
    assert path.label(x // 2) == "Γ-X 0.50"


def test_opposite_moments_make_two_kinds_of_sites() -> None:
    cell, _ = standard_path(rocksalt(), [2.0] * 4 + [0.0] * 4, 0.2)
    assert (cell.n_atoms, cell.moments_bohr) == (2, (2.0, 0.0))
    layers = [2.0, -2.0, -2.0, 2.0]  # ferromagnetic planes along one axis
    antiferro, path = standard_path(rocksalt(), layers + [0.0] * 4, 0.2)
    assert (antiferro.n_atoms, antiferro.moments_bohr) == (4, (2.0, -2.0, 0.0, 0.0))
    assert path.lattice == "TET"


def test_a_smaller_cell_carries_its_share_of_the_charge() -> None:
    charged = rocksalt().model_copy(update={"charge": 4.0})
    assert standard_path(charged, [0.0] * 8, 0.2)[0].charge == 1.0


@pytest.mark.parametrize(
    ("lattice", "kind"),
    [
        (((3.0, 0.0, 0.0), (0.0, 3.0, 0.0), (0.0, 0.0, 3.0)), "CUB"),
        (((3.0, 0.0, 0.0), (0.0, 3.0, 0.0), (0.0, 0.0, 4.0)), "TET"),
        (((3.0, 0.0, 0.0), (0.0, 3.5, 0.0), (0.0, 0.0, 4.0)), "ORC"),
        (HEXAGONAL, "HEX"),
        (((3.0, 0.0, 0.0), (0.0, 4.0, 0.0), (-0.6, 0.0, 5.0)), "MCL"),
        (((3.0, 0.0, 0.0), (0.4, 4.0, 0.0), (-0.6, 0.5, 5.0)), "TRI1a"),
    ],
)
def test_lattices_of_every_system_have_a_path(
    lattice: tuple[tuple[float, float, float], ...], kind: str
) -> None:
    structure = Structure.model_validate(
        {"lattice_ang": lattice, "species": ("Na",), "frac_coords": ((0.0, 0.0, 0.0),)}
    )
    cell, path = standard_path(structure, [0.0], 0.2)
    assert path.lattice.startswith(kind[:3])
    assert cell.volume_ang3 == pytest.approx(structure.volume_ang3)
    assert path.ticks[0].at == 0
    assert path.ticks[-1].at == len(path.kpoints_frac) - 1
