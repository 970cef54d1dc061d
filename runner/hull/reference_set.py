"""Phases with energies by one method: what candidates are compared with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, combinations
from typing import Protocol

from runner.hull.competing import Pair
from runner.hull.facets import Entry

System = tuple[str, ...]
"""Elements, sorted by symbol."""


class ReferenceSet(Protocol):
    """Phases with energies of one method."""

    @property
    def method(self) -> str:
        """The method key of the energies."""

    def within(self, system: System) -> list[Entry]:
        """Return the entries whose elements are all of the system, in the order of the set."""

    def holds(self, elements: frozenset[str]) -> bool:
        """Tell whether there is an entry of exactly these elements."""

    def remarks(self, system: System) -> list[str]:
        """Return what is to be said of the entries of a system: what had to be left out."""

    def prepare(self, systems: Iterable[System]) -> None:
        """Make the entries of these systems at hand, all at once."""

    def remedy(self, pairs: Iterable[Pair]) -> str:
        """Return how binaries that are missing are added to it."""


class EntrySet:
    """A set that is there from the start; see `ReferenceSet`.

    Parameters
    ----------
    method : str
        The method key that all entries have.
    entries : iterable of Entry
    source : str
        Where they are from, for messages: the name of a file.
    """

    def __init__(self, method: str, entries: Iterable[Entry], source: str) -> None:
        self.method = method
        self._source = source
        self._by_elements: dict[frozenset[str], list[tuple[int, Entry]]] = {}
        for place, entry in enumerate(entries):
            self._by_elements.setdefault(frozenset(entry.composition), []).append((place, entry))

    def within(self, system: System) -> list[Entry]:
        """Return the entries whose elements are all of the system, in the order of the set."""
        parts: Iterable[frozenset[str]] = subsystems(system)
        if 2 ** len(system) > len(self._by_elements):
            parts = (part for part in self._by_elements if part.issubset(system))
        found = chain.from_iterable(self._by_elements.get(part, ()) for part in parts)
        return [entry for _, entry in sorted(found, key=lambda placed: placed[0])]

    def holds(self, elements: frozenset[str]) -> bool:
        """Tell whether there is an entry of exactly these elements."""
        return elements in self._by_elements

    def remarks(self, system: System) -> list[str]:  # noqa: ARG002  (protocol)
        """Return nothing: what is not in the file was never asked for."""
        return []

    def prepare(self, systems: Iterable[System]) -> None:
        """Do nothing: all is at hand."""

    def remedy(self, pairs: Iterable[Pair]) -> str:  # noqa: ARG002  (protocol)
        """Return how binaries that are missing are added to it."""
        return f"add them to {self._source}, by the same method"


def subsystems(system: System) -> Iterator[frozenset[str]]:
    """Yield all sets of one or more elements of a system."""
    for size in range(1, len(system) + 1):
        yield from map(frozenset, combinations(system, size))
