"""Arithmetic that rounds a row alike wherever it stands and however many there are.

Libraries compute many values at once and the few that are left over by other functions, which round
otherwise. What a model says of a cell would then depend on its companions, in the last digits of
single precision: 1e-6 eV/atom. On a CPU these functions keep it the same to the last bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

ROWS_AT_ONCE = 16
"""Rows that kernels of matrix products take together (found by trying: only one row differs)."""
VALUES_AT_ONCE = 64
"""A multiple of the values that kernels of functions take together: two vectors of 512 bits."""


def multiplied(rows: Tensor, matrix: Tensor) -> Tensor:
    """Return the matrix product, each row the same whatever the number of rows.

    The rows are filled up where there are few or the result is narrow.
    """
    import torch.nn.functional as f

    n = len(rows)
    missing = -n % ROWS_AT_ONCE
    if missing and (n < ROWS_AT_ONCE or matrix.shape[1] < ROWS_AT_ONCE):
        return (f.pad(rows, (0, 0, 0, missing)) @ matrix)[:n]
    return rows @ matrix


def added_product(base: Tensor, rows: Tensor, matrix: Tensor) -> Tensor:
    """Return the matrix product plus a base, each row the same whatever the number of rows.

    A base of one row is added to all; one of many rows is used up: the result takes its place.
    """
    import torch

    if len(rows) < ROWS_AT_ONCE:
        return multiplied(rows, matrix) + base
    return torch.addmm(base, rows, matrix) if base.ndim == 1 else base.addmm_(rows, matrix)


def filled_up(values: Tensor, filling: float) -> Tensor:
    """Return the values and fillings behind them, so that no value is in a last, odd piece.

    For functions such as sine and arc cosine, of a vector or of its rows.
    """
    import torch.nn.functional as f

    return f.pad(values, (0, -len(values) % VALUES_AT_ONCE), value=filling)


def power(values: Tensor, exponent: int) -> Tensor:
    """Return an integer power by multiplications alone, which round alike everywhere."""
    power = None
    while exponent:
        if exponent % 2:
            power = values if power is None else power * values
        values = values * values
        exponent //= 2
    return power
