"""How much charge a host of working ions can take up or give away, from oxidation states.

The elements that are not redox-active have their common states, the working ion its charge; what
is left is the charge of the redox-active elements together. Where that can be several, it is the
lowest: the other elements are oxidised first (P5+ and V3+ in LiVPO4F, not P3+ and V5+).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.crystal.elements import ATOMIC_NUMBERS, SYMBOLS, element
from runner.crystal.neutrality import choices, in_parts
from runner.crystal.remarks import first_of, texts_where

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from runner.crystal.compositions import Compositions, Group

REDOX_ACTIVE = (
    "Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Nb", "Mo", "W", "Sn", "Sb", "Bi",
)  # fmt: skip
"""Elements of intercalation hosts whose state changes, as the Materials Project takes them."""
LEAST_STATE = 2
"""To which insertion reduces; below it hosts give way to conversion. Copper goes down to 1."""
LEAST_STATES = {"Cu": 1}


@dataclass(frozen=True)
class Redox:
    """By row: working ions in the cell, charge of the redox-active elements, and its limits.

    NaN where it cannot be known, `notes` then says why. `active` counts redox-active atoms.
    """

    ions: NDArray[np.float64]
    charge: NDArray[np.float64]
    lowest: NDArray[np.float64]
    highest: NDArray[np.float64]
    active: NDArray[np.float64]
    notes: pa.StringArray


class Host:
    """The limits of the redox-active elements for one kind of working ion."""

    def __init__(
        self,
        ion: str,
        ion_charge: int,
        *,
        active: Collection[str] = REDOX_ACTIVE,
        lowest_states: Mapping[str, int],
        highest_states: Mapping[str, int],
    ) -> None:
        import numpy as np

        self._ion = ATOMIC_NUMBERS[ion]
        self._ion_charge = ion_charge
        count = len(SYMBOLS) + 1
        self._is_active = np.zeros(count, np.bool_)
        self._first, self._lowest, self._highest = (np.zeros(count) for _ in range(3))
        for symbol in {*active} - {ion}:
            number = ATOMIC_NUMBERS[symbol]
            states = [state for state in element(symbol).all_states if state > 0]
            if not states:
                continue
            least = LEAST_STATES.get(symbol, LEAST_STATE)
            self._is_active[number] = True
            self._first[number] = min(states)
            self._lowest[number] = lowest_states.get(
                symbol, min((state for state in states if state >= least), default=max(states))
            )
            self._highest[number] = highest_states.get(symbol, max(states))
        common = [(), *(element(symbol).common_states for symbol in SYMBOLS)]
        self._sizes = np.array([len(states) for states in common])
        self._states = np.zeros((count, max(self._sizes)), np.int64)
        for number, states_ in enumerate(common):
            self._states[number, : len(states_)] = states_
        # One state each: that of the ion is known, that of the active elements is what is left.
        self._sizes[self._is_active] = self._sizes[self._ion] = 1
        self._states[self._is_active] = 0
        self._states[self._ion] = ion_charge

    def redox(self, held: Compositions) -> Redox:
        """Return ions, charge and limits of all rows."""
        import numpy as np

        active = held.weighted(self._is_active.astype(np.float64))
        is_ion = np.arange(len(SYMBOLS) + 1) == self._ion
        charge = np.full(len(held), np.nan)
        for group in held.groups():
            self._charges(group, charge)
        stateless = held.missing(self._sizes > 0, "no common oxidation states of")
        unbalanced = texts_where(np.isnan(charge) & held.valid, UNBALANCED)
        return Redox(
            ions=held.weighted(is_ion.astype(np.float64)),
            charge=charge,
            lowest=held.weighted(self._lowest),
            highest=held.weighted(self._highest),
            active=active,
            notes=first_of(stateless, unbalanced),
        )

    def _charges(self, group: Group, charge: NDArray[np.float64]) -> None:
        """Write the charge of the redox-active elements of rows for which there is one."""
        import numpy as np

        sizes = self._sizes[group.numbers]
        totals = sizes.prod(axis=1).astype(np.float64)
        least = (self._first[group.numbers] * group.atoms).sum(axis=1)
        most = (self._highest[group.numbers] * group.atoms).sum(axis=1)
        for part in in_parts(np.flatnonzero(totals > 0), totals):
            owner, digits = choices(sizes[part])
            left = np.zeros(len(owner), np.int64)
            for place, digit in enumerate(digits):
                states = self._states[group.numbers[part, place][owner], digit]
                left -= states * group.atoms[part, place][owner]
            rows = part[owner]
            fits = (left >= least[rows]) & (left <= most[rows])
            # Sorted so that the lowest of each row is written last.
            order = np.lexsort((-left[fits], rows[fits]))
            charge[group.rows[rows[fits][order]]] = left[fits][order]


UNBALANCED = "no oxidation states make it neutral"
