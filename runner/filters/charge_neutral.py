"""Whether a composition can be neutral with usual oxidation states."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from runner.crystal.elements import symbol_problem
from runner.crystal.oxidation import Assignment, StateTable, oxidation
from schemas.columns import Column
from schemas.identity import canonical_json
from schemas.model import JsonValue, Model
from schemas.protocols import Scorer, Surroundings

if TYPE_CHECKING:
    import pyarrow as pa


class ChargeNeutralParams(Model):
    """Which oxidation states may be taken, and how."""

    states: StateTable = Field(
        default="common",
        description="The common oxidation states of each element, or all that are known.",
    )
    ordered: bool = Field(
        default=False,
        description="Ask also that no cation is more electronegative (Pauling) than an anion.",
    )
    mixed_valence: bool = Field(
        default=False,
        description="Let atoms of one element be in two states, as iron in Fe3O4.",
    )


class ChargeNeutral:
    """Finds oxidation states that sum to zero; see `schemas.protocols.Score`."""

    params = ChargeNeutralParams
    version = 1

    def columns(self, params: ChargeNeutralParams) -> tuple[Column, ...]:
        """Return the columns `charge_neutral` and `oxidation_states`."""
        return (
            Column(
                "charge_neutral",
                "bool",
                "Some choice of oxidation states sums to zero; null where an element has none.",
            ),
            Column(
                "oxidation_states",
                "json",
                "The choice: state by element, or number of atoms by state. Null if there is none.",
            ),
        )

    def requires(self, params: ChargeNeutralParams) -> tuple[str, ...]:
        """Return the columns of the composition."""
        return ("elements", "amounts")

    def seconds(self, params: ChargeNeutralParams) -> float:
        """Return the time of one row: so little that nothing is gained by keeping values."""
        return 1e-5

    def files(self, params: ChargeNeutralParams, surroundings: Surroundings) -> dict[str, str]:
        """Return nothing: values follow from the params."""
        return {}

    def scorer(self, params: ChargeNeutralParams, surroundings: Surroundings) -> Scorer:
        """Return the function that scores batches; it remembers compositions."""
        rules = oxidation(params.states, ordered=params.ordered, mixed_valence=params.mixed_valence)

        def score(batch: pa.RecordBatch) -> pa.RecordBatch:
            import pyarrow as pa

            answers = []
            errors = []
            for symbols, amounts in zip(
                batch["elements"].to_pylist(), batch["amounts"].to_pylist(), strict=True
            ):
                problem = symbol_problem(symbols)
                errors.append(problem)
                atoms = [round(amount) for amount in amounts]
                answers.append(NOT_ASKED if problem else rules.assign(symbols, atoms))
            return pa.record_batch(
                {
                    "charge_neutral": pa.array([a.neutral for a in answers], pa.bool_()),
                    "oxidation_states": pa.array([_text(a) for a in answers], pa.string()),
                    "note": pa.array([a.note for a in answers], pa.string()),
                    "error": pa.array(errors, pa.string()),
                }
            )

        return score


plugin = ChargeNeutral()

NOT_ASKED = Assignment(neutral=None)


def _text(assignment: Assignment) -> str | None:
    # A copy: the type of JSON does not take in a mapping of narrower values.
    states: dict[str, JsonValue] = {}
    for symbol, state in (assignment.states or {}).items():
        states[symbol] = state if isinstance(state, int) else {**state}
    return canonical_json(states) if states else None
