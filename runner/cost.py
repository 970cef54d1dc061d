"""What calculations cost: time against the engine's measure of work, learnt from finished runs.

Per engine and task, the logarithm of a run's core-seconds is a straight line in the logarithm of
its work, with a spread about it. The line and the spread are uncertain: a prior says what is
expected before the first run, finished runs narrow it (docs/cost-model.md). Pure functions on
numbers; what is random is drawn from the generator that is passed in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from schemas.reports import Interval

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

LOW_PERCENT, HIGH_PERCENT = 5.0, 95.0
OVERHEAD_S = 0.5
"""Of every launch, whatever its work: input files, starting the program, reading its output."""
SLOPE_SD = 0.25
"""The work is meant to be proportional to the time, so the slope is expected near 1."""
DRIFT_SD = 0.15
"""All runs of a new campaign together are off by this much: another load, other materials."""
REPEAT_SD = 0.15
"""Two runs of the same calculation on the same machine differ by about this much."""
SPREAD_SHAPE, SPREAD_SCALE = 2.5, 0.4
"""Inverse-gamma prior of the variance about the line: the mode of the spread is 0.34."""
SPREADS = (0.05, 1.5, 96)
"""Lowest, highest and number of the values of the spread that are considered."""
OUTLIER = 2.5
"""Runs farther from the line than so many spreads count less, after Huber (1964),
doi:10.1214/aoms/1177703732."""
SMALLEST_WORK = 1e-9
FEW_RUNS = 5
"""With fewer runs no one can say which of them is the outlier."""
OK_WEIGHT, FAILED_WEIGHT = 1.0, 0.3
"""A failed run says less about what the next one takes."""


@dataclass(frozen=True)
class Prior:
    """What is expected of an engine's task before its first run.

    A run of `work` takes `core_s` core-seconds, up to a factor whose logarithm has the standard
    deviation `sd`. `work` is None where nobody knows what a unit of it means.
    """

    core_s: float
    work: float | None
    sd: float
    source: str


UNKNOWN = Prior(core_s=60.0, work=None, sd=2.3, source="nothing known of the task")
"""For tasks without a prior: a minute, within a factor of 44 either way."""

_ROCKSALT = "rocksalt chalcogenides, pw.x 6.7 on one core"
PRIORS: Mapping[tuple[str, str], Prior] = MappingProxyType(
    {
        # 5 to 12 ns per unit of work were measured, on a machine with other load.
        ("espresso", "scf"): Prior(core_s=6.0, work=8e8, sd=0.7, source=_ROCKSALT),
        ("espresso", "relax"): Prior(core_s=12.0, work=2e9, sd=0.9, source=_ROCKSALT),
        ("espresso", "vc-relax"): Prior(core_s=25.0, work=4e9, sd=0.7, source=_ROCKSALT),
    }
)
"""By engine and task. The `relax` is interpolated, hence its larger `sd`."""


@dataclass(frozen=True)
class FinishedRun:
    """A run that ended by itself."""

    work: float
    walltime_s: float
    cores: int
    weight: float = OK_WEIGHT


@dataclass(frozen=True)
class CostModel:
    """The line and the spread, as far as they are known.

    For each value of `spread`, shape (g,), which has the `probability`, shape (g,), the level at
    `center` and the slope are normal: `mean` (g, 2), `root` (g, 2, 2) of the covariance.
    """

    prior: Prior
    runs: int
    overhead_s: float
    center: float
    spread: Array
    probability: Array
    mean: Array
    root: Array

    @property
    def basis(self) -> str:
        """Say where the numbers come from."""
        if not self.runs:
            return f"prior ({self.prior.source}), no finished run yet"
        return f"{self.runs} finished run{'' if self.runs == 1 else 's'}"

    def draw(self, rng: np.random.Generator, draws: int) -> Coefficients:
        """Draw lines and spreads that may be the true ones."""
        import numpy as np

        which = rng.choice(len(self.spread), size=draws, p=self.probability)
        normal = rng.standard_normal((draws, 2))
        line = self.mean[which] + np.einsum("dij,dj->di", self.root[which], normal)
        drift = DRIFT_SD * rng.standard_normal(draws)
        return Coefficients(
            center=self.center,
            overhead_s=self.overhead_s,
            level=line[:, 0] + drift,
            slope=line[:, 1],
            spread=self.spread[which],
            drift=drift,
        )


@dataclass(frozen=True)
class Coefficients:
    """Draws of what all runs of a task share; each array has the shape (draws,)."""

    center: float
    overhead_s: float
    level: Array
    slope: Array
    spread: Array
    drift: Array

    def core_s(
        self,
        rng: np.random.Generator,
        work: Array,
        cores: Array,
        measured_core_s: Array,
    ) -> Array:
        """Return draws of the core-seconds of runs, shape (draws, runs).

        `measured_core_s` holds what the very same calculation took before, NaN where it never ran.
        """
        import numpy as np

        x = np.log(np.maximum(work, SMALLEST_WORK)) - self.center
        noise = rng.standard_normal((len(self.level), len(x)), dtype=np.float32)
        again = ~np.isnan(measured_core_s)
        if not again.any():
            seconds: Array = np.exp(
                self.level[:, None] + self.slope[:, None] * x + self.spread[:, None] * noise
            )
            return seconds + self.overhead_s * cores
        sure = np.where(again, measured_core_s, 1.0)
        seconds = np.exp(
            np.where(
                again,
                np.log(sure) + self.drift[:, None] + REPEAT_SD * noise,
                self.level[:, None] + self.slope[:, None] * x + self.spread[:, None] * noise,
            )
        )
        return seconds + np.where(again, 0.0, self.overhead_s * cores)


def prior_of(engine: str, task: str) -> Prior:
    """Return what is expected of a task before its first run."""
    return PRIORS.get((engine, task), UNKNOWN)


def calibrate(runs: Sequence[FinishedRun], prior: Prior, typical_work: float = 1.0) -> CostModel:
    """Return the model after some finished runs, any number from none on.

    `typical_work` is that of the runs to come: where the prior has no `work`, it is meant for
    the middle of what was run, or for that.
    """
    import numpy as np

    usable = [run for run in runs if run.walltime_s > 0 and run.work > 0]
    middle = prior.work
    if middle is None:
        middle = float(np.median([run.work for run in usable])) if usable else typical_work
    center = float(np.log(max(middle, SMALLEST_WORK)))
    overhead_s = OVERHEAD_S
    if usable:
        # Programs quicker than the assumed overhead show that it is less on this machine.
        overhead_s = min(OVERHEAD_S, 0.5 * min(run.walltime_s for run in usable))
    x = np.array([np.log(run.work) for run in usable]) - center
    y = np.array([np.log((run.walltime_s - overhead_s) * run.cores) for run in usable])
    weight = np.array([run.weight for run in usable])
    expected = np.array([np.log(prior.core_s), 1.0])
    design = np.stack([np.ones_like(x), x], axis=1)
    off = y - design @ expected
    posterior = _Posterior.of(design, off, weight, prior)
    if len(usable) >= FEW_RUNS:
        for _ in range(4):
            doubted = weight * posterior.trust(design, off)
            posterior = _Posterior.of(design, off, doubted, prior)
    return CostModel(
        prior=prior,
        runs=len(usable),
        overhead_s=overhead_s,
        center=center,
        spread=posterior.spread,
        probability=posterior.probability,
        mean=expected + posterior.mean,
        root=posterior.root,
    )


@dataclass(frozen=True)
class _Posterior:
    """Level and slope, as deviations from the prior's, for each value of the spread."""

    spread: Array
    probability: Array
    mean: Array
    root: Array

    @classmethod
    def of(cls, design: Array, off: Array, weight: Array, prior: Prior) -> _Posterior:
        """Return the exact posterior of a weighted line, on a grid of spreads.

        A normal prior of the line that does not depend on the spread (see Gelman et al., Bayesian
        Data Analysis, 3rd ed., section 14.8) has no closed form; one dimension of it is a grid.
        """
        import numpy as np

        low, high, number = SPREADS
        spread = np.geomspace(low, high, number)
        variance = spread**2
        precision = np.diag([prior.sd**-2, SLOPE_SD**-2])
        squares = design.T @ (weight[:, None] * design)
        moments = design.T @ (weight * off)
        inverse = precision + squares / variance[:, None, None]
        covariance = np.linalg.inv(inverse)
        mean = np.einsum("gij,gj->gi", covariance, moments / variance[:, None])
        misfit = np.sum(weight * off**2) / variance - np.einsum("gi,gij,gj->g", mean, inverse, mean)
        log_p = (
            -0.5 * weight.sum() * np.log(variance)
            - 0.5 * np.linalg.slogdet(inverse)[1]
            - 0.5 * misfit
            - SPREAD_SHAPE * np.log(variance)
            - SPREAD_SCALE / variance
        )
        p = np.exp(log_p - log_p.max())
        return cls(spread, p / p.sum(), mean, np.linalg.cholesky(covariance))

    def trust(self, design: Array, off: Array) -> Array:
        """Return how much each run counts: less the farther it is from the line."""
        import numpy as np

        line = self.probability @ self.mean
        residual = np.abs(off - design @ line)
        # The median does not see the outliers that widen the posterior's own spread.
        typical = float(np.median(residual)) / 0.6745  # of a normal distribution, by its sd
        spread = max(SPREADS[0], min(typical, float(self.probability @ self.spread)))
        weight: Array = np.minimum(1.0, OUTLIER * spread / np.maximum(residual, 1e-12))
        return weight


def interval(values: Array) -> Interval:
    """Return the mean of draws and the bounds that hold nine of ten."""
    import numpy as np

    low, high = np.percentile(values, [LOW_PERCENT, HIGH_PERCENT])
    mean = float(np.mean(values))
    return Interval(low=min(float(low), mean), expected=mean, high=max(float(high), mean))
