"""What the janitor put right: kept with its reason, and shown by `campaign repair`."""

from datetime import datetime

from pydantic import Field

from schemas.model import Model


class RepairRecord(Model):
    """One thing that was put right."""

    campaign: str
    at: datetime
    by: str = Field(description="Who did it: janitor@machine.")
    what: str = Field(description="The thing: a firework, a workflow, a launch, a lease.")
    reason: str = Field(description="What was wrong with it.")


class RepairRound(Model):
    """`campaign repair`: what one round over a campaign found, or its log."""

    campaign: str
    repairs: tuple[RepairRecord, ...]
    orphans: int = Field(
        default=0, description="Programs that outlived their workers; their keys wait for them."
    )
    suspects: int = Field(
        default=0, description="What looks left behind, and has to look so for a minute longer."
    )
    controller: str | None = Field(
        default=None, description="A process that controls the campaign: its janitor does the same."
    )
