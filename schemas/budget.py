"""`budget`: caps that hold while the campaign runs."""

from pydantic import Field

from schemas.model import Model


class Budget(Model):
    """What the campaign may use; nothing new starts beyond it."""

    core_hours: float | None = Field(default=None, gt=0, description="Core-hours of all attempts.")
    usd: float | None = Field(
        default=None,
        gt=0,
        description="US dollars of all attempts, at the price in `run.usd_per_core_hour`.",
    )
