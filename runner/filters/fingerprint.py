"""A short text that is equal for equal crystals, in whatever cell they come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.crystal.cells import from_arrow
from runner.crystal.fingerprint import fingerprint
from schemas.columns import Column
from schemas.model import Model
from schemas.protocols import Scorer, Surroundings
from schemas.structure import Structure

if TYPE_CHECKING:
    import pyarrow as pa


class FingerprintParams(Model):
    """Nothing to choose."""


class Fingerprint:
    """Tells equal crystals from others, each row by itself; see `schemas.protocols.Score`."""

    params = FingerprintParams
    version = 1

    def columns(self, params: FingerprintParams) -> tuple[Column, ...]:
        """Return the column `fingerprint`."""
        return (
            Column(
                "fingerprint",
                "text",
                "Composition and a hash of mean distances in steps of 0.01 angstrom: equal for the "
                "same crystal in another cell, but for rounding.",
            ),
        )

    def requires(self, params: FingerprintParams) -> tuple[str, ...]:
        """Return the cell."""
        return ("structure",)

    def seconds(self, params: FingerprintParams) -> float:
        """Return the time of one row of about twenty atoms."""
        return 5e-4

    def files(self, params: FingerprintParams, surroundings: Surroundings) -> dict[str, str]:
        """Return nothing: values follow from the cell."""
        return {}

    def scorer(self, params: FingerprintParams, surroundings: Surroundings) -> Scorer:
        """Return the function that scores batches, cell by cell."""

        def score(batch: pa.RecordBatch) -> pa.RecordBatch:
            import pyarrow as pa

            texts, errors = [], []
            for structure in from_arrow(batch["structure"]):
                text, error = _text(structure)
                texts.append(text)
                errors.append(error)
            return pa.record_batch(
                {
                    "fingerprint": pa.array(texts, pa.string()),
                    "note": pa.nulls(len(texts), pa.string()),
                    "error": pa.array(errors, pa.string()),
                }
            )

        return score


plugin = Fingerprint()


def _text(structure: Structure) -> tuple[str | None, str | None]:
    try:
        return fingerprint(structure).text(), None
    except ValueError as error:
        return None, str(error)
