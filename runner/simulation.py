"""Plays a campaign through many times on paper: who reaches which stage, and what it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.cost import Coefficients, CostModel

if TYPE_CHECKING:
    import numpy as np

    from runner.cost import Array

STOPS, GOES, UNSURE = 0, 1, 2
"""Of a member at a stage: it does not go ahead; it does; a gate that nobody can decide yet."""
CHUNK_NUMBERS = 1_000_000
"""Numbers held at a time, so that memory does not grow with the members."""
MANY_MEMBERS = 1000
"""From here on, it no longer matters which members of a population are in the sample."""


@dataclass(frozen=True)
class StageTable:
    """One stage of all members; every array has the shape (members,).

    `above` are the places, in the sequence of stages, of those that it waits for. `known` members
    have the result; `needed` says whose result has to be computed. `passes` and `fails` count how
    the gate was decided where it could be.
    """

    name: str
    above: tuple[int, ...]
    ways: Array
    known: Array
    needed: Array
    work: Array
    cores: Array
    measured_core_s: Array
    model: CostModel
    passes: int = 0
    fails: int = 0
    free: bool = False
    """Nothing is spent on it: an analysis of results."""


@dataclass(frozen=True)
class Outcome:
    """What came of it, by draw.

    `candidates` and `core_s` have the shape (stages, draws); `serial_s`, shape (draws,), is the
    time on the given cores if none ever idles, `longest_s` that of the longest single candidate.
    """

    candidates: Array
    core_s: Array
    serial_s: Array
    longest_s: Array


def simulate(
    tables: Sequence[StageTable],
    groups: Sequence[tuple[Array, Array]],
    *,
    draws: int,
    cores: int,
    rng: np.random.Generator,
) -> Outcome:
    """Draw what the stages of all members take.

    What all runs of a task share, and the fraction that a gate lets through, is drawn once for all
    members; so the sum over many is not more certain than they are.

    Parameters
    ----------
    groups
        Members (their places) and how many candidates they stand for, shape (draws,).
    cores
        Cores that may be busy at the same time.
    """
    import numpy as np

    shared = [table.model.draw(rng, draws) for table in tables]
    # A uniform prior of the fraction.
    through = [rng.beta(1 + table.passes, 1 + table.fails, size=draws) for table in tables]
    total = Outcome(
        candidates=np.zeros((len(tables), draws)),
        core_s=np.zeros((len(tables), draws)),
        serial_s=np.zeros(draws),
        longest_s=np.zeros(draws),
    )
    step = max(1, CHUNK_NUMBERS // draws)
    for places, size in groups:
        scale = _Scale(len(places), size, rng)
        for start in range(0, len(places), step):
            chunk = places[start : start + step]
            weight = scale(len(chunk))
            _play(tables, chunk, weight, shared, through, cores, rng, total)
    return total


class _Scale:
    """How many candidates each member stands for, a chunk at a time: shape (draws, members) or 1.

    Bayesian bootstrap (Rubin 1981, doi:10.1214/aos/1176345338): which candidates the others are
    like is uncertain too, as long as the members are few.
    """

    def __init__(self, members: int, size: Array, rng: np.random.Generator) -> None:
        import numpy as np

        self._given = 0
        self._weights: Array | None = None
        if int(size.min()) == int(size.max()) == members:
            return
        if members < MANY_MEMBERS:
            shares = rng.standard_exponential((len(size), members))
            shares /= shares.sum(axis=1, keepdims=True)
            self._weights = shares * size[:, None]
        else:
            self._weights = np.broadcast_to((size / members)[:, None], (len(size), members))

    def __call__(self, members: int) -> Array | None:
        """Return the weights of the next members, None where each is one candidate."""
        start, self._given = self._given, self._given + members
        return None if self._weights is None else self._weights[:, start : self._given]


def _play(
    tables: Sequence[StageTable],
    chunk: Array,
    weight: Array | None,
    shared: Sequence[Coefficients],
    through: Sequence[Array],
    cores: int,
    rng: np.random.Generator,
    total: Outcome,
) -> None:
    """Add what some members take to the total."""
    import numpy as np

    draws = len(total.serial_s)
    goes: list[Array] = []
    ends: list[Array] = []
    for place, table in enumerate(tables):
        ways = table.ways[chunk]
        going = np.broadcast_to(ways != STOPS, (draws, len(chunk)))
        unsure = ways == UNSURE
        if unsure.any():
            lucky = rng.random((draws, len(chunk)), dtype=np.float32) < through[place][:, None]
            going = going & (lucky | ~unsure)
        for above in table.above:
            going = going & goes[above]
        going = going | table.known[chunk]
        goes.append(going)
        start = np.zeros((1, 1))
        for above in table.above:
            start = np.maximum(start, ends[above])
        needed = table.needed[chunk]
        if not needed.any():
            ends.append(start)
            continue
        # The other members' times are not drawn: they would be multiplied by zero.
        busy = np.flatnonzero(needed)
        runs = going[:, busy].astype(float)
        if table.free:
            rows = runs if weight is None else runs * weight[:, busy]
            total.candidates[place] += rows.sum(axis=1)
            ends.append(start)
            continue
        core_s = runs * shared[place].core_s(
            rng,
            table.work[chunk][busy],
            table.cores[chunk][busy],
            table.measured_core_s[chunk][busy],
        )
        wall_s = core_s / table.cores[chunk][busy]
        end = np.broadcast_to(start, (draws, len(chunk))).copy()
        end[:, busy] += wall_s
        ends.append(end)
        np.maximum(total.longest_s, end.max(axis=1), out=total.longest_s)
        if weight is not None:
            runs, core_s, wall_s = (part * weight[:, busy] for part in (runs, core_s, wall_s))
        slots = np.maximum(1, cores // table.cores[chunk][busy])
        total.candidates[place] += runs.sum(axis=1)
        total.core_s[place] += core_s.sum(axis=1)
        total.serial_s[:] += (wall_s / slots).sum(axis=1)
