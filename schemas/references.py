"""`references`: the phases that candidates compete with; no filter touches them."""

from typing import Literal

from pydantic import Field, field_validator

from schemas.model import Model
from schemas.space import SpaceEntry


class References(Model):
    """Where reference structures come from; what scores need of them they compute themselves."""

    elements: Literal["all"] | tuple[str, ...] = Field(
        default=(),
        description="Reference structures of elements: `all`, or symbols: [Sr, Ti, O]. Each score "
        "takes those of the candidates' elements.",
    )
    structures: tuple[str, ...] = Field(
        default=(),
        description="Files of competing phases: one glob or a list of them, relative to the "
        "campaign file: competing/*.cif.",
    )
    space: tuple[SpaceEntry, ...] = Field(
        default=(), description="Generators of competing phases, as in the campaign's `space`."
    )

    @field_validator("structures", mode="before")
    @classmethod
    def _one_or_many(cls, structures: object) -> object:
        return (structures,) if isinstance(structures, str) else structures
