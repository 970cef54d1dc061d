"""Cuts cells into batches whose memory is bounded, whatever their sizes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar


class Sized(Protocol):
    """What takes memory in proportion to `items`."""

    @property
    def items(self) -> int:
        """How much it takes."""


Item = TypeVar("Item", bound=Sized)


def budgeted(stream: Iterable[Item], budget: int) -> Iterator[list[Item]]:
    """Yield the stream in order, in lists of at most `budget` items in total.

    What is over the budget by itself is a list of its own.
    """
    batch: list[Item] = []
    taken = 0
    for one in stream:
        if batch and taken + one.items > budget:
            yield batch
            batch, taken = [], 0
        batch.append(one)
        taken += one.items
    if batch:
        yield batch
