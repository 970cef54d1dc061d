"""How carrying out an order ends."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from schemas.failure import Failure
from schemas.ledger import ResultRecord, StageState
from schemas.model import Model


class Known(Model):
    """The key has a result that this campaign may use."""

    kind: Literal["known"] = "known"
    record: ResultRecord


class Skipped(Model):
    """The stage does not go ahead."""

    kind: Literal["skipped"] = "skipped"
    reason: str


class Failed(Model):
    """The calculation failed, and handlers could not repair it."""

    kind: Literal["failed"] = "failed"
    failure: Failure


class Waits(Model):
    """Something else has to happen first; `on` names what the firework is woken by."""

    kind: Literal["waits"] = "waits"
    on: str
    state: StageState = StageState.WAITING
    reason: str | None = None


class Interrupted(Model):
    """The worker was told to stop, or lost what it needs: the stage is READY again."""

    kind: Literal["interrupted"] = "interrupted"
    reason: str | None = None


class Broken(Model):
    """Carrying it out broke down, for a reason that is not in the calculation.

    Mostly a mistake in a program of ours: the janitor has it tried again some times.
    """

    kind: Literal["broken"] = "broken"
    trace: str


AnyEnding: TypeAlias = Known | Skipped | Failed | Waits | Interrupted | Broken
Ending = Annotated[AnyEnding, Field(discriminator="kind")]
