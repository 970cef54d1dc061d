"""The order for one stage of one candidate: what a firework carries, complete and plain JSON."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.checkpoint import Checkpoint
from schemas.model import JsonValue, Model
from schemas.resources import Resources
from schemas.retention import Retention

OnUnrepaired = Literal["fail", "hold", "drop"]


class Input(Model):
    """What fills a role: the candidate as generated, or the product of another key."""

    stage: str | None = Field(default=None, description="The stage that provides it, if any.")
    key: str | None = Field(default=None, description="That stage's key; None: the candidate.")
    order: StageOrder | None = Field(
        default=None,
        description="That stage's order where files of it are used: they may have to be made anew.",
    )


class StageOrder(Model):
    """One calculation that a worker is asked for.

    It names everything by key, so that it can be carried out wherever the store (or the results it
    names) can be read; it holds no path and no secret.
    """

    schema_version: Literal[1] = 1
    campaign: str
    candidate: str
    formula: str
    stage: str
    key: str
    engine: str
    task: str
    params: dict[str, JsonValue] = Field(description="The engine's params, resolved.")
    resources: Resources
    inputs: dict[str, Input] = Field(default_factory=dict, description="By role.")
    reads: dict[str, str] = Field(
        default_factory=dict, description="Stage -> key of every result that is needed to start."
    )
    when: str | None = None
    on_unrepaired: OnUnrepaired = "fail"
    protected: tuple[str, ...] = ()
    checkpoint: Checkpoint = Field(default_factory=Checkpoint)
    retention: Retention = Field(default_factory=Retention)
