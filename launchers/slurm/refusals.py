"""What sbatch's words mean: refused for now, refused for good, or nobody knows.

The words are those of Slurm 20 to 25 (slurm_errno.c and the names of its limits, which
resource_limits(5) lists); whatever is not known here is a refusal for good, shown in Slurm's words.
"""

from __future__ import annotations

import re

from schemas.queue import Refused, Silent

UNKNOWN = re.compile(
    r"unable to contact slurm controller|socket timed out|zero bytes were transmitted"
    r"|connection (?:reset|refused|timed out)|(?:connect|communication|send|receive) failure"
    r"|transport endpoint|unexpected message received|insane message length|broken pipe"
    r"|header lengths are longer|protocol authentication error|no route to host"
    r"|network is unreachable|temporary failure in name resolution|unable to resolve",
    re.IGNORECASE,
)
"""The controller did not answer: it may have taken the job before the answer was lost."""

LATER = re.compile(
    # A limit on how many jobs are in the queue; limits on the size of one job end only with it.
    r"\w*SubmitJobs?\w*|max(?:imum)? (?:number of )?(?:submitted )?jobs (?:limit|reached)"
    r"|slurm temporarily unable to accept job|resource temporarily unavailable"
    r"|rate limit|backup controller in standby|requested operation is presently disabled"
    r"|job submission (?:is )?disabled|required node not available"
    r"|required partition not available",
    re.IGNORECASE,
)
LIMIT_NAME = re.compile(r"\b(?:QOS|Assoc|Partition)[A-Z]\w+")
POLICY = re.compile(r"violates accounting/QOS policy", re.IGNORECASE)
"""Slurm names the limit in a line of its own; where it does not, one on submissions is likely."""


def refusal(said: str) -> Refused | Silent:
    """Return what sbatch's standard error says about a job that it gave no number."""
    text = words(said)
    if UNKNOWN.search(text):
        return Silent(text)
    unnamed_limit = POLICY.search(text) is not None and LIMIT_NAME.search(text) is None
    return Refused(text, for_now=unnamed_limit or LATER.search(text) is not None)


def words(said: str) -> str:
    """Return the messages of a Slurm program in one line, each once, without who says them."""
    lines = (re.sub(r"^\w+: (?:error: |fatal: )?", "", line).strip() for line in said.splitlines())
    return "; ".join(dict.fromkeys(line for line in lines if line)) or "no message"
