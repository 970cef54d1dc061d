"""Choices of elements for labelled sites whose charges sum to zero, without visiting the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import product
from typing import TypeAlias

from runner.crystal.elements import element
from schemas.errors import UserError

Choice: TypeAlias = tuple[str, ...]
"""An element for each label, in the order of the labels."""
States: TypeAlias = tuple[int, ...]
Charges: TypeAlias = frozenset[int]
"""What the atoms of some labels may add up to."""
_NOTHING: Charges = frozenset((0,))
_CACHED = 2**16
"""Sets of charges that are remembered; there are far fewer than choices."""


class ChargeBalance:
    """The neutral choices, in the order of the lists, the last label changing fastest.

    All atoms of a label are in one state; an element may be in two states on two labels, as iron in
    Fe3O4.

    Parameters
    ----------
    options
        For each label, in order: the states that each of its elements may have.
    amounts
        Atoms of each label, in the same order.
    """

    def __init__(self, options: Sequence[Mapping[str, States]], amounts: Sequence[int]) -> None:
        self._options = options
        self._amounts = amounts
        self._charges: list[dict[str, Charges]] = [
            {symbol: frozenset(state * count for state in states) for symbol, states in of.items()}
            for of, count in zip(options, amounts, strict=True)
        ]
        self._next: dict[tuple[int, Charges, Charges], Charges] = {}
        self._assigned: dict[tuple[States, ...], tuple[States, ...]] = {}

    def choices(self) -> Iterator[Choice]:
        """Yield the neutral choices."""
        return self._extended((), _NOTHING)

    def count(self) -> int:
        """Return how many choices are neutral, without making them."""
        prefixes = Counter({_NOTHING: 1})
        for position, of in enumerate(self._charges):
            extended: Counter[Charges] = Counter()
            for charges, alike in Counter(of.values()).items():
                for sums, number in prefixes.items():
                    going = self._going(position, sums, charges)
                    if going:
                        extended[going] += number * alike
            prefixes = extended
        return prefixes.total()

    def assignments(self, choice: Choice) -> tuple[States, ...]:
        """Return the neutral states of a choice, smallest charges first, then lowest states."""
        key = tuple(of[symbol] for of, symbol in zip(self._options, choice, strict=True))
        found = self._assigned.get(key)
        if found is None:
            neutral = [
                states
                for states in product(*key)
                if not sum(state * n for state, n in zip(states, self._amounts, strict=True))
            ]
            found = tuple(sorted(neutral, key=self._rank))
            _bounded(self._assigned)[key] = found
        return found

    def _rank(self, states: States) -> tuple[int, States]:
        total = sum(abs(state) * n for state, n in zip(states, self._amounts, strict=True))
        return total, states

    @cached_property
    def _reachable(self) -> list[Charges]:
        """For each position, what the labels from it on can add up to, with the sign changed."""
        reachable = [_NOTHING]
        for of in reversed(self._charges):
            every = frozenset().union(*of.values())
            reachable.append(frozenset(rest - own for rest in reachable[-1] for own in every))
        return reachable[::-1]

    def _going(self, position: int, sums: Charges, charges: Charges) -> Charges:
        """Return the sums with this label from which the labels after it can come back to zero."""
        key = (position, sums, charges)
        going = self._next.get(key)
        if going is None:
            every = frozenset(before + own for before in sums for own in charges)
            going = every & self._reachable[position + 1]
            _bounded(self._next)[key] = going
        return going

    def _extended(self, chosen: Choice, sums: Charges) -> Iterator[Choice]:
        position = len(chosen)
        last = position + 1 == len(self._charges)
        for symbol, charges in self._charges[position].items():
            going = self._going(position, sums, charges)
            if not going:
                continue
            if last:
                yield (*chosen, symbol)
            else:
                yield from self._extended((*chosen, symbol), going)


def is_ordered(choice: Choice, states: States) -> bool:
    """Tell whether no cation is more electronegative than an anion.

    Raises
    ------
    UserError
        When an electronegativity is not known.
    """
    values: dict[bool, list[float]] = {True: [], False: []}
    for symbol, state in zip(choice, states, strict=True):
        value = element(symbol).electronegativity
        if value is None:
            raise UserError(f"no electronegativity of {symbol} is known; take it out, or `ordered`")
        if state:
            values[state > 0].append(value)
    return not values[True] or not values[False] or max(values[True]) <= min(values[False])


def _bounded(known: dict) -> dict:  # type: ignore[type-arg]  # whatever it holds
    """Return the dictionary, emptied where it has grown too large."""
    if len(known) >= _CACHED:
        known.clear()
    return known
