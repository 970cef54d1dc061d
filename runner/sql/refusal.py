"""What a query may not say here, and why."""

from __future__ import annotations

from schemas.errors import UserError


class Refused(UserError):
    """A query that would be answered otherwise than in Athena, or not at all."""


def refuse(what: str, hint: str) -> Refused:
    """Return the error: what was found, why it is refused, what to write instead."""
    return Refused(f"{what}: {hint}")
