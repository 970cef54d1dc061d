"""What Slurm's words for the state of a job mean (squeue(1), "JOB STATE CODES")."""

from __future__ import annotations

from schemas.failure import FailureName
from schemas.queue import JobPhase

WAITING = frozenset(
    (
        *("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "RESV_DEL_HOLD"),
        "SPECIAL_EXIT",
    )
)
ENDED: dict[str, FailureName | None] = {
    "COMPLETED": None,
    "FAILED": None,
    "TIMEOUT": FailureName.KILLED_AT_WALLTIME,
    "DEADLINE": FailureName.KILLED_AT_WALLTIME,
    "OUT_OF_MEMORY": FailureName.OUT_OF_MEMORY,
    "NODE_FAIL": FailureName.NODE_FAILED,
    "BOOT_FAIL": FailureName.NODE_FAILED,
    "LAUNCH_FAILED": FailureName.NODE_FAILED,
    "PREEMPTED": FailureName.PREEMPTED,
    "CANCELLED": FailureName.CANCELLED,
    "REVOKED": FailureName.CANCELLED,
}
"""State of a job that is over -> what that was for what ran in it."""


def word(state: str) -> str:
    """Return the state itself: of `CANCELLED by 1000`, `NODE_FAIL+`."""
    return state.split(" ", 1)[0].rstrip("+")


def phase(state: str) -> JobPhase:
    """Return where a job stands; one in a state that is not known here still occupies something."""
    if state in WAITING:
        return "waiting"
    return "ended" if state in ENDED else "running"


def failure(state: str, *, reason: str = "", killed: bool = False) -> FailureName | None:
    """Return what the end of a job means; None when it goes on or ended by itself.

    Parameters
    ----------
    reason
        squeue's or sacct's: `RaisedSignal:9(Killed)`, `JobLaunchFailure`.
    killed
        A signal ended it: the second number of sacct's exit code is not 0.
    """
    if state == "FAILED":
        if reason in {"JobLaunchFailure", "NodeDown"}:
            return FailureName.NODE_FAILED
        if killed or reason.startswith("RaisedSignal"):
            return FailureName.KILLED_BY_SIGNAL
    return ENDED.get(state)
