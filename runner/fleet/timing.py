"""How long a stage will be on its cores: the median, and what one in twenty exceeds. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import exp, log, sqrt
from typing import Any

from runner.cost import DRIFT_SD, REPEAT_SD, CostModel
from runner.finished_runs import whole_runs
from runner.prediction import Predictive

HIGH = 0.95
HIGH_NORMAL = 1.645
"""Standard deviations above the mean of a normal distribution that one case in twenty exceeds."""
SHARE_LOST = 0.1
"""Of what was done before a stop: reading the state back, and what was done since it was saved."""
LONGER, MUCH_LONGER = 1.25, 2.0
"""What was not over after some time takes at least so many times that, in the median and at most:
what has left all experience behind is like nothing that ran before."""
SHORTEST_S = 0.01


@dataclass(frozen=True, slots=True)
class Times:
    """What a stage is expected to take, and where that comes from."""

    expected_s: float
    high_s: float
    basis: str


@dataclass(frozen=True, slots=True)
class Earlier:
    """What earlier attempts at the very same calculation tell."""

    whole_core_s: float | None = None
    """What it took from its beginning to its end."""
    cores: int = 1
    cut_core_s: float = 0.0
    """How far it got without ending."""


def earlier_of(attempts: Iterable[Mapping[str, Any]]) -> Earlier:
    """Return what the ended attempts at one key tell."""
    runs = whole_runs(attempts)
    whole = [run for run in runs if not run.is_bound and run.weight == 1.0]
    cut = [run.walltime_s * run.cores for run in runs if run.is_bound]
    if whole and whole[-1].walltime_s > 0:
        last = whole[-1]
        return Earlier(last.walltime_s * last.cores, last.cores, max(cut, default=0))
    return Earlier(cut_core_s=max(cut, default=0.0))


@dataclass(frozen=True)
class TimeModel:
    """The cost model of a task, made ready for thousands of questions."""

    cost: CostModel

    @cached_property
    def one_run(self) -> Predictive:
        """The prediction of one run on a machine of which nothing is known."""
        return self.cost.one_run()

    @cached_property
    def _loss(self) -> tuple[float, float, float]:
        """What more cores waste, how sure that is, and the variance between machines."""
        known = self.cost.posterior
        mean = float(known.probability @ known.mean[:, 2])
        square = known.covariance[:, 2, 2] + (known.mean[:, 2] - mean) ** 2
        between = float(known.probability @ known.between**2)
        return float(self.cost.expected[2]) + mean, float(known.probability @ square), between

    def times(
        self, work: float, cores: int, earlier: Earlier, *, goes_on: bool, limit_s: float
    ) -> Times:
        """Return what a stage takes.

        Parameters
        ----------
        cores
            On all its nodes.
        goes_on
            Whether it continues where an earlier attempt was cut short.
        limit_s
            When it is ended at the latest.
        """
        if earlier.whole_core_s is not None:
            expected, high = self._again(earlier.whole_core_s, cores, earlier.cores)
            basis = "what the same calculation took before"
        else:
            expected, high = self._anew(work, cores, earlier.cut_core_s, goes_on=goes_on)
            basis = self.cost.basis
            if earlier.cut_core_s:
                basis += f", and {earlier.cut_core_s / cores:.0f} s were not enough"
        return Times(
            expected_s=max(min(expected, limit_s), SHORTEST_S),
            high_s=max(min(high, limit_s), SHORTEST_S),
            basis=basis,
        )

    def _again(self, whole_core_s: float, cores: int, before: int) -> tuple[float, float]:
        loss, loss_variance, between = self._loss
        step = log(cores / before)
        middle = log(whole_core_s) + loss * step
        # Another machine than then, maybe.
        variance = REPEAT_SD**2 + DRIFT_SD**2 + 2 * between + loss_variance * step**2
        return exp(middle) / cores, exp(middle + HIGH_NORMAL * sqrt(variance)) / cores

    def _anew(
        self, work: float, cores: int, cut_core_s: float, *, goes_on: bool
    ) -> tuple[float, float]:
        x = self.cost.regressors(work, cores)
        overhead = self.cost.overhead_s * cores
        done = cut_core_s - overhead
        above = log(done) if done > 0 else None
        expected, high = (
            exp(self.one_run.quantile(x, share, above=above)) for share in (0.5, HIGH)
        )
        if done > 0:
            expected, high = max(expected, LONGER * done), max(high, MUCH_LONGER * done)
        if goes_on and done > 0:
            saved = (1.0 - SHARE_LOST) * done
            expected, high = expected - saved, high - saved
        return (expected + overhead) / cores, (high + overhead) / cores
