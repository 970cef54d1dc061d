"""Compositions of a batch as numpy arrays: atomic numbers and whole numbers of atoms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from runner.crystal.elements import ATOMIC_NUMBERS, SYMBOLS, symbol_problem
from runner.crystal.remarks import coded_texts

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from runner.crystal.cells import CellArrays

NO_ELEMENT = 0
"""Stands for a text that is no element's symbol."""


@dataclass(frozen=True)
class Group:
    """The compositions with one number of elements.

    `rows` (n,) are their places in the batch; `numbers` and `atoms` have the shape (n, elements),
    in the order of the batch.
    """

    rows: NDArray[np.int64]
    numbers: NDArray[np.int64]
    atoms: NDArray[np.int64]


@dataclass(frozen=True)
class Compositions:
    """All compositions of a batch, their elements end to end; row i has `starts[i:i + 2]`."""

    numbers: NDArray[np.int64]
    atoms: NDArray[np.int64]
    starts: NDArray[np.int64]
    errors: pa.StringArray
    """By row: what is wrong with a symbol, or null."""

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Tell for each row whether all its elements are elements."""
        valid: NDArray[np.bool_] = self.errors.is_null().to_numpy(zero_copy_only=False)
        return valid

    def groups(self) -> Iterator[Group]:
        """Yield the valid compositions by their number of elements."""
        import numpy as np

        lengths = np.diff(self.starts)
        valid = self.valid
        for length in np.unique(lengths[valid]):
            rows = np.flatnonzero(valid & (lengths == length))
            places = self.starts[rows][:, None] + np.arange(length)
            yield Group(rows, self.numbers[places], self.atoms[places])

    def any_of(self, marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Tell for each row whether one of its elements is `marked` (119,)."""
        import numpy as np

        if not len(self.numbers):
            return np.zeros(len(self), np.bool_)
        found: NDArray[np.bool_] = np.logical_or.reduceat(marked[self.numbers], self.starts[:-1])
        return found

    def table(self, values: NDArray[np.float64], reduce: np.ufunc) -> NDArray[np.float64]:
        """Return a value by row: `reduce` (np.maximum, ...) over the elements' `values` (119,)."""
        import numpy as np

        if not len(self.numbers):
            return np.full(len(self), np.nan)
        reduced: NDArray[np.float64] = reduce.reduceat(values[self.numbers], self.starts[:-1])
        return reduced

    def weighted(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return by row the sum of the elements' `values` (119,) over all atoms."""
        import numpy as np

        if not len(self.numbers):
            return np.zeros(len(self))
        summed: NDArray[np.float64] = np.add.reduceat(
            values[self.numbers] * self.atoms, self.starts[:-1]
        )
        return summed

    def missing(self, known: NDArray[np.bool_], what: str) -> pa.StringArray:
        """Return by row `what` and the first element that is not `known` (119,), or null."""
        import numpy as np

        unknown = ~known[self.numbers]
        codes = np.full(len(self), -1, np.int64)
        at = np.flatnonzero(unknown)[::-1]  # the first of a row is written last
        rows = np.searchsorted(self.starts, at, side="right") - 1
        codes[rows] = self.numbers[at]
        codes[~self.valid] = -1
        return coded_texts(codes, lambda number: f"{what} {SYMBOLS[number - 1]}")


def compositions(batch: pa.RecordBatch) -> Compositions:
    """Return the compositions of a batch with the columns `elements` and `amounts`."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    kinds = pc.list_flatten(batch["elements"]).dictionary_encode()
    symbols = kinds.dictionary.to_pylist()
    of_kind = np.array([ATOMIC_NUMBERS.get(symbol, NO_ELEMENT) for symbol in symbols], np.int64)
    numbers = of_kind[kinds.indices.to_numpy()]
    amounts = pc.list_flatten(batch["amounts"]).to_numpy()
    lengths = pc.list_value_length(batch["elements"]).to_numpy()
    starts = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    errors: list[str | None] = [None] * batch.num_rows
    if NO_ELEMENT in of_kind:
        for at in np.flatnonzero(numbers == NO_ELEMENT)[::-1]:
            row = int(np.searchsorted(starts, at, side="right")) - 1
            errors[row] = symbol_problem(batch["elements"][row].as_py())
    atoms = np.rint(amounts).astype(np.int64)
    return Compositions(numbers, atoms, starts, pa.array(errors, pa.string()))


def cell_compositions(cells: CellArrays) -> Compositions:
    """Return the compositions of cells, elements by atomic number."""
    import numpy as np
    import pyarrow as pa

    owner = np.repeat(np.arange(len(cells)), np.diff(cells.starts))
    keys, atoms = np.unique(owner * (len(SYMBOLS) + 1) + cells.numbers, return_counts=True)
    owners, numbers = np.divmod(keys, len(SYMBOLS) + 1)
    starts = np.searchsorted(owners, np.arange(len(cells) + 1))
    return Compositions(numbers, atoms, starts, pa.nulls(len(cells), pa.string()))


@cache
def symbol_ranks() -> NDArray[np.int64]:
    """Return by atomic number (119,) the place of the symbol among all symbols in sorted order."""
    import numpy as np

    ranks = np.zeros(len(SYMBOLS) + 1, np.int64)
    for rank, symbol in enumerate(sorted(SYMBOLS)):
        ranks[ATOMIC_NUMBERS[symbol]] = rank
    return ranks
