"""How carrying out an order ends, and what a firework waits for until somebody wakes it."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.failure import Failure
from schemas.ledger import ResultRecord, StageState

FILES = "files:"


@dataclass(frozen=True)
class Known:
    """The key has a result that this campaign may use."""

    record: ResultRecord


@dataclass(frozen=True)
class Skipped:
    """The stage does not go ahead."""

    reason: str


@dataclass(frozen=True)
class Failed:
    """The calculation failed, and handlers could not repair it."""

    failure: Failure


@dataclass(frozen=True)
class Waits:
    """Something else has to happen first; `on` names what the firework is woken by."""

    on: str
    state: StageState = StageState.WAITING
    reason: str | None = None


@dataclass(frozen=True)
class Interrupted:
    """The worker was told to stop."""


Ending = Known | Skipped | Failed | Waits | Interrupted


class NotYet(Exception):
    """What the work needs is not there; the firework ends like this."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(str(ending))
        self.ending = ending


def budget_wait(campaign: str) -> str:
    """Return what fireworks wait for once their campaign's budget is spent."""
    return f"budget:{campaign}"


def files_wait(key: str) -> str:
    """Return what fireworks wait for while the lost files of a result are made anew."""
    return f"{FILES}{key}"
