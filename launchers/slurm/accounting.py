"""sacct's words about jobs that ended, however long ago."""

from __future__ import annotations

from collections.abc import Iterator

from launchers.slurm.elements import elements
from launchers.slurm.queue import FIELD, moment
from launchers.slurm.states import failure, phase, word
from schemas.queue import JobSeen

FIELDS = ("JobID", "State", "ExitCode", "Start", "NodeList", "Reason", "JobName")
NOWHERE = "None assigned"
DISABLED = "accounting storage is disabled"


def options() -> tuple[str, ...]:
    """Return what sacct is called with to give an answer that `jobs` reads."""
    return (
        *("--allocations", "--noheader", "--parsable2", f"--delimiter={FIELD}"),
        f"--format={','.join(FIELDS)}",
    )


def jobs(answer: str) -> Iterator[JobSeen]:
    """Yield the jobs of an answer, elements of arrays one by one.

    The rest of a name with line breaks is no job of ours, whose names have none.
    """
    for line in answer.splitlines():
        fields = line.split(FIELD, len(FIELDS) - 1)
        if len(fields) < len(FIELDS):
            continue
        job, state, exit_code, began, nodes, reason, name = fields
        state = word(state)
        killed = exit_code.partition(":")[2] not in {"", "0"}
        for one, index in elements(job):
            yield JobSeen(
                id=one,
                name=name,
                index=index,
                phase=phase(state),
                state=state,
                reason="" if reason == "None" else reason,
                began_at=None if nodes == NOWHERE else moment(began),
                failure=failure(state, reason=reason, killed=killed),
            )
