"""Choices for which all rows have to be seen: the best, the Pareto front, the best that differ.

Each holds only rows that may still be chosen, and gives back those that no longer can. What is
chosen depends on values and row numbers alone, not on how rows came in batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from runner.selection import Smallest, Step

Held = TypeVar("Held")
Values = tuple[float, ...]
MOST_LIKE = 10
"""The rows from which `diverse` chooses are so many times those that it keeps."""


class Barrier(Protocol[Held]):
    """Takes rows by the values that it compares, all to be small, and chooses at the end."""

    def wants(self, values: Values, row: int) -> bool:
        """Tell whether a row may still be chosen."""

    def offer(self, values: Values, row: int, item: Held) -> list[Held]:
        """Hold a row that is wanted; return those that can no longer be chosen."""

    def release(self) -> tuple[list[Held], list[Held]]:
        """Return what is chosen, by row, and what is not; hold nothing."""


def barrier(step: Step) -> Barrier[Held] | None:
    """Return what a step chooses with, None where it judges rows one by one."""
    if step.pareto:
        return Front()
    if step.top is None:
        return None
    return Spread(step.top) if step.diverse else Best(step.top)


class Best(Generic[Held]):
    """The rows with the smallest values; ties go to the earlier row."""

    def __init__(self, size: int) -> None:
        self._held: Smallest[Held] = Smallest(size)

    def wants(self, values: Values, row: int) -> bool:
        """Tell whether a row is among the smallest so far."""
        return self._held.wants(values[0], row)

    def offer(self, values: Values, row: int, item: Held) -> list[Held]:
        """Hold a row; return the one that it drives out."""
        loser = self._held.offer(values[0], row, item)
        return [] if loser is None else [loser]

    def release(self) -> tuple[list[Held], list[Held]]:
        """Return the smallest."""
        return self._held.release(), []


class Front(Generic[Held]):
    """The rows than which no other is better in one value and at least as good in all.

    Of rows with equal values all are on the front.
    """

    def __init__(self) -> None:
        self._front: list[tuple[Values, int, Held]] = []

    def wants(self, values: Values, row: int) -> bool:  # noqa: ARG002  (protocol)
        """Tell whether no row dominates it so far."""
        return not any(_dominates(other, values) for other, _, _ in self._front)

    def offer(self, values: Values, row: int, item: Held) -> list[Held]:
        """Hold a row; return those that it dominates."""
        beaten = [entry for entry in self._front if _dominates(values, entry[0])]
        if beaten:
            self._front = [entry for entry in self._front if not _dominates(values, entry[0])]
        self._front.append((values, row, item))
        return [held for _, _, held in beaten]

    def release(self) -> tuple[list[Held], list[Held]]:
        """Return the front."""
        front = sorted(self._front, key=lambda entry: entry[1])
        self._front = []
        return [held for _, _, held in front], []


class Spread(Generic[Held]):
    """Of the best rows those that differ most: the best one, then always the farthest from all.

    The first value ranks, the others are coordinates. They count in units of their standard
    deviation among the best. Farthest-point choice is within a factor of two of the widest spread
    (Gonzalez 1985, doi:10.1016/0304-3975(85)90224-5).
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._best: Smallest[tuple[Values, int, Held]] = Smallest(MOST_LIKE * size)

    def wants(self, values: Values, row: int) -> bool:
        """Tell whether a row is among the best so far."""
        return self._best.wants(values[0], row)

    def offer(self, values: Values, row: int, item: Held) -> list[Held]:
        """Hold a row; return the one that it drives out."""
        loser = self._best.offer(values[0], row, (values, row, item))
        return [] if loser is None else [loser[2]]

    def release(self) -> tuple[list[Held], list[Held]]:
        """Return the rows that differ most, and the other ones of the best."""
        held = self._best.release()
        chosen = set(_farthest([values for values, _, _ in held], self._size))
        kept = [item for at, (_, _, item) in enumerate(held) if at in chosen]
        return kept, [item for at, (_, _, item) in enumerate(held) if at not in chosen]


def _dominates(one: Values, other: Values) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


def _farthest(values: Sequence[Values], size: int) -> list[int]:
    """Return the places of the rows that are chosen, ties to the earlier."""
    import numpy as np

    if not values:
        return []
    table = np.array(values)
    points = table[:, 1:]
    scale = points.std(axis=0)
    points = points / np.where(scale > 0, scale, 1.0)
    chosen = [int(table[:, 0].argmin())]
    nearest = np.linalg.norm(points - points[chosen[0]], axis=1)
    while len(chosen) < min(size, len(values)):
        nearest[chosen] = -1.0
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return chosen
