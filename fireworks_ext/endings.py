"""What fireworks wait for until somebody wakes them, and how work ends that cannot be done now."""

from __future__ import annotations

from schemas.endings import AnyEnding

FILES = "files:"


class NotYet(Exception):
    """What the work needs is not there; the firework ends like this."""

    def __init__(self, ending: AnyEnding) -> None:
        super().__init__(str(ending))
        self.ending = ending


def budget_wait(campaign: str) -> str:
    """Return what fireworks wait for once their campaign's budget is spent."""
    return f"budget:{campaign}"


def files_wait(key: str) -> str:
    """Return what fireworks wait for while the lost files of a result are made anew."""
    return f"{FILES}{key}"
