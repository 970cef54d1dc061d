"""`stage.json`: a stage that travels to where no database can be reached."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from schemas.handover import Briefing
from schemas.model import Model
from schemas.profile import Site


class Forecast(Model):
    """What a stage is expected to take; an honest guess where nothing like it ever ran."""

    expected_s: float = Field(gt=0, description="Time on its cores: the median.")
    high_s: float = Field(gt=0, description="It takes longer one time in twenty.")
    memory_gb: float | None = Field(
        default=None, description="Per node, with a margin; None: nothing known."
    )
    basis: str = Field(description="Where the numbers come from.")


class StageFile(Model):
    """An order with all that carrying it out needs to know; it holds no secret.

    The paths (programs, pseudopotentials, run directories) are those of the machine that computes.
    """

    schema_version: Literal[1] = 1
    briefing: Briefing
    site: Site
    artefacts: Path
    forecast: Forecast | None = None
