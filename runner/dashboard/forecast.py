"""When a campaign will end: what is left, by the cost model, at the rate of late.

Pure functions on numbers. What is uncertain: how many of those that wait will be computed (`when`
and failures above take some out), what each takes, and how fast the campaign really goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.cost import CostModel, FinishedRun, interval
from runner.dashboard.rates import Rate
from schemas.clock import SECONDS_PER_HOUR
from schemas.reports import Interval, StageCounts

if TYPE_CHECKING:
    import numpy as np

DRAWS = 1000
RUNS = 32
"""Calculations that are drawn for a stage; the mean of those stands for the others."""
DRIFT_SD = 0.1
"""Of the logarithm of the rate: other load, other jobs than in the last while."""
SEED = 20


@dataclass(frozen=True)
class ToGo:
    """What is left of one stage."""

    waiting: int
    """Of candidates that are not settled at it."""
    computed: int
    """Of those that are settled: for how many a program ran."""
    settled: int
    model: CostModel
    runs: tuple[FinishedRun, ...]
    """From which the work and the cores of those to come are drawn."""


def to_go(counts: StageCounts, model: CostModel, runs: Sequence[FinishedRun]) -> ToGo:
    """Return what is left of a stage."""
    computed = counts.ok - counts.cached + counts.failed + counts.held
    return ToGo(counts.unsettled, computed, counts.settled, model, tuple(runs))


def hours_left(stages: Sequence[ToGo], rate: Rate | None) -> Interval | None:
    """Return in how many hours all will be computed; None where nothing ended of late."""
    import numpy as np

    left = [one for one in stages if one.waiting]
    if rate is None or rate.core_hours <= 0 or not left:
        return None
    rng = np.random.default_rng(SEED)
    core_hours = np.zeros(DRAWS)
    for one in left:
        core_hours += _share(one, rng) * one.waiting * _mean_core_hours(one, rng)
    # As many as `ended` in that time: a count is known to about its square root.
    counted = rng.gamma(rate.ended + 0.5, size=DRAWS) / (rate.ended + 0.5)
    drift = np.exp(DRIFT_SD * rng.standard_normal(DRAWS))
    return interval(core_hours / (rate.core_hours_per_hour * counted * drift))


def _share(one: ToGo, rng: np.random.Generator) -> np.ndarray:
    """Draw which share of those that wait will be computed: all, unless it was seen otherwise."""
    not_computed = max(one.settled - one.computed, 0)
    return rng.beta(one.computed + 1.0, not_computed + 0.1, size=DRAWS)


def _mean_core_hours(one: ToGo, rng: np.random.Generator) -> np.ndarray:
    """Draw what a calculation takes on the average."""
    import numpy as np

    several = min(one.waiting, RUNS)
    work = np.full(several, one.model.prior.work or 1.0)
    cores = np.ones(several)
    if one.runs:
        chosen = [one.runs[number] for number in rng.integers(len(one.runs), size=several)]
        work = np.array([run.work for run in chosen], dtype=float)
        cores = np.array([run.cores for run in chosen], dtype=float)
    drawn = one.model.draw(rng, DRAWS).core_s(rng, work, cores, np.full(several, np.nan))
    mean: np.ndarray = drawn.mean(axis=1) / SECONDS_PER_HOUR
    return mean
