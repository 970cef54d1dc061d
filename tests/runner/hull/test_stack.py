import numpy as np
import pytest

from runner.hull import stack
from runner.hull.facets import Entry, Hull
from runner.hull.fractions import fractions
from runner.hull.stack import HullStack

ELEMENTS = ("A", "B", "C")


def random_hull(phases: int, seed: int) -> Hull:
    rng = np.random.default_rng(seed)
    entries = [Entry({element: 1.0}, 0.0, element) for element in ELEMENTS]
    for place in range(phases):
        amounts = dict(zip(ELEMENTS, rng.integers(1, 9, 3).astype(float), strict=True))
        entries.append(Entry(amounts, float(-rng.uniform(0.5, 1.0)), f"{place}"))
    return Hull.of(entries)


@pytest.mark.parametrize("most_facets", [48, 5], ids=["all together", "large ones alone"])
def test_energies_are_those_of_each_hull_to_the_last_bit(
    monkeypatch: pytest.MonkeyPatch, most_facets: int
) -> None:
    monkeypatch.setattr(stack, "MOST_FACETS", most_facets)
    monkeypatch.setattr(stack, "CELLS_AT_ONCE", 64)
    hulls = [random_hull(phases, seed) for seed, phases in enumerate([0, 1, 3, 9, 2, 30, 0] * 5)]
    together = HullStack(len(ELEMENTS))
    places = np.array([together.add(hull) for hull in hulls])
    rng = np.random.default_rng(1)
    which, amounts = rng.integers(0, len(hulls), 500), rng.random((500, 3))

    found = together.energy(places[which], fractions(amounts, ELEMENTS))

    expected = [hulls[i].energy(amounts[row : row + 1])[0] for row, i in enumerate(which)]
    assert (found == expected).all()


def test_hulls_may_be_added_between_questions() -> None:
    together = HullStack(len(ELEMENTS))
    x = fractions([[1.0, 1.0, 1.0]], ELEMENTS)
    found = []
    for seed in range(40):
        place = together.add(random_hull(seed, seed))
        found.append(float(together.energy(np.array([place]), x)[0]))

    again = together.energy(np.arange(40), np.repeat(x, 40, axis=0))

    assert again.tolist() == found
