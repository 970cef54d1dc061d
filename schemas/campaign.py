"""The campaign file: one document for the whole funnel."""

from typing import Literal

from pydantic import Field

from schemas.budget import Budget
from schemas.export import Export
from schemas.filters import FilterStep
from schemas.model import Model, Name
from schemas.profile import Profile
from schemas.references import References
from schemas.screening import ScreeningBlock
from schemas.space import SpaceEntry
from schemas.stages import AnyStageBlock, Defaults, StageName


class Campaign(Model):
    """A campaign file; blocks of plug-ins hold their settings as they were written."""

    version: Literal[1] = Field(description="Version of the language.")
    campaign: Name = Field(
        description="Name of the campaign: small letters, digits, dashes. Names all that it makes."
    )
    project: Name | None = Field(default=None, description="Tag for the allocation of costs.")
    seed: int = Field(default=0, ge=0, description="Seed of everything that is drawn at random.")
    space: tuple[SpaceEntry, ...] = Field(
        min_length=1, description="Generators of candidates; their union, in this order."
    )
    references: References = Field(
        default=References(),
        description="What candidates compete with: structures for hulls and formation energies.",
    )
    filters: tuple[FilterStep, ...] = Field(
        default=(), description="What thins the candidates out, in this order."
    )
    screening: ScreeningBlock = Field(
        default=ScreeningBlock(), description="How the filters are gone through, and judged."
    )
    defaults: Defaults = Field(default=Defaults(), description="What holds for all stages.")
    stages: dict[StageName, AnyStageBlock] = Field(
        min_length=1,
        description="Calculations and analyses by name; roles, `of` and `when` say what waits for "
        "what.",
    )
    budget: Budget = Field(default=Budget(), description="What the campaign may use.")
    run: Profile | None = Field(
        default=None, description="Where and with what it runs; a profile of the user precedes it."
    )
    export: Export = Field(default=Export(), description="Where result tables are published.")
