"""A number from columns: what to rank by, such as a lower confidence bound for an acquisition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ConfigDict, Field, field_validator

from schemas.columns import Column
from schemas.errors import UserError
from schemas.expressions import parse
from schemas.model import Model
from schemas.protocols import Scorer, Surroundings

if TYPE_CHECKING:
    import pyarrow as pa

NUMBER = "number"


class ExpressionParams(Model):
    """The arithmetic."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"of": "n_atoms / n_elements"}]})

    of: str = Field(
        description="Arithmetic over columns of numbers that come before: `gap_ev - 1.34`, or the "
        "lower confidence bound `ml_energy_ev - 2 * ml_energy_std_ev` to rank by. With `as` the "
        "column gets a name of its own."
    )

    @field_validator("of")
    @classmethod
    def _number(cls, text: str) -> str:
        try:
            expression = parse(text)
        except UserError as error:
            raise ValueError(str(error)) from error
        problems: list[str] = []
        kind = expression.root.check(dict.fromkeys(expression.names, "float"), problems)
        if problems:
            raise ValueError("; ".join(problems))
        if kind != NUMBER:
            raise ValueError(f"'{text}' is no number; expected arithmetic, such as a - 2 * b")
        return text


class ExpressionScore:
    """Evaluates arithmetic; see `schemas.protocols.Score`."""

    params = ExpressionParams
    version = 1

    def columns(self, params: ExpressionParams) -> tuple[Column, ...]:
        """Return the column `expression`."""
        return (Column("expression", "float", f"{params.of}; null where a column of it is."),)

    def requires(self, params: ExpressionParams) -> tuple[str, ...]:
        """Return the columns that the expression names."""
        return tuple(sorted(parse(params.of).names))

    def seconds(self, params: ExpressionParams) -> float:
        """Return the time of one row: so little that nothing is gained by keeping values."""
        return 1e-7

    def files(self, params: ExpressionParams, surroundings: Surroundings) -> dict[str, str]:
        """Return nothing: values follow from the columns."""
        return {}

    def scorer(self, params: ExpressionParams, surroundings: Surroundings) -> Scorer:
        """Return the function that scores batches, all rows at once."""
        root = parse(params.of).root

        def score(batch: pa.RecordBatch) -> pa.RecordBatch:
            import pyarrow as pa

            nothing = pa.nulls(batch.num_rows, pa.string())
            values = root.array(batch)
            if not isinstance(values, pa.Array):
                values = pa.array([values.as_py()] * batch.num_rows)
            return pa.record_batch(
                {"expression": values.cast(pa.float64()), "note": nothing, "error": nothing}
            )

        return score


plugin = ExpressionScore()
