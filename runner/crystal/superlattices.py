"""Superlattices of a lattice: all of one size, and those that symmetry tells apart.

Source: Hart and Forcade, Phys. Rev. B 77, 224115 (2008), doi:10.1103/PhysRevB.77.224115. A
superlattice is an integer matrix whose rows are its vectors in those of the parent; its Hermite
normal form, lower triangular here, names it once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Row: TypeAlias = tuple[int, int, int]
Hermite: TypeAlias = tuple[Row, Row, Row]
"""((a, 0, 0), (b, c, 0), (d, e, f)) with 0 <= b, d < a and 0 <= e < c."""


def superlattices(size: int) -> Iterator[Hermite]:
    """Yield all superlattices of a size: the volume in parent cells; OEIS A001001 counts them."""
    for a in _divisors(size):
        for c in _divisors(size // a):
            f = size // (a * c)
            for b in range(a):
                for e in range(c):
                    for d in range(a):
                        yield (a, 0, 0), (b, c, 0), (d, e, f)


def distinct_superlattices(size: int, rotations: Sequence[NDArray[np.int64]]) -> Iterator[Hermite]:
    """Yield one superlattice of each set that the rotations map onto each other.

    Parameters
    ----------
    size
        Volume in parent cells.
    rotations
        Integer matrices of shape (3, 3) that act on fractional coordinates as columns; a group.
    """
    seen: set[Hermite] = set()
    transposed = [rotation.T.tolist() for rotation in rotations]
    for hermite in superlattices(size):
        if hermite in seen:
            continue
        yield hermite
        seen.update(hermite_form(_product(hermite, rotation)) for rotation in transposed)


def hermite_form(rows: Sequence[Sequence[int]]) -> Hermite:
    """Return the Hermite normal form of the lattice that three independent vectors span."""
    work = [list(row) for row in rows]
    for column in (2, 1, 0):
        # Rows up to `column` are combined until one alone has an entry in this column.
        while True:
            filled = [n for n in range(column + 1) if work[n][column]]
            least = min(filled, key=lambda n: abs(work[n][column]))
            work[least], work[column] = work[column], work[least]
            if len(filled) == 1:
                break
            for n in range(column):
                _subtract(work[n], work[column], work[n][column] // work[column][column])
        if work[column][column] < 0:
            work[column] = [-x for x in work[column]]
    _subtract(work[2], work[1], work[2][1] // work[1][1])
    for n in (1, 2):
        _subtract(work[n], work[0], work[n][0] // work[0][0])
    first, second, third = work
    return (
        (first[0], first[1], first[2]),
        (second[0], second[1], second[2]),
        (third[0], third[1], third[2]),
    )


def coset_numbers(hermite: Hermite, points: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return which of the size's parent cells, from 0, each lattice point falls on.

    `points` has the shape (..., 3), in vectors of the parent.
    """
    (a, _, _), (b, c, _), (d, e, f) = hermite
    x, y, z = points[..., 0], points[..., 1], points[..., 2]
    up, left = z // f, z % f
    x, y = x - up * d, y - up * e
    across, middle = y // c, y % c
    x = (x - across * b) % a
    return (x * c + middle) * f + left


def coset_points(hermite: Hermite) -> NDArray[np.int64]:
    """Return the lattice points in the order of `coset_numbers`, shape (size, 3)."""
    import numpy as np

    (a, _, _), (_, c, _), (_, _, f) = hermite
    grid: NDArray[np.int64] = np.indices((a, c, f), dtype=np.int64)
    return grid.reshape(3, -1).T


def keeps(hermite: Hermite, rotations: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which rotations, shape (n, 3, 3), map the superlattice onto itself."""
    import numpy as np

    rotated = np.einsum("nij,kj->nki", rotations, np.array(hermite, dtype=np.int64))
    return np.asarray((coset_numbers(hermite, rotated) == 0).all(axis=1))


def _subtract(row: list[int], other: Sequence[int], times: int) -> None:
    for n, x in enumerate(other):
        row[n] -= times * x


def _product(rows: Hermite, matrix: Sequence[Sequence[int]]) -> list[list[int]]:
    return [
        [sum(x * line[column] for x, line in zip(row, matrix, strict=True)) for column in range(3)]
        for row in rows
    ]


def _divisors(number: int) -> list[int]:
    return [n for n in range(1, number + 1) if number % n == 0]
