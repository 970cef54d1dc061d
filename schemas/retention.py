"""`retention`: what is kept of the run directories of results."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from schemas.model import Model


class ArtefactClass(StrEnum):
    """What a file in a run directory is."""

    INPUTS = "inputs"
    OUTPUTS = "outputs"
    CHARGE_DENSITY = "charge_density"
    WAVEFUNCTIONS = "wavefunctions"
    SCRATCH = "scratch"


Fate = Literal["keep", "compress", "delete"]


class Retention(Model):
    """What becomes of each class of files once a calculation is a result.

    Files of failed calculations are evidence and always stay. What a later stage of the campaign
    needs stays too, whatever is said here.
    """

    inputs: Fate = Field(default="keep", description="What the program read.")
    outputs: Fate = Field(default="keep", description="What it printed, and its file of results.")
    charge_density: Fate = Field(
        default="keep", description="Charge density, and what goes with it."
    )
    wavefunctions: Fate = Field(default="delete", description="Wavefunctions.")
    scratch: Fate = Field(
        default="delete", description="Restart files, checkpoints, copies of pseudopotentials."
    )

    def fate(self, kind: ArtefactClass) -> Fate:
        """Return what becomes of a class of files."""
        fate: Fate = getattr(self, kind.value)
        return fate
