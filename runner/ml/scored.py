"""From what a model says to the rows of a score: rounded, with notes and errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from types import MappingProxyType
from typing import TYPE_CHECKING

from runner.crystal.cells import arrays
from runner.ml.guarded import guarded
from runner.ml.protocol import Predictor, Record
from schemas.columns import Column, arrow_type
from schemas.protocols import Scorer

if TYPE_CHECKING:
    import pyarrow as pa

UNCERTAINTY = "_uncertainty"
"""What is put behind the name of a column for the column of its uncertainty."""
SIGNIFICANT = 7
DIGITS: Mapping[str, int] = MappingProxyType(
    {
        "energy_ev_per_atom": 6,
        "max_force_ev_per_ang": 4,
        "pressure_gpa": 3,
        "max_moment_bohr": 4,
        "volume_change": 6,
    }
)
"""Decimals that are kept. Networks compute in single precision: what comes behind is noise and
differs with the device, so that only kept digits can be compared."""


def columns_of(record: Record) -> tuple[Column, ...]:
    """Return the columns of a model, each uncertainty behind what it belongs to."""
    found: list[Column] = []
    for column in record.columns:
        found.append(column)
        if column.name in record.uncertain:
            text = f"Uncertainty of {column.name} as the model states it."
            found.append(Column(f"{column.name}{UNCERTAINTY}", "float", text, column.unit))
    return tuple(found)


def scorer(predictor: Predictor, record: Record, columns: Sequence[Column]) -> Scorer:
    """Return the function that scores batches with the model.

    A cell with elements that the model never saw has no values and a note that says so.
    """

    def score(batch: pa.RecordBatch) -> pa.RecordBatch:
        import pyarrow as pa

        if batch.num_rows == 0:
            nothing = {column.name: pa.array([], arrow_type(column.type)) for column in columns}
            texts = pa.array([], pa.string())
            return pa.record_batch({**nothing, "note": texts, "error": texts})
        found, notes = guarded(predictor, record, arrays(batch["structure"]))
        known = [error is None for error in found.errors]
        scored = {}
        for column in columns:
            source = column.name.removesuffix(UNCERTAINTY)
            values = found.values if source == column.name else found.uncertainty
            rounded = [
                _rounded(column, value) if there else None
                for value, there in zip(values[source].tolist(), known, strict=True)
            ]
            scored[column.name] = pa.array(rounded, arrow_type(column.type))
        texts = {"note": notes, "error": list(found.errors)}
        return pa.record_batch(
            {**scored, **{name: pa.array(said, pa.string()) for name, said in texts.items()}}
        )

    return score


def _rounded(column: Column, value: float) -> float | int | None:
    if not isfinite(value):
        return None
    if column.type == "int":
        return round(value)
    if column.name in DIGITS:
        return round(value, DIGITS[column.name])
    return float(f"{value:.{SIGNIFICANT}g}")
