"""What became of a job, from what the scheduler says and what lies on the disk; pure.

What the scheduler says wins. Where it says nothing, the job's own records speak; and only after a
while, silence.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from runner.fleet.records import JobRecord
from schemas.failure import FailureName
from schemas.queue import JobSeen

UNSURE_S = 60.0
"""For a job to show in the queue that was asked for and not answered: many times what a slow
scheduler takes."""
LAG_S = 15.0
"""For a job to show in the queue whose id was told."""

UNTOLD = "UNKNOWN"
"""The state of a job of whose end nobody says anything."""

PUT_BACK = "REQUEUED"

Standing = Literal["alive", "unsure", "never", "over"]


@dataclass(frozen=True)
class Found:
    """How a job stands."""

    standing: Standing
    seen: Mapping[str, JobSeen]
    """By id: what is known of each of its elements."""

    def ended(self, before: Mapping[str, JobSeen]) -> list[JobSeen]:
        """Return the elements that have ended since."""
        over = {one.id for one in before.values() if one.phase == "ended"}
        return [one for one in self.seen.values() if one.phase == "ended" and one.id not in over]

    def put_back(self, before: Mapping[str, JobSeen]) -> list[JobSeen]:
        """Return the elements that ran and were put back into the queue since; some run again.

        Who asks for that is not said afterwards; mostly it is a job of higher priority.
        """
        ran = {one.id: one for one in before.values() if one.phase == "running"}
        again = [
            one
            for one in self.seen.values()
            if one.id in ran and (one.phase == "waiting" or _later(one, ran[one.id]))
        ]
        back = {"state": PUT_BACK, "failure": FailureName.PREEMPTED}
        return [one.model_copy(update=back) for one in again]


def find(
    record: JobRecord,
    queue: Sequence[JobSeen],
    ended: Mapping[str, JobSeen],
    *,
    begun: Collection[str],
    epilogues: Mapping[str, int],
    now: float,
) -> Found:
    """Return how a job stands.

    Parameters
    ----------
    queue
        What waits and runs, of all the user's jobs.
    ended
        By id: what the scheduler still knows of jobs that are in the queue no more.
    begun
        Ids under which the job left a record of its own that it began.
    epilogues
        By id: the exit code in the record that it left at its end.
    now
        Unix time, s.
    """
    here = {one.id: one for one in queue if one.name == record.name and one.phase != "ended"}
    told = {one: job for one, job in ended.items() if job.name == record.name}
    known = {**record.seen, **told, **here}
    if here:
        quiet = [one for one in known if one in epilogues and one not in here and one not in told]
        said = {one: _untold(record, one, known[one], epilogues) for one in quiet}
        return Found("alive", {**known, **said})
    ids = {*record.ids, *begun, *epilogues, *told}
    if not ids:
        waited = now - record.asked_at
        return Found("unsure" if waited < UNSURE_S else "never", known)
    traces = {*told, *begun, *epilogues, *record.seen}
    if not traces and now - record.asked_at < LAG_S:
        return Found("unsure", known)
    untold = {one: _untold(record, one, known.get(one), epilogues) for one in ids - told.keys()}
    return Found("over", {**known, **untold, **told})


def _later(one: JobSeen, other: JobSeen) -> bool:
    """Tell whether a job that runs began after it had begun before."""
    if one.began_at is None or other.began_at is None:
        return False
    return one.phase == "running" and one.began_at > other.began_at


def _untold(
    record: JobRecord, job: str, last: JobSeen | None, epilogues: Mapping[str, int]
) -> JobSeen:
    """Return how a job ended of which the scheduler knows nothing any more."""
    if job in epilogues:
        state, reason = "EPILOGUE", f"its script ended with {epilogues[job]}"
    else:
        state, reason = UNTOLD, "it left the queue without a record of its end"
    gone = JobSeen(id=job, name=record.name, phase="ended", state=state, reason=reason)
    return gone if last is None else gone.model_copy(update={"index": last.index})
