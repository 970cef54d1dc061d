"""Colourings of sites that no symmetry maps onto each other.

A colouring gives each site a colour; of those that a group of permutations maps onto each other
the least, read as a number, stands for all. Colourings are numbered, so that any block of them can
be made on its own and nothing is remembered. Source of the idea: Hart and Forcade, Phys. Rev. B 77,
224115 (2008), doi:10.1103/PhysRevB.77.224115.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import comb, log2, prod
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BLOCK = 8192
"""Colourings that are looked at together: a few megabytes."""
_FEW, _MANY = 16, 256
"""Permutations that are tried together: first on all colourings, then on the few that are left."""
_EXACT_BITS = 52
"""Whole numbers below 2**52 are exact as floats, in which matrices are multiplied fast."""
_DRAWS_PER_SAMPLE = 50
"""Random colourings that are tried for each that is asked for, before there seem to be no more."""


@dataclass(frozen=True)
class Colouring:
    """One colouring: `colours` by site, and how many colourings it stands for."""

    colours: tuple[int, ...]
    degeneracy: int


@dataclass(frozen=True)
class Colourings:
    """All colourings of some sites with given numbers of each colour.

    Sites come in classes, one after the other, each with its own colours: `counts[c][k]` sites of
    class c have its colour k. `permutations`, shape (n, sites), is a group that keeps the classes:
    site i goes to permutations[p, i]; the first of them is the identity and the first
    `n_translations` are those that make a colouring superperiodic.
    """

    counts: tuple[tuple[int, ...], ...]
    permutations: NDArray[np.int64]
    n_translations: int = 1

    @property
    def number(self) -> int:
        """How many there are, before symmetry."""
        return number_of(self.counts)

    def distinct(self, *, superperiodic: bool) -> Iterator[Colouring]:
        """Yield those that symmetry tells apart, in the order of their numbers.

        Without `superperiodic` only those that no translation maps onto itself.
        """
        for first in range(0, self.number, BLOCK):
            block = self._block(first, min(self.number, first + BLOCK))
            yield from self._least(block, superperiodic=superperiodic)

    def sample(self, n: int, random: Random, *, superperiodic: bool) -> list[Colouring]:
        """Return at most `n` that symmetry tells apart, drawn at random, in order.

        Every arrangement is drawn alike often, so that one with few equivalents is rarer.
        """
        import numpy as np

        found: dict[tuple[int, ...], Colouring] = {}
        for _ in range(n * _DRAWS_PER_SAMPLE):
            drawn: list[int] = []
            for counts in self.counts:
                part = [colour for colour, count in enumerate(counts) for _ in range(count)]
                random.shuffle(part)
                drawn += part
            least = self._representative(np.array(drawn, dtype=np.int64))
            for colouring in self._least(least[None, :], superperiodic=superperiodic):
                found.setdefault(colouring.colours, colouring)
            if len(found) == n:
                break
        return [found[colours] for colours in sorted(found)]

    @cached_property
    def _words(self) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Weights of the sites, and for each permutation, in numbers that floats hold exactly."""
        import numpy as np

        base = max(2, *(len(counts) for counts in self.counts))
        n_sites = self.permutations.shape[1]
        length = int(_EXACT_BITS / log2(base))
        words = []
        for start in range(0, n_sites, length):
            weights = np.zeros(n_sites)
            stop = min(start + length, n_sites)
            weights[start:stop] = float(base) ** np.arange(stop - start - 1, -1, -1)
            moved = np.zeros((n_sites, len(self.permutations)))
            np.put_along_axis(
                moved.T, self.permutations, np.broadcast_to(weights, self.permutations.shape), 1
            )
            words.append((weights, moved))
        return words

    def _block(self, start: int, stop: int) -> NDArray[np.int64]:
        """Return the colourings with the numbers from `start` to before `stop`."""
        import numpy as np

        ranks = np.arange(start, stop, dtype=np.int64)
        parts = []
        for counts in reversed(self.counts):
            ranks, own = np.divmod(ranks, number_of((counts,)))
            parts.append(_arrangements(counts, own))
        return np.concatenate(parts[::-1], axis=1)

    def _least(self, block: NDArray[np.int64], *, superperiodic: bool) -> Iterator[Colouring]:
        """Yield of some colourings those that no permutation makes less."""
        import numpy as np

        colourings = block.astype(np.float64)
        equal = np.zeros(len(block), dtype=np.int64)
        total = len(self.permutations)
        start = 0
        while start < total and len(colourings):
            stop = min(total, start + (_FEW if start < _MANY else _MANY))
            if start < self.n_translations:
                stop = min(stop, self.n_translations)
            less, same = self._compared(colourings, slice(start, stop))
            stays = ~less
            if not superperiodic and stop <= self.n_translations:
                # The identity, the first of all, maps everything onto itself.
                stays &= same == (1 if start == 0 else 0)
            colourings, equal = colourings[stays], (equal + same)[stays]
            start = stop
        for colours, stabiliser in zip(colourings.astype(np.int64).tolist(), equal, strict=True):
            yield Colouring(tuple(colours), total // int(stabiliser))

    def _compared(
        self, colourings: NDArray[np.float64], part: slice
    ) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Return by colouring if a permutation makes it less, and how many leave it as it is."""
        import numpy as np

        less = np.zeros(len(colourings), dtype=np.bool_)
        tied: NDArray[np.bool_] | None = None
        for weights, moved in self._words:
            own = (colourings @ weights)[:, None]
            other = colourings @ moved[:, part]
            below = other < own
            same = other == own
            less |= (below if tied is None else below & tied).any(axis=1)
            tied = same if tied is None else tied & same
        return less, np.zeros(len(less), dtype=np.int64) if tied is None else tied.sum(axis=1)

    def _representative(self, colours: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the least colouring that permutations make of one."""
        import numpy as np

        left = np.arange(len(self.permutations))
        for _, moved in self._words:
            codes = colours @ moved[:, left]
            left = left[codes == codes.min()]
        least: NDArray[np.int64] = colours[self.permutations[left[0]]]
        return least


def number_of(counts: Sequence[Sequence[int]]) -> int:
    """Return how many colourings have the given numbers of colours in each class."""
    return prod(comb(sum(part[: n + 1]), part[n]) for part in counts for n in range(len(part)))


def _arrangements(counts: Sequence[int], ranks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the arrangements of some colours by their numbers, in lexicographic order."""
    import numpy as np

    n_sites = sum(counts)
    made = np.zeros((len(ranks), n_sites), dtype=np.int64)
    left = np.tile(np.array(counts, dtype=np.int64), (len(ranks), 1))
    ways = np.full(len(ranks), number_of((counts,)), dtype=np.int64)
    rows = np.arange(len(ranks))
    for site in range(n_sites):
        below = ways[:, None] * left // (n_sites - site)  # arrangements that begin with each colour
        edges = np.cumsum(below, axis=1)
        colour = (ranks[:, None] >= edges).sum(axis=1)
        ways = below[rows, colour]
        ranks = ranks - (edges[rows, colour] - ways)
        left[rows, colour] -= 1
        made[:, site] = colour
    return made
