"""Oxidation states that make a composition neutral."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import gcd
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from runner.crystal.elements import element

StateTable: TypeAlias = Literal["common", "all"]
LARGEST_STATE = 12
ODDEST = 1000
"""Divided by the number of an element's states: the weight of one that is not common."""
State = Annotated[int, Field(ge=-LARGEST_STATE, le=LARGEST_STATE)]
OtherStates: TypeAlias = tuple[tuple[str, tuple[int, ...]], ...]
_CACHED = 2**14
"""Compositions that are remembered: two scores of one batch ask for the same ones."""


@dataclass(frozen=True, slots=True)
class Option:
    """One way in which all atoms of an element can be charged: `atoms` by state, and their sum."""

    charge: int
    atoms: tuple[tuple[int, int], ...]

    @property
    def mixed(self) -> bool:
        """Whether the element is in two states at once."""
        return len(self.atoms) > 1


@dataclass(frozen=True, slots=True)
class Assignment:
    """The answer for one composition.

    `neutral` is None where it cannot be known, and `note` then says why. `states` gives the state
    of each element, or the number of atoms by state where an element is in two.
    """

    neutral: bool | None
    states: Mapping[str, int | dict[str, int]] | None = None
    note: str | None = None

    def state(self, symbol: str) -> int | None:
        """Return the one state of an element, or None."""
        state = self.states.get(symbol) if self.states else None
        return state if isinstance(state, int) else None


