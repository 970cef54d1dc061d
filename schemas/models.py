"""What `campaign models list` shows."""

from __future__ import annotations

from pydantic import Field

from schemas.model import Model


class ModelEntry(Model):
    """One model: what it is, and whether it can be used here."""

    name: str
    installed: bool = Field(description="Package and weights are there.")
    problem: str | None = Field(default=None, description="What is missing, and how to get it.")
    version: str | None = None
    method_key: str | None = Field(
        default=None, description="Energies of different keys are never mixed in one hull."
    )
    description: str | None = Field(default=None, description="What it learned.")
    citation: str | None = Field(default=None, description="DOI of its paper.")
    licence: str | None = None
    columns: tuple[str, ...] = ()
    relaxes: bool = Field(default=False, description="It gives forces, so that cells can relax.")
    n_elements: int | None = Field(default=None, description="Elements in its training data.")
    weights: dict[str, str] = Field(
        default_factory=dict, description="SHA-256 of its files of weights, by label."
    )


class Models(Model):
    """All models, and where they would compute."""

    device: str | None = Field(description="What `device: auto` takes here; null without torch.")
    models: tuple[ModelEntry, ...]
