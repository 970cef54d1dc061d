"""Oxidation states of many compositions at once: what `oxidation` finds one by one.

All choices of states of all rows stand end to end in flat arrays; the state of one element per row,
the one with the most states, follows from the others. What is left of the choices is neutral.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from runner.crystal.compositions import Compositions, Group
from runner.crystal.elements import SYMBOLS, element
from runner.crystal.oxidation import LARGEST_STATE, Assignment, Oxidation

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

CHOICES_AT_ONCE = 2**19
"""What is held in memory: about 60 MB."""
LARGEST_NUMBER_OF_CHOICES = 2**20
"""Of one composition; one with more is solved by search, which prunes."""
ABSOLUTE_BITS = 26
"""Bits of a rank that hold the number of the choice; the sum of absolute charges stands above."""


@dataclass(frozen=True)
class Answers:
    """What was found for each row of a batch.

    `neutral` is 1, 0, or -1 where it cannot be known; `states` stand for the elements of all rows
    end to end, as the compositions do, and mean something only in neutral rows; `mixed` holds the
    answers of rows in which an element is in two states.
    """

    neutral: NDArray[np.int8]
    states: NDArray[np.int64]
    mixed: dict[int, Assignment]
    notes: pa.StringArray


class Neutrality:
    """Finds the assignments of `Oxidation` for whole batches; it is given the rules."""

    def __init__(self, rules: Oxidation) -> None:
        self._rules = rules

    def assign(self, compositions: Compositions) -> Answers:
        """Return the answers for all rows; those with errors are unknown."""
        import numpy as np

        neutral = np.full(len(compositions), -1, np.int8)
        states = np.zeros(len(compositions.numbers), np.int64)
        mixed: dict[int, Assignment] = {}
        unknown = self._unknown(compositions)
        for group in compositions.groups():
            known = _reduced(group, ~unknown[group.rows])
            found, best = self._solved(known, mixed)
            neutral[known.rows] = found
            places = compositions.starts[known.rows][:, None] + np.arange(best.shape[1])
            states[places] = best
        return Answers(neutral, states, mixed, self._notes(compositions, unknown))

    def _unknown(self, compositions: Compositions) -> NDArray[np.bool_]:
        """Tell for which rows nothing can be known."""
        import numpy as np

        lengths = np.diff(compositions.starts)
        unknown: NDArray[np.bool_] = compositions.any_of(self._unusable) & (lengths > 1)
        return unknown & compositions.valid

    def _notes(self, compositions: Compositions, unknown: NDArray[np.bool_]) -> pa.StringArray:
        """Say why, in the words of the rules; the same elements are asked for once."""
        import numpy as np
        import pyarrow as pa

        notes: dict[tuple[int, ...], str | None] = {}
        texts: list[str | None] = [None] * len(compositions)
        starts, numbers = compositions.starts.tolist(), compositions.numbers.tolist()
        unusable = self._unusable.tolist()
        for row in np.flatnonzero(unknown).tolist():
            key = tuple(one for one in numbers[starts[row] : starts[row + 1]] if unusable[one])
            if key not in notes:
                notes[key] = self._rules.unknown([SYMBOLS[number - 1] for number in key])
            texts[row] = notes[key]
        return pa.array(texts, pa.string()) if notes else pa.nulls(len(compositions), pa.string())

    def _solved(
        self, group: Group, mixed: dict[int, Assignment]
    ) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
        """Return whether rows are neutral, and their states (n, elements)."""
        import numpy as np

        count, length = group.numbers.shape
        found = np.zeros(count, np.int8)
        best = np.zeros((count, length), np.int64)
        if length == 1:
            return np.ones(count, np.int8), best
        ordered = np.zeros(count, np.bool_)
        sizes = self._table.sizes[group.numbers]
        totals = np.prod(sizes.astype(np.float64), axis=1)
        wide = totals > LARGEST_NUMBER_OF_CHOICES
        for part in in_parts(np.flatnonzero(~wide), totals / sizes.max(axis=1)):
            of, states, in_order = self._choices(group.numbers[part], group.atoms[part])
            found[part[of]], best[part[of]], ordered[part[of]] = 1, states, in_order
        searched = wide
        if self._rules.mixed_valence:
            searched = searched | (found == 0) | ~ordered
        for at in np.flatnonzero(searched):
            symbols = [SYMBOLS[number - 1] for number in group.numbers[at]]
            answer = self._rules.assign(symbols, group.atoms[at].tolist())
            found[at] = bool(answer.neutral)
            if answer.neutral and any(answer.state(symbol) is None for symbol in symbols):
                mixed[int(group.rows[at])] = answer
            elif answer.neutral:
                best[at] = [answer.state(symbol) or 0 for symbol in symbols]
        return found, best

    def _choices(
        self, numbers: NDArray[np.int64], atoms: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """Return the rows that have a neutral choice, the best one's states, and their order."""
        import numpy as np

        table = self._table
        most = table.states.shape[1]
        rows = np.arange(len(numbers))
        radices = table.sizes[numbers]
        follows = radices.argmax(axis=1)
        # The mixed radix of the choices: the element that follows has one digit, found later.
        radices[rows, follows] = 1
        owner, digits = choices(radices)
        charge = np.zeros(len(owner), np.int64)
        for place, digit in enumerate(digits):
            charges = table.states[numbers[:, place]] * atoms[:, place, None]
            charges[follows == place] = 0
            charge += charges.ravel()[owner * most + digit]
        needed, left = np.divmod(-charge, atoms[rows, follows][owner])
        fits = np.flatnonzero((left == 0) & (np.abs(needed) <= LARGEST_STATE))
        owner, needed = owner[fits], needed[fits] + LARGEST_STATE
        following = table.digits[numbers[rows, follows][owner], needed]
        hit = np.flatnonzero(following >= 0)
        owner = owner[hit]
        chosen = np.stack([digit[fits[hit]] for digit in digits], axis=1)
        chosen[np.arange(len(hit)), follows[owner]] = following[hit]
        states = table.states[numbers[owner], chosen]
        return self._best(numbers[owner], atoms[owner], states, chosen, owner)

    def _best(
        self,
        numbers: NDArray[np.int64],
        atoms: NDArray[np.int64],
        states: NDArray[np.int64],
        digits: NDArray[np.int64],
        owner: NDArray[np.int64],
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """Return of the neutral choices of each owner the first, by the order of `Oxidation`."""
        import numpy as np

        values = self._table.electronegativities[numbers]
        cations = np.where((states > 0) & ~np.isnan(values), values, -np.inf).max(axis=1)
        anions = np.where((states < 0) & ~np.isnan(values), values, np.inf).min(axis=1)
        ordered = cations <= anions
        if self._rules.ordered:
            states, digits, owner = states[ordered], digits[ordered], owner[ordered]
            atoms, numbers, ordered = atoms[ordered], numbers[ordered], ordered[ordered]
        sizes = self._table.sizes[numbers]
        place = np.zeros(len(owner), np.int64)
        for position in range(numbers.shape[1]):
            place = place * sizes[:, position] + digits[:, position]
        absolute = (np.abs(states) * atoms).sum(axis=1)
        rank = (absolute << ABSOLUTE_BITS) + place
        oddity = self._table.oddity[numbers, digits].sum(axis=1)
        order = np.lexsort((rank, oddity, ~ordered, owner))
        first = order[np.flatnonzero(np.diff(owner[order], prepend=-1))]
        return owner[first], states[first], ordered[first]

    @cached_property
    def _unusable(self) -> NDArray[np.bool_]:
        """Tell for each atomic number (119,) whether nothing can be said of it."""
        import numpy as np

        unusable: NDArray[np.bool_] = self._table.sizes == 0
        if self._rules.ordered:
            unusable = unusable | np.isnan(self._table.electronegativities)
        return unusable

    @cached_property
    def _table(self) -> _Table:
        return _table(self._rules)


@dataclass(frozen=True)
class _Table:
    """The states by atomic number: `states` (119, most), how many there are, and where each is.

    `oddity` (119, most) is that of each; `digits` (119, 2 LARGEST_STATE + 1)
    is the place of a state among the states, or -1.
    """

    states: NDArray[np.int64]
    oddity: NDArray[np.int64]
    sizes: NDArray[np.int64]
    digits: NDArray[np.int64]
    electronegativities: NDArray[np.float64]


def _table(rules: Oxidation) -> _Table:
    import numpy as np

    lists = [(), *(rules.states(symbol) for symbol in SYMBOLS)]
    states = np.zeros((len(lists), max(map(len, lists))), np.int64)
    oddity = np.zeros(states.shape, np.int64)
    digits = np.full((len(lists), 2 * LARGEST_STATE + 1), -1, np.int64)
    values = np.full(len(lists), np.nan)
    for number, held in enumerate(lists):
        states[number, : len(held)] = held
        for digit, state in enumerate(held):
            digits[number, state + LARGEST_STATE] = digit
        if number:
            oddity[number, : len(held)] = [
                rules.oddity(SYMBOLS[number - 1], state) for state in held
            ]
            value = element(SYMBOLS[number - 1]).electronegativity
            values[number] = np.nan if value is None else value
    return _Table(states, oddity, np.array([len(held) for held in lists]), digits, values)


def _reduced(group: Group, known: NDArray[np.bool_]) -> Group:
    """Return the rows that are `known`, by reduced formula."""
    import numpy as np

    atoms = group.atoms[known]
    divisor = np.maximum(np.gcd.reduce(atoms, axis=1), 1)
    return Group(group.rows[known], group.numbers[known], atoms // divisor[:, None])


def choices(radices: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
    """Return all choices of digits below the `radices` (rows, places) of each row, end to end.

    These are the row of each choice, ascending, and for each place the digits of all choices.
    """
    import numpy as np

    totals = radices.prod(axis=1)
    owner = np.repeat(np.arange(len(radices)), totals)
    rest = np.arange(len(owner)) - np.repeat(np.cumsum(totals) - totals, totals)
    digits: list[NDArray[np.int64]] = []
    for radix in radices.T[::-1]:
        rest, digit = np.divmod(rest, radix[owner])
        digits.insert(0, digit)
    return owner, digits


def in_parts(rows: NDArray[np.int64], totals: NDArray[np.float64]) -> Iterator[NDArray[np.int64]]:
    """Yield the rows in runs that have about `CHOICES_AT_ONCE` choices together."""
    import numpy as np

    if len(rows):
        runs = np.floor(np.cumsum(totals[rows]) / CHOICES_AT_ONCE)
        yield from np.split(rows, np.flatnonzero(np.diff(runs)) + 1)
