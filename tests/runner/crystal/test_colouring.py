from itertools import product
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.crystal.colouring import BLOCK, Colourings, number_of


def ring(n: int) -> np.ndarray:
    """All turns of a ring, the identity first."""
    return (np.arange(n)[:, None] + np.arange(n)[None, :]) % n


def orbits(counts: tuple[int, ...], permutations: np.ndarray) -> dict[tuple[int, ...], int]:
    """Least colouring of each orbit and its size, the slow way."""
    n_sites = permutations.shape[1]
    found: dict[tuple[int, ...], int] = {}
    for colours in product(range(len(counts)), repeat=n_sites):
        if tuple(colours.count(k) for k in range(len(counts))) == counts:
            images = {tuple(colours[k] for k in permutation) for permutation in permutations}
            if colours == min(images):
                found[colours] = len(images)
    return found


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=2, max_size=3))
def test_one_colouring_of_each_orbit_is_found_with_the_size_of_the_orbit(counts: list[int]) -> None:
    n_sites = max(1, sum(counts))
    counts = counts if sum(counts) else [1, *counts[1:]]
    turns = ring(n_sites)
    group = np.concatenate([turns, turns[:, ::-1]])

    found = {
        one.colours: one.degeneracy
        for one in Colourings((tuple(counts),), group).distinct(superperiodic=True)
    }

    assert found == orbits(tuple(counts), group)
    assert sum(found.values()) == number_of((counts,))


def test_colourings_that_repeat_within_the_cell_are_left_out() -> None:
    # Lyndon words: necklaces of six beads, three of them black, without those of period two.
    ringed = Colourings(((3, 3),), ring(6), n_translations=6)

    aperiodic = [one.colours for one in ringed.distinct(superperiodic=False)]
    every = [one.colours for one in ringed.distinct(superperiodic=True)]

    assert len(aperiodic) == 3
    assert [one for one in every if one not in aperiodic] == [(0, 1, 0, 1, 0, 1)]


def test_classes_keep_their_own_colours() -> None:
    both = Colourings(((1, 1), (1, 2)), np.arange(5)[None, :])

    found = [one.colours for one in both.distinct(superperiodic=True)]

    assert both.number == len(found) == 6
    assert found[0] == (0, 1, 0, 1, 1)
    assert all(sorted(one[:2]) == [0, 1] and sorted(one[2:]) == [0, 1, 1] for one in found)


def test_more_than_one_block_and_more_sites_than_a_float_holds_bits() -> None:
    n_sites = 200
    pairs = Colourings(((n_sites - 2, 2),), ring(n_sites))

    found = [one.colours for one in pairs.distinct(superperiodic=True)]

    assert pairs.number == 19_900 > 2 * BLOCK
    assert len(found) == n_sites // 2  # one for each distance along the ring
    assert len(set(found)) == len(found)


def test_a_sample_is_distinct_repeats_with_its_seed_and_is_no_more_than_there_is() -> None:
    ringed = Colourings(((8, 8),), ring(16))
    every = {one.colours for one in ringed.distinct(superperiodic=True)}

    first = ringed.sample(10, Random(1), superperiodic=True)

    assert len({one.colours for one in first}) == 10
    assert {one.colours for one in first} <= every
    assert ringed.sample(10, Random(1), superperiodic=True) == first
    assert ringed.sample(10, Random(2), superperiodic=True) != first
    few = Colourings(((2, 2),), ring(4)).sample(10, Random(1), superperiodic=True)
    assert [one.colours for one in few] == [(0, 0, 1, 1), (0, 1, 0, 1)]


@pytest.mark.parametrize(("counts", "number"), [((4, 4), 70), ((6, 6), 924), ((2, 2, 2), 90)])
def test_the_number_of_colourings_is_the_multinomial(counts: tuple[int, ...], number: int) -> None:
    assert number_of((counts,)) == number
