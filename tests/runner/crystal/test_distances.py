from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from runner.crystal.cells import CellArrays
from runner.crystal.distances import shortest_distances
from runner.crystal.reduction import reduced

FLATTEST = 0.02


def cells(seed: int, count: int, kind: str) -> CellArrays:
    rng = np.random.default_rng(seed)
    lattices, sizes = [], []
    for _ in range(count):
        lattice = rng.normal(size=(3, 3)) * 3
        if kind == "skewed":
            steps = np.eye(3)
            for _ in range(4):
                one, other = rng.choice(3, 2, replace=False)
                steps[one] += rng.integers(-3, 4) * steps[other]
            lattice = steps @ np.diag(rng.uniform(2, 9, 3))
        elif kind == "long":
            lattice = np.diag([2.0, 2.5, 25.0]) + rng.normal(size=(3, 3)) * 0.3
        if abs(np.linalg.det(lattice)) < FLATTEST * np.linalg.norm(lattice, axis=1).prod():
            lattice = np.eye(3) * 4
        lattices.append(lattice)
        sizes.append(rng.integers(1, 6))
    return CellArrays(
        lattices_ang=np.array(lattices),
        numbers=rng.integers(1, 90, sum(sizes)).astype(np.uint8),
        frac_coords=rng.uniform(-2, 2, (sum(sizes), 3)),
        starts=np.concatenate(([0], np.cumsum(sizes))).astype(np.int64),
    )


def by_all_images(
    lattice: NDArray[np.float64], frac: NDArray[np.float64], radii: NDArray[np.float64]
) -> tuple[float, float]:
    """Look at every image within the longest diagonal of a reduced cell."""
    basis = reduced(lattice[None])[0]
    inside = np.linalg.solve(basis.T, (frac @ lattice).T).T % 1.0
    heights = 1 / np.linalg.norm(np.linalg.inv(basis), axis=0)
    reach = np.linalg.norm(basis, axis=1).max() * 1.8
    spans = [range(-n, n + 1) for n in np.minimum(np.ceil(reach / heights) + 1, 9).astype(int)]
    images = np.array(list(product(*spans)))
    apart = (inside[:, None] - inside)[:, :, None, :] + images
    lengths = np.linalg.norm(apart @ basis, axis=-1)
    itself = np.flatnonzero((images == 0).all(axis=1))[0]
    lengths[np.arange(len(frac)), np.arange(len(frac)), itself] = np.inf
    shortest = lengths.min(axis=-1)
    return float(shortest.min()), float((shortest / (radii[:, None] + radii)).min())


@pytest.mark.parametrize("kind", ["any", "skewed", "long"])
def test_periodic_images_are_right_for_cells_of_any_shape(kind: str) -> None:
    held = cells(seed=3, count=60, kind=kind)
    radii = np.random.default_rng(4).uniform(0.5, 2.0, len(held.numbers))

    shortest, ratios = shortest_distances(held, radii)

    for at in range(len(held)):
        lattice, _, frac = held.one(at)
        own = radii[held.starts[at] : held.starts[at + 1]]
        length, ratio = by_all_images(lattice, frac, own)
        assert shortest.values[at] == pytest.approx(length, abs=1e-8)
        assert ratios[at] == pytest.approx(ratio, abs=1e-8)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_a_reduced_cell_spans_the_same_lattice_with_the_shortest_vectors(seed: int) -> None:
    lattices = cells(seed, count=4, kind="skewed").lattices_ang

    bases = reduced(lattices)

    for lattice, basis in zip(lattices, bases, strict=True):
        steps = np.linalg.solve(basis.T, lattice.T)
        assert np.allclose(steps, np.rint(steps), atol=1e-6)
        assert abs(np.linalg.det(basis)) == pytest.approx(abs(np.linalg.det(lattice)))
        lengths = np.linalg.norm(basis, axis=1)
        assert np.all(np.diff(lengths) >= -1e-9)
        around = np.array([one for one in product((-1, 0, 1), repeat=3) if any(one)])
        shortest = np.linalg.norm(around @ basis, axis=1).min()
        assert lengths[0] == pytest.approx(shortest)


def test_cells_that_are_no_cells_have_no_distance_and_leave_the_others_alone() -> None:
    held = cells(seed=5, count=4, kind="any")
    held.lattices_ang[1] = [[1, 0, 0], [2, 0, 0], [0, 0, 1]]
    held.frac_coords[held.starts[2]] = np.nan
    alone = CellArrays(
        held.lattices_ang[3:], held.numbers, held.frac_coords[held.starts[3] :],
        held.starts[3:] - held.starts[3],
    )  # fmt: skip

    shortest, ratios = shortest_distances(held)

    assert np.isnan(shortest.values).tolist() == [False, True, True, False]
    assert np.isnan(ratios).all()
    assert shortest.values[3] == shortest_distances(alone)[0].values[0]
