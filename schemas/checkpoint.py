"""`checkpoint`: how often the state of a long calculation is saved, where, and how it goes on."""

from __future__ import annotations

from pydantic import Field

from schemas.model import Model


class Checkpoint(Model):
    """A checkpoint is a stop at a point from which the program can go on, copied and verified.

    Without `every_min` there is one whenever a program is stopped: by the end of its walltime, by
    SIGTERM, by the notice that a spot instance is taken away.
    """

    every_min: float | None = Field(
        default=None,
        gt=0,
        description="Minutes between checkpoints. Default: only when a run is stopped.",
    )
    keep: int = Field(default=3, ge=1, description="How many of the newest are kept.")
    to: str | None = Field(
        default=None,
        min_length=1,
        description="Folder, or s3://bucket/prefix. Default: inside the run directory.",
    )
    continuations: int = Field(
        default=10, ge=0, description="How often a run goes on after the end of its walltime."
    )
