"""Asks a model only what it can answer: cells of elements that it was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from runner.crystal.cells import CellArrays
from runner.ml.domain import outside_domain
from runner.ml.protocol import Prediction, Predictor, Record

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

UNTRAINED = "was not trained on"
"""What the note of a cell says that is outside of a model's training domain."""


def guarded(
    predictor: Predictor, record: Record, cells: CellArrays
) -> tuple[Prediction, list[str | None]]:
    """Return what the model says of each cell, and a note where it is unlike its training data.

    A cell with elements that the model never saw is not asked about and has NaN everywhere; one
    whose descriptors are out of range is. One without a finite value has an error.
    """
    import numpy as np

    unseen = [record.domain.unseen(cells, index) for index in range(len(cells))]
    notes = [
        f"{record.name} {UNTRAINED} {', '.join(elements)}" if elements else None
        for elements in unseen
    ]
    asked = np.array([note is None for note in notes], dtype=bool)
    for index in np.flatnonzero(asked & outside_domain(record.domain, cells)):
        notes[index] = f"{record.name} {UNTRAINED} cells like this"
    if not asked.any():
        names = [column.name for column in record.columns]
        nothing = {name: np.full(len(cells), np.nan) for name in names}
        return Prediction(nothing, [None] * len(cells), dict(nothing)), notes
    found = predictor(selected(cells, asked))
    errors: list[str | None] = [None] * len(cells)
    first = next(iter(found.values))
    for place, error, value in zip(
        np.flatnonzero(asked), found.errors, found.values[first], strict=True
    ):
        errors[place] = error or (None if np.isfinite(value) else f"{first} is not finite")
    spread = Prediction(_spread(found.values, asked), errors, _spread(found.uncertainty, asked))
    return spread, notes


def selected(cells: CellArrays, mask: NDArray[np.bool_]) -> CellArrays:
    """Return the cells for which the mask is true."""
    import numpy as np

    if mask.all():
        return cells
    sizes = np.diff(cells.starts)
    sites = np.repeat(mask, sizes)
    return CellArrays(
        lattices_ang=cells.lattices_ang[mask],
        numbers=cells.numbers[sites],
        frac_coords=cells.frac_coords[sites],
        starts=np.concatenate([[0], np.cumsum(sizes[mask])]),
    )


def _spread(
    values: Mapping[str, NDArray[np.float64]], asked: Sequence[bool] | NDArray[np.bool_]
) -> dict[str, NDArray[np.float64]]:
    import numpy as np

    spread = {}
    for name, found in values.items():
        spread[name] = np.full(len(asked), np.nan)
        spread[name][np.asarray(asked)] = found
    return spread
