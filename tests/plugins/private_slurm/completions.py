"""What Slurm writes down about jobs that are over (JobCompType=jobcomp/filetxt)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Over:
    """A job that is over, as Slurm wrote it down."""

    id: str
    """Its own: that of an element, where it is one."""
    state: str
    cores: int
    seconds: float


_NEEDED = {"JobId", "Name", "JobState", "StartTime", "EndTime", "ProcCnt"}


def over(line: str) -> tuple[str, Over] | None:
    """Return a job's name and how it ended, of a line of jobcomp/filetxt; None of half a line.

    Slurm writes a line in pieces, so one may be read before it is whole.
    """
    # A name may hold blanks, but names of campaigns' jobs do not.
    said = dict(word.split("=", 1) for word in line.split() if "=" in word)
    if not line.endswith("\n") or not said.keys() >= _NEEDED:
        return None
    # Of a job that never began, the start is "Unknown".
    times = [said[name] for name in ("StartTime", "EndTime")]
    began, ended = (
        None if one in {"Unknown", "None"} else datetime.fromisoformat(one) for one in times
    )
    seconds = (ended - began).total_seconds() if began and ended else 0.0
    return said["Name"], Over(
        said["JobId"], said["JobState"], int(said["ProcCnt"]), max(seconds, 0.0)
    )
