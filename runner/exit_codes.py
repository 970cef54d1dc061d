"""What a run says to the shell."""

from __future__ import annotations

from schemas.errors import ExitCode
from schemas.reports import Status


def exit_code(status: Status) -> ExitCode:
    """Return what a run that leaves the campaign like this says to the shell."""
    if status.state == "interrupted":
        return ExitCode.INTERRUPTED
    if status.state == "over budget":
        return ExitCode.STOPPED_BY_BUDGET
    if status.state == "drained" or status.unsettled:
        return ExitCode.DRAINED
    return ExitCode.SETTLED_WITH_FAILURES if status.troubled else ExitCode.SETTLED
