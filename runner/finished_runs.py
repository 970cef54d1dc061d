"""What ended attempts tell of time and memory: whole runs, parts of one, and lower bounds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from fireworks_ext.store import Store
from runner.cost import FAILED_WEIGHT, OK_WEIGHT, FinishedRun
from schemas.failure import FailureName

MOST_RUNS = 1000
"""Of a task, the last so many ended attempts count."""
WHOLE = {"continued": None}
"""Attempts that did not go on from another one's state."""
ENDED = ("ok", "failed", "interrupted", "lost")
CUT_SHORT = frozenset(
    {
        FailureName.OUT_OF_WALLTIME,
        FailureName.KILLED_AT_WALLTIME,
        FailureName.STOPPED_BY_REQUEST,
        FailureName.OUT_OF_MEMORY,
        FailureName.KILLED_BY_SIGNAL,
        FailureName.NODE_FAILED,
        FailureName.PREEMPTED,
        FailureName.CANCELLED,
        FailureName.DISK_FULL,
    }
)
"""Something from outside ended these: the whole would have taken longer."""
NEVER_RAN = frozenset(
    {
        FailureName.INPUT_REFUSED,
        FailureName.INPUT_NOT_WRITTEN,
        FailureName.OCCUPATIONS_REFUSED,
        FailureName.PSEUDOPOTENTIAL_MISSING,
        FailureName.PSEUDOPOTENTIAL_REFUSED,
        FailureName.FUNCTIONAL_CONFLICT,
        FailureName.UPSTREAM_LOST,
        FailureName.METHODS_MIXED,
        FailureName.RESTART_UNREADABLE,
        FailureName.FOLDER_NOT_WRITABLE,
        FailureName.PROGRAM_NOT_FOUND,
        FailureName.LIBRARY_MISSING,
        FailureName.PARALLEL_START_FAILED,
        FailureName.HUNG,
    }
)
"""What these took has nothing to do with their work."""
_PROJECTION: dict[str, int] = {
    "_id": 0,
    "key": 1,
    "attempt": 1,
    "work": 1,
    "walltime_s": 1,
    "cores": 1,
    "outcome": 1,
    "failure": 1,
    "machine": 1,
    "continued": 1,
    "finished_at": 1,
    "peak_memory_gb": 1,
    "memory_guess_gb": 1,
}


def ended_attempts(
    store: Store, engine: str, task: str, most: int = MOST_RUNS
) -> list[Mapping[str, Any]]:
    """Return the last ended attempts at a task, of all campaigns, the newest first."""
    return list(
        store.attempts.find(
            {"engine": engine, "task": task, "outcome": {"$in": list(ENDED)}}, _PROJECTION
        )
        .sort("finished_at", -1)
        .limit(most)
    )


def attempts_at(store: Store, keys: Sequence[str]) -> list[Mapping[str, Any]]:
    """Return the ended attempts at some calculations."""
    of_keys = {"key": {"$in": list(keys)}, "outcome": {"$in": list(ENDED)}}
    return list(store.attempts.find(of_keys, _PROJECTION))


def finished_runs(store: Store, engine: str, task: str) -> list[FinishedRun]:
    """Return what the last ended attempts of a task, of all campaigns, tell of its time."""
    return whole_runs(ended_attempts(store, engine, task))


def whole_runs(attempts: Iterable[Mapping[str, Any]]) -> list[FinishedRun]:
    """Return runs from their beginning to their end, or as far as they got.

    A run that was interrupted and went on is one run that took the sum of its attempts.
    """
    in_order = sorted(attempts, key=lambda one: (one["key"], one["attempt"]))
    return [
        run for _, group in groupby(in_order, key=lambda one: one["key"]) for run in _runs(group)
    ]


def _runs(attempts: Iterable[Mapping[str, Any]]) -> Iterator[FinishedRun]:
    """Yield the runs that the attempts of one key, the oldest first, amount to."""
    chain: list[Mapping[str, Any]] = []
    for one in attempts:
        if chain and not one["continued"]:
            yield _run(chain, is_bound=True)
            chain = []
        chain.append(one)
        failure = one["failure"] if one["outcome"] == "failed" else None
        if failure in NEVER_RAN:
            chain = []
        elif one["outcome"] == "ok" or (failure is not None and failure not in CUT_SHORT):
            # Of one whose beginning is not known, only that it took longer is known.
            yield _run(chain, is_bound=bool(chain[0]["continued"]))
            chain = []
    if chain:
        yield _run(chain, is_bound=True)


def _run(chain: Sequence[Mapping[str, Any]], *, is_bound: bool) -> FinishedRun:
    last = chain[-1]
    is_good = is_bound or last["outcome"] == "ok"
    return FinishedRun(
        work=last["work"],
        walltime_s=sum(one["walltime_s"] * one["cores"] for one in chain) / last["cores"],
        cores=last["cores"],
        weight=OK_WEIGHT if is_good else FAILED_WEIGHT,
        machine=last["machine"],
        is_bound=is_bound,
    )
