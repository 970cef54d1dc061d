"""What a queue that takes no more jobs asks for: patience. Pure; the time is passed in."""

from __future__ import annotations

from dataclasses import dataclass, replace

FIRST_WAIT_S = 15.0
LONGEST_WAIT_S = 600.0


@dataclass(frozen=True)
class Pressure:
    """Whether jobs may be asked for, and what the scheduler said when it took none.

    A refusal for now doubles the wait, from `FIRST_WAIT_S` to `LONGEST_WAIT_S`. A job that was
    taken ends it. When a job ended there may be room at once, but who is refused again then waits
    longer than the last time all the same: what ends every second is no reason to ask every second.
    A refusal for good stands until `eased` or `taken`, but is tried again after the longest wait:
    somebody may have changed the limits.
    """

    words: str | None = None
    """The scheduler's own, for people; None where nothing is in the way."""
    ask_at: float = 0.0
    """When to ask again."""
    refusals: int = 0
    """In a row."""
    for_good: bool = False
    """Patience alone will not help."""

    def may_ask(self, now: float) -> bool:
        """Tell whether a job may be asked for."""
        return now >= self.ask_at

    def refused(self, words: str, *, for_now: bool, now: float) -> Pressure:
        """Return what a refusal makes of it."""
        wait_s = min(FIRST_WAIT_S * 2.0**self.refusals, LONGEST_WAIT_S)
        return Pressure(
            words=words,
            ask_at=now + (wait_s if for_now else LONGEST_WAIT_S),
            # Beyond the longest wait the count says nothing, and its power overflows one day.
            refusals=self.refusals + (wait_s < LONGEST_WAIT_S),
            for_good=not for_now,
        )

    def taken(self) -> Pressure:
        """Return what it is after a job was taken."""
        return Pressure()

    def eased(self) -> Pressure:
        """Return what it is after a job ended: there may be room now."""
        return replace(self, ask_at=0.0, for_good=False)
