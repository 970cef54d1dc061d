"""Names of jobs and of elements of arrays: `12`, `12_3`, `12_[0-3,7%2]`."""

from __future__ import annotations

import re
from collections.abc import Iterator


def elements(job: str) -> Iterator[tuple[str, int | None]]:
    """Yield (id, index in its array) for all that an id of squeue or sacct stands for."""
    array, _, indices = job.partition("_")
    if not indices:
        yield job, None
    elif not indices.startswith("["):
        yield job, int(indices)
    else:
        for span in re.sub(r"%.*|\]", "", indices[1:]).split(","):
            first, _, rest = span.partition("-")
            last, _, step = rest.partition(":")
            for index in range(int(first), int(last or first) + 1, int(step or 1)):
                yield f"{array}_{index}", index


def is_one_of(job: str, asked: frozenset[str]) -> bool:
    """Tell whether a job, or the array that it is an element of, was asked for."""
    return job in asked or job.partition("_")[0] in asked
