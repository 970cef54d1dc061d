"""`stage.json`: a stage that travels to where no database can be reached."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from schemas.handover import Briefing
from schemas.model import Model
from schemas.profile import Site


class StageFile(Model):
    """An order with all that carrying it out needs to know; it holds no secret.

    The paths (programs, pseudopotentials, run directories) are those of the machine that computes.
    """

    schema_version: Literal[1] = 1
    briefing: Briefing
    site: Site
    artefacts: Path