class Oxidation:
    """Finds neutral assignments with one choice of rules; use `oxidation` to share the cache.

    Of several neutral assignments it takes the one that comes first in this order: no cation more
    electronegative than an anion, fewest elements in two states, common states rather than others
    (least `oddity`: no peroxide where an oxide will do), smallest sum of absolute charges, two
    states of one element near each other, lowest states in the order of the elements. A solid of
    one element is neutral with state 0.

    Parameters
    ----------
    states : StateTable
        `common` states only, or `all` that are known of the element.
    ordered : bool
        Accept only assignments in which every anion is at least as electronegative (Pauling) as
        every cation; see Davies et al., Chem 1, 617 (2016), doi:10.1016/j.chempr.2016.09.010.
    mixed_valence : bool
        Let the atoms of one element share two states, as iron does in Fe3O4.
    others : tuple of (symbol, states)
        States of these elements that are taken in place of the table's.
    """

    def __init__(
        self, states: StateTable, *, ordered: bool, mixed_valence: bool, others: OtherStates = ()
    ) -> None:
        self.ordered = ordered
        self.mixed_valence = mixed_valence
        self._states = states
        self._others = {symbol: tuple(sorted({*of})) for symbol, of in others}
        self._known: dict[tuple[tuple[str, ...], tuple[int, ...]], Assignment] = {}
        self._options: dict[tuple[str, int], tuple[Option, ...]] = {}

    def assign(self, symbols: Sequence[str], atoms: Sequence[int]) -> Assignment:
        """Return the assignment for a composition: elements, and whole numbers of their atoms."""
        divisor = gcd(*atoms)
        key = (tuple(symbols), tuple(count // divisor for count in atoms))
        answer = self._known.get(key)
        if answer is None:
            if len(self._known) >= _CACHED:
                self._known.clear()
            answer = self._known[key] = self._solve(*key)
        return answer

    def _solve(self, symbols: tuple[str, ...], atoms: tuple[int, ...]) -> Assignment:
        if len(symbols) == 1:
            return Assignment(neutral=True, states={symbols[0]: 0})
        if note := self.unknown(symbols):
            return Assignment(neutral=None, note=note)
        options = [
            self._element_options(symbol, count)
            for symbol, count in zip(symbols, atoms, strict=True)
        ]
        best = min(self._ranked(symbols, options), default=None)
        if best is None:
            return Assignment(neutral=False)
        return Assignment(
            neutral=True,
            states={
                symbol: option.atoms[0][0]
                if not option.mixed
                else {str(state): count for state, count in option.atoms}
                for symbol, option in zip(symbols, best[1], strict=True)
            },
        )

    def unknown(self, symbols: Sequence[str]) -> str | None:
        """Return why nothing can be said of a composition of these elements, or None."""
        stateless = [symbol for symbol in symbols if not self.states(symbol)]
        if stateless:
            return f"no {self._states} oxidation states of {', '.join(stateless)}"
        odd = [symbol for symbol in symbols if element(symbol).electronegativity is None]
        return f"no electronegativity of {', '.join(odd)}" if self.ordered and odd else None

    def states(self, symbol: str) -> tuple[int, ...]:
        """Return the states that an element may take, ascending."""
        if symbol in self._others:
            return self._others[symbol]
        data = element(symbol)
        return data.common_states if self._states == "common" else data.all_states

    def oddity(self, symbol: str, state: int) -> int:
        """Return 0 for a common state or one that was given, else more the fewer there are.

        So LaMnO3 is La(3+) Mn(3+), as manganese has ten states and lanthanum two.
        """
        data = element(symbol)
        if symbol in self._others or state in data.common_states:
            return 0
        return ODDEST // len(data.all_states)

    def _element_options(self, symbol: str, count: int) -> tuple[Option, ...]:
        known = self._options.get((symbol, count))
        if known is None:
            table = self.states(symbol)
            pure = [Option(state * count, ((state, count),)) for state in table]
            mixed = [
                Option(low * n_low + high * (count - n_low), ((low, n_low), (high, count - n_low)))
                for i, low in enumerate(table)
                for high in table[i + 1 :]
                for n_low in range(1, count)
            ]
            known = tuple([*pure, *mixed] if self.mixed_valence else pure)
            self._options[symbol, count] = known
        return known

    def _ranked(
        self, symbols: tuple[str, ...], options: Sequence[tuple[Option, ...]]
    ) -> Iterator[tuple[tuple[object, ...], tuple[Option, ...]]]:
        for chosen in _neutral(options):
            ordered = _is_ordered(symbols, chosen)
            if ordered or not self.ordered:
                rank = (
                    not ordered,
                    sum(option.mixed for option in chosen),
                    sum(
                        max(self.oddity(symbol, state) for state, _ in option.atoms)
                        for symbol, option in zip(symbols, chosen, strict=True)
                    ),
                    sum(abs(state) * n for option in chosen for state, n in option.atoms),
                    sum(option.atoms[-1][0] - option.atoms[0][0] for option in chosen),
                    tuple(option.atoms for option in chosen),
                )
                yield rank, chosen


@cache
def oxidation(
    states: StateTable, *, ordered: bool, mixed_valence: bool, others: OtherStates = ()
) -> Oxidation:
    """Return the finder for these rules; the same one for the same rules."""
    return Oxidation(states, ordered=ordered, mixed_valence=mixed_valence, others=others)


def _neutral(options: Sequence[tuple[Option, ...]]) -> Iterator[tuple[Option, ...]]:
    """Yield every choice of one option per element whose charges sum to zero."""
    lowest, highest = [0], [0]  # of the charges that the elements after a position can add
    for group in reversed(options):
        lowest.append(lowest[-1] + min(option.charge for option in group))
        highest.append(highest[-1] + max(option.charge for option in group))
    lowest.reverse()
    highest.reverse()

    def extend(chosen: tuple[Option, ...], charge: int) -> Iterator[tuple[Option, ...]]:
        position = len(chosen)
        if not lowest[position] <= -charge <= highest[position]:
            return
        if position == len(options):
            yield chosen
            return
        for option in options[position]:
            yield from extend((*chosen, option), charge + option.charge)

    return extend((), 0)


def _is_ordered(symbols: Sequence[str], chosen: Sequence[Option]) -> bool:
    cations, anions = [], []
    for symbol, option in zip(symbols, chosen, strict=True):
        value = element(symbol).electronegativity
        if value is not None:
            cations += [value for state, _ in option.atoms if state > 0]
            anions += [value for state, _ in option.atoms if state < 0]
    return not cations or not anions or max(cations) <= min(anions)
