"""squeue's words about jobs; times are asked for as Unix time, so that no time zone matters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from launchers.slurm.elements import elements
from launchers.slurm.states import failure, phase, word
from schemas.queue import JobSeen

RECORD, FIELD = "\x1e", "\x1f"
"""Before a job and between its fields: names of jobs may hold anything that can be typed."""
FORMAT = RECORD + FIELD.join(("%i", "%T", "%S", "%N", "%r", "%j"))

HELD = re.compile(r"launch failed requeued held|JobHoldMaxRequeue", re.IGNORECASE)
"""Reasons of jobs that Slurm has given up, and leaves in the queue until somebody looks; those that
a person holds are not among them."""


def jobs(answer: str) -> Iterator[JobSeen]:
    """Yield the jobs of an answer in `FORMAT`, elements of arrays one by one."""
    for record in answer.split(RECORD)[1:]:
        job, state, began, nodes, reason, name = record.rstrip("\n").split(FIELD, 5)
        state = word(state)
        for one, index in elements(job):
            yield JobSeen(
                id=one,
                name=name,
                index=index,
                phase=phase(state),
                state=state,
                reason="" if reason == "None" else reason,
                # Without nodes it is when Slurm expects it to begin, or when it was cancelled.
                began_at=moment(began) if nodes and phase(state) != "waiting" else None,
                is_stuck=bool(HELD.search(reason)),
                failure=failure(state, reason=reason),
            )


def moment(text: str) -> datetime | None:
    """Return a time of Slurm's, asked for as Unix time; None for `N/A`, `Unknown`, `None`."""
    return datetime.fromtimestamp(int(text), UTC) if text.isdigit() and int(text) else None
