"""Whether a composition can be neutral with usual oxidation states."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ConfigDict, Field, field_validator

from runner.crystal.compositions import compositions
from runner.crystal.elements import of_elements
from runner.crystal.neutrality import Neutrality
from runner.crystal.oxidation import State, StateTable, oxidation
from runner.crystal.state_texts import states_json
from schemas.columns import Column
from schemas.model import Model
from schemas.protocols import Scorer, Surroundings

if TYPE_CHECKING:
    import pyarrow as pa


class ChargeNeutralParams(Model):
    """Which oxidation states may be taken, and how."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"ordered": True, "other_states": {"Ni": [2, 3, 4]}}]}
    )

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
    other_states: dict[str, tuple[State, ...]] = Field(
        default_factory=dict,
        description="Oxidation states of these elements, in place of those of the table: "
        "{Ni: [2, 3, 4]}.",
    )

    @field_validator("other_states")
    @classmethod
    def _of_elements(cls, states: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
        return of_elements(states)


class ChargeNeutral:
    """Finds oxidation states that sum to zero; see `schemas.protocols.Score`."""

    params = ChargeNeutralParams
    version = 2

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
        return 3e-6

    def files(self, params: ChargeNeutralParams, surroundings: Surroundings) -> dict[str, str]:
        """Return nothing: values follow from the params."""
        return {}

    def scorer(self, params: ChargeNeutralParams, surroundings: Surroundings) -> Scorer:
        """Return the function that scores batches; it remembers compositions."""
        finder = Neutrality(
            oxidation(
                params.states,
                ordered=params.ordered,
                mixed_valence=params.mixed_valence,
                others=tuple(sorted(params.other_states.items())),
            )
        )

        def score(batch: pa.RecordBatch) -> pa.RecordBatch:
            import pyarrow as pa

            held = compositions(batch)
            answers = finder.assign(held)
            return pa.record_batch(
                {
                    "charge_neutral": pa.array(answers.neutral == 1, mask=answers.neutral < 0),
                    "oxidation_states": states_json(held, answers),
                    "note": answers.notes,
                    "error": held.errors,
                }
            )

        return score


plugin = ChargeNeutral()
