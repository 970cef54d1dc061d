"""`screening`: how the filters are gone through, and how they are judged afterwards."""

from typing import Literal

from pydantic import Field

from schemas.model import Model


class ScreeningBlock(Model):
    """How candidates are screened."""

    order: Literal["planned", "written"] = Field(
        default="planned",
        description="planned: filters that cost little and reject much come first, as far as one "
        "does not need another; steps with `top` or `control_sample` stay where they are, and "
        "nothing passes them. Which candidates go on is the same either way. written: as the file "
        "says.",
    )
    shards: Literal["auto", "always", "never"] = Field(
        default="auto",
        description="Whether slow scores are computed as fireworks that workers of the launcher "
        "take, before the filters are gone through. auto: where that would take more than ten "
        "minutes otherwise.",
    )
    good: str | None = Field(
        default=None,
        description="Expression: what makes a computed candidate a good one, such as "
        '"gap.band_gap_ev > 1.1". `campaign funnel` says how many of those the filters threw '
        "away, from their control samples. Without it those are good that went through all "
        "stages.",
    )
