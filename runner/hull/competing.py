"""Which binaries a set of reference phases must hold before distances from it mean something.

A compound decomposes into other compounds long before it decomposes into elements: ABX3 into AX and
BX2. Against elements alone nearly every oxide would look stable. So for each pair of a cation and
an anion of a candidate, the set must hold at least one binary of just these two elements. Cations
and anions are told by the common oxidation states that make the candidate neutral: in SrTiO3 the
pairs are Sr-O and Ti-O, in CaCO3 Ca-O and C-O. Where no states do, the most electronegative element
that can be an anion stands against all others that can be cations; where there is none (alloys),
any compound of the candidate's elements will do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from math import gcd

from runner.crystal.elements import element
from runner.crystal.oxidation import Assignment, oxidation

MOST_NAMED = 6
"""Binaries that a message lists."""
PROTOTYPE_OF = {(1, 1): "rocksalt", (1, 2): "cadmium-iodide"}
"""A prototype by (cations, anions) per formula unit, for examples in messages."""
COMPACT = {**PROTOTYPE_OF, (1, 2): "fluorite"}
"""The same for oxides and fluorides."""
COMPACT_ANIONS = ("O", "F")


@dataclass(frozen=True, order=True)
class Pair:
    """A cation and an anion, and how many of each make a neutral formula unit."""

    cation: str
    anion: str
    cations: int
    anions: int

    @property
    def elements(self) -> frozenset[str]:
        """Both elements."""
        return frozenset((self.cation, self.anion))

    @property
    def formula(self) -> str:
        """The neutral binary: `SrO`, `TiO2`."""
        counts = ((self.cation, self.cations), (self.anion, self.anions))
        return "".join(f"{symbol}{n if n > 1 else ''}" for symbol, n in counts)


def possible_pairs(elements: Iterable[str]) -> set[frozenset[str]]:
    """Return all pairs of elements that form a binary with some of their common states."""
    return {
        frozenset(pair)
        for pair in combinations(sorted(elements), 2)
        if any(_state(a, 1) and _state(b, -1) for a, b in (pair, pair[::-1]))
    }


def required_pairs(composition: Mapping[str, int]) -> tuple[Pair, ...]:
    """Return the pairs of which a binary must be known, sorted; empty for alloys and elements."""
    states = _states(composition)
    pairs = {
        _pair(cation, charge, anion, opposite)
        for cation, charge in states.items()
        for anion, opposite in states.items()
        if charge > 0 > opposite
    }
    return tuple(sorted(pairs))


def missing_binaries(
    composition: Mapping[str, int], has: Callable[[frozenset[str]], bool]
) -> tuple[Pair, ...]:
    """Return the pairs that are required and of which there is no binary.

    `has` tells whether the set holds a compound of just these elements.
    """
    return tuple(pair for pair in required_pairs(composition) if not has(pair.elements))


def how_to_add(pairs: Iterable[Pair]) -> str:
    """Return how missing binaries are given in a campaign file."""
    example = next((pair for pair in pairs if (pair.cations, pair.anions) in PROTOTYPE_OF), None)
    if example is None:
        return "add files of them under `references: {structures: ...}`"
    usual = COMPACT if example.anion in COMPACT_ANIONS else PROTOTYPE_OF
    prototype = usual[example.cations, example.anions]
    return (
        "add them under `references`, as files (`structures: competing/*.cif`) or as `space`, such "
        f"as {{kind: prototype, prototype: {prototype}, species: {{A: [{example.cation}], "
        f"X: [{example.anion}]}}}}"
    )


def named(pairs: Iterable[Pair]) -> str:
    """Return pairs as messages show them: `Sr-O (SrO), Ti-O (TiO2)`."""
    texts = [f"{pair.cation}-{pair.anion} ({pair.formula})" for pair in pairs]
    more = len(texts) - MOST_NAMED
    return ", ".join(texts[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _states(composition: Mapping[str, int]) -> dict[str, int]:
    """Return an oxidation state by element, as far as they can be told."""
    symbols = sorted(composition)
    if len(symbols) < 2:  # noqa: PLR2004  (an element has no ions)
        return {}
    answer = _assigned(symbols, [composition[symbol] for symbol in symbols])
    if answer.neutral:
        found = {symbol: answer.state(symbol) for symbol in symbols}
        return {symbol: state for symbol, state in found.items() if state}
    return _by_electronegativity(symbols)


def _assigned(symbols: list[str], atoms: list[int]) -> Assignment:
    return oxidation("common", ordered=False, mixed_valence=False).assign(symbols, atoms)


def _by_electronegativity(symbols: list[str]) -> dict[str, int]:
    values = {symbol: element(symbol).electronegativity or 0.0 for symbol in symbols}
    anion = max(symbols, key=lambda symbol: (values[symbol], symbol))
    negative = _state(anion, -1)
    positive = {symbol: _state(symbol, 1) for symbol in symbols if symbol != anion}
    if negative is None:
        return {}
    return {anion: negative, **{symbol: state for symbol, state in positive.items() if state}}


@cache
def _state(symbol: str, sign: int) -> int | None:
    """Return the common state of that sign with the smallest charge, or None."""
    states = [state for state in element(symbol).common_states if state * sign > 0]
    return min(states, key=abs, default=None)


def _pair(cation: str, charge: int, anion: str, opposite: int) -> Pair:
    divisor = gcd(charge, -opposite)
    return Pair(cation, anion, -opposite // divisor, charge // divisor)
