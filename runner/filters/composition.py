"""Numbers that follow from the composition alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.crystal.elements import ATOMIC_NUMBERS, Element, element
from schemas.columns import Column
from schemas.model import Model
from schemas.protocols import Scorer, Surroundings

if TYPE_CHECKING:
    import pyarrow as pa


class CompositionParams(Model):
    """Nothing to choose."""


class Composition:
    """Masses, atomic numbers, electronegativities; see `schemas.protocols.Score`."""

    params = CompositionParams
    version = 1

    def columns(self, params: CompositionParams) -> tuple[Column, ...]:
        """Return the columns; all but the molar mass are over the atoms or elements of the cell."""
        return (
            Column("molar_mass_g_per_mol", "float", "Mass of one reduced formula unit.", "g/mol"),
            Column("mean_atomic_number", "float", "Mean over the atoms."),
            Column("max_atomic_number", "int", "Largest atomic number of the elements."),
            Column(
                "electronegativity_difference",
                "float",
                "Largest minus smallest Pauling electronegativity of the elements.",
            ),
        )

    def requires(self, params: CompositionParams) -> tuple[str, ...]:
        """Return the columns of the composition."""
        return ("elements", "amounts")

    def seconds(self, params: CompositionParams) -> float:
        """Return the time of one row: so little that nothing is gained by keeping values."""
        return 1e-6

    def files(self, params: CompositionParams, surroundings: Surroundings) -> dict[str, str]:
        """Return nothing: values follow from the params."""
        return {}

    def scorer(self, params: CompositionParams, surroundings: Surroundings) -> Scorer:
        """Return the function that scores batches, all rows at once."""
        return _score


plugin = Composition()

_UNKNOWN = Element("", 0, 0.0, None, (), ())
"""Stands in for a text that is no element's symbol, so that its row alone fails."""


def _score(batch: pa.RecordBatch) -> pa.RecordBatch:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if batch.num_rows == 0:
        return pa.RecordBatch.from_pylist([], schema=_schema())
    # Lists of all rows end to end, each atom kind an index into the few elements of the batch.
    kinds = pc.list_flatten(batch["elements"]).dictionary_encode()
    symbols = kinds.dictionary.to_pylist()
    data = [element(s) if s in ATOMIC_NUMBERS else _UNKNOWN for s in symbols]
    index = kinds.indices.to_numpy()
    amounts = pc.list_flatten(batch["amounts"]).to_numpy()
    lengths = pc.list_value_length(batch["elements"]).to_numpy()
    starts = np.concatenate(([0], np.cumsum(lengths)[:-1]))

    numbers = np.array([entry.atomic_number for entry in data])[index]
    masses = np.array([entry.mass_g_per_mol for entry in data])[index]
    values = np.array([_electronegativity(entry) for entry in data])[index]
    formula_units = np.gcd.reduceat(np.rint(amounts).astype(np.int64), starts)
    difference = np.maximum.reduceat(values, starts) - np.minimum.reduceat(values, starts)
    unknown = np.isnan(difference)
    wrong = np.minimum.reduceat(numbers, starts) == _UNKNOWN.atomic_number
    no_text = pa.scalar(None, pa.string())
    errors = pc.if_else(
        pa.array(wrong), pa.scalar("one of the elements is not an element"), no_text
    )
    notes = pc.if_else(
        pa.array(unknown & ~wrong), pa.scalar("an element has no electronegativity"), no_text
    )
    mass = np.add.reduceat(masses * amounts, starts) / formula_units
    mean = np.add.reduceat(numbers * amounts, starts) / np.add.reduceat(amounts, starts)
    return pa.RecordBatch.from_arrays(
        [
            pa.array(mass, mask=wrong),
            pa.array(mean, mask=wrong),
            pa.array(np.maximum.reduceat(numbers, starts), pa.int64(), mask=wrong),
            pa.array(difference, mask=unknown | wrong),
            notes,
            errors,
        ],
        schema=_schema(),
    )


def _schema() -> pa.Schema:
    from schemas.columns import arrow_schema

    texts = (Column("note", "text", ""), Column("error", "text", ""))
    return arrow_schema((*plugin.columns(CompositionParams()), *texts))


def _electronegativity(entry: Element) -> float:
    return float("nan") if entry.electronegativity is None else entry.electronegativity
