"""Processes that want the same thing at the same moment, round after round."""

from __future__ import annotations

import multiprocessing
import os
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from fireworks_ext import leases
from fireworks_ext.folders import claims
from fireworks_ext.folders.offline import RESULT
from fireworks_ext.processes import Process, this_process
from fireworks_ext.store import open_store
from runner import workers

LONGEST_S = 60.0
"""Of one round, for all processes."""
COMPUTING_S = 0.001
"""So that two who both had a folder would meet in it."""


class Contender(Protocol):
    """One of the processes, as it sees the rounds."""

    def attempt(self, number: int) -> bool:
        """Want it, in the round of that number; tell whether it was ours."""

    def tidy(self, number: int) -> None:
        """Clean up after a round in which all have attempted."""


@dataclass(frozen=True)
class Race:
    """What came of the rounds."""

    processes: int
    rounds: int
    seconds: float
    winners: Counter[int]
    """How many rounds had so many winners; only 1 should be there."""

    @property
    def is_fair(self) -> bool:
        """Tell whether every round had exactly one winner."""
        return self.winners == {1: self.rounds}

    def __str__(self) -> str:
        counted = ", ".join(f"{number} with {one}" for one, number in sorted(self.winners.items()))
        return (
            f"{self.processes} processes, {self.rounds} rounds, winners: {counted}; "
            f"{self.rounds / self.seconds:.0f} rounds/s"
        )


def race(processes: int, rounds: int, enter: Callable[[int], Contender]) -> Race:
    """Let processes race; `enter(number)` is called in each of them. Raises AssertionError."""
    fork = multiprocessing.get_context("fork")
    barrier, won = fork.Barrier(processes), fork.Array("i", rounds)
    trouble = fork.SimpleQueue()

    def run(number: int) -> None:
        try:
            contender = enter(number)
            for one in range(rounds):
                barrier.wait(LONGEST_S)
                ours = contender.attempt(one)
                barrier.wait(LONGEST_S)
                if ours:
                    with won.get_lock():
                        won[one] += 1
                    contender.tidy(one)
        except Exception:  # noqa: BLE001  (whatever it is, the parent is to see it)
            trouble.put(traceback.format_exc())
            barrier.abort()
        finally:
            os._exit(0)  # nothing of the parent's is to be closed

    children = [fork.Process(target=run, args=(number,)) for number in range(processes)]
    began = time.perf_counter()
    for child in children:
        child.start()
    for child in children:
        child.join()
    seconds = time.perf_counter() - began
    assert trouble.empty(), trouble.get()
    return Race(processes, rounds, seconds, Counter(won))


class ForLeases:
    """Wants a lease: in every other round one that nobody ever had, else one that is free again."""

    def __init__(self, location: str, number: int) -> None:
        self._store = open_store(location)
        self._me = Process(host="racer", pid=number + 1, started=1)
        self._lease: leases.Lease | None = None

    def attempt(self, number: int) -> bool:
        name = "again" if number % 2 else f"once-{number}"
        self._lease = leases.acquire(self._store, name, self._me)
        return self._lease is not None

    def tidy(self, number: int) -> None:
        assert self._lease is not None
        assert leases.is_held(self._store, self._lease)
        leases.release(self._store, self._lease)


class ForClaims:
    """Wants a folder, and writes its result if there is none; as every start of a stage does.

    In every other round the folder has been left by a process that is gone.
    """

    def __init__(self, folder: Path, number: int) -> None:
        self._folder, self._me = folder, this_process()
        self._gone = self._me.model_copy(update={"started": 1})

    def attempt(self, number: int) -> bool:
        place = self._folder / f"{number}-{number}"
        with claims.claimed(place, self._me) as ours:
            if not ours or (place / RESULT).exists():
                return False
            time.sleep(COMPUTING_S)
            with (place / RESULT).open("x"):  # a second time it fails
                return True

    def tidy(self, number: int) -> None:
        pass


def make_folders(folder: Path, rounds: int) -> None:
    """Make the folders that `ForClaims` wants."""
    gone = this_process().model_copy(update={"started": 1})
    for number in range(rounds):
        place = folder / f"{number}-{number}"
        place.mkdir(parents=True)
        if number % 2:
            (place / "claim-1").write_text(gone.name)


class ForStages:
    """Works through the folder of one handed-over stage, as `campaign worker --offline` does."""

    def __init__(self, places: Sequence[Path], number: int) -> None:
        self._places = places

    def attempt(self, number: int) -> bool:
        done: list[Any] = []
        workers.work_offline(self._places[number], done.append)
        assert {one.ending.kind for one in done} <= {"known"}
        return len(done) == 1

    def tidy(self, number: int) -> None:
        assert (self._places[number] / RESULT).exists()
