"""What any model predicts: one that is built in, or one of another distribution.

Distributions add models by the entry point `matcampaign.models`; see `runner.ml.protocol`.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ConfigDict, Field, field_validator

from runner.ml import registry
from runner.ml.devices import Device
from runner.ml.scored import columns_of, scorer
from schemas.columns import Column
from schemas.errors import UserError
from schemas.model import Model
from schemas.protocols import Scorer, Surroundings

SECONDS = 1e-2


class ModelParams(Model):
    """Which model."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"model": "chgnet-0.3.0"}]})

    model: str = Field(description="Name of the model: `campaign models list` shows them.")
    device: Device = Field(
        default="auto", description="auto takes a GPU where there is one, else the CPU."
    )

    @field_validator("model")
    @classmethod
    def _known(cls, model: str) -> str:
        try:
            registry.get(model)
        except UserError as error:
            raise ValueError(str(error)) from error
        return model


class ModelScore:
    """Scores cells with a model by its name; see `schemas.protocols.Score`."""

    params = ModelParams
    version = 1

    def columns(self, params: ModelParams) -> tuple[Column, ...]:
        """Return the model's columns and their uncertainties."""
        return columns_of(registry.get(params.model).record)

    def requires(self, params: ModelParams) -> tuple[str, ...]:
        """Return the cell."""
        return ("structure",)

    def seconds(self, params: ModelParams) -> float:
        """Return the time of one small cell: a guess until it is measured."""
        return SECONDS

    def files(self, params: ModelParams, surroundings: Surroundings) -> Mapping[str, str]:
        """Return the SHA-256 of the weights."""
        return registry.get(params.model).weights()

    def scorer(self, params: ModelParams, surroundings: Surroundings) -> Scorer:
        """Load the model and return the function that scores batches."""
        model = registry.get(params.model)
        if problem := model.missing():
            raise UserError(f"model {params.model}: {problem}")
        return scorer(model.setup(params.device), model.record, self.columns(params))


plugin = ModelScore()
