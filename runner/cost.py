"""What calculations cost: time against the engine's measure of work, learnt from finished runs.

Per engine and task, the logarithm of a run's core-seconds is a straight line in the logarithm of
its work and of its cores, with a spread about it. The line and the spread are uncertain: a prior
says what is expected before the first run, finished runs narrow it (docs/cost-model.md). Pure
functions on numbers; what is random is drawn from the generator that is passed in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from runner.posterior import ONE_MACHINE, Observations, Posterior, fit
from runner.prediction import Predictive, predictive
from schemas.reports import Interval

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

LOW_PERCENT, HIGH_PERCENT = 5.0, 95.0
OVERHEAD_S = 0.5
"""Of every launch, whatever its work: input files, starting the program, reading its output."""
SLOPE_SD = 0.25
"""The work is meant to be proportional to the time, so the slope is expected near 1."""
LOSS, LOSS_SD = 0.15, 0.2
"""What more cores waste: core-seconds grow as this power of their number, so that 16 cores have an
efficiency of 0.66, between 0.21 and 1. Of small cells on two ranks 0.13 and 0.31 were measured."""
DRIFT_SD = 0.15
"""All runs of a new campaign together are off by this much: another load, other materials."""
REPEAT_SD = 0.15
"""Two runs of the same calculation on the same machine differ by about this much."""
SMALLEST_WORK = 1e-9
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

_DIAMOND = "C, Si and SiC, pw.x and dos.x 6.7 on one core"
_ROCKSALT = "rocksalt chalcogenides, pw.x 6.7 on one core"
PRIORS: Mapping[tuple[str, str], Prior] = MappingProxyType(
    {
        # 5 to 12 ns per unit of work were measured, on a machine with other load.
        ("espresso", "scf"): Prior(core_s=6.0, work=8e8, sd=0.7, source=_ROCKSALT),
        ("espresso", "relax"): Prior(core_s=12.0, work=2e9, sd=0.9, source=_ROCKSALT),
        ("espresso", "vc-relax"): Prior(core_s=25.0, work=4e9, sd=0.7, source=_ROCKSALT),
        # 3 to 7 ns; dos.x takes as long again, or twice as long.
        ("espresso", "bands"): Prior(core_s=12.0, work=3e9, sd=0.7, source=_DIAMOND),
        ("espresso", "dos"): Prior(core_s=24.0, work=3e9, sd=0.9, source=_DIAMOND),
    }
)
"""By engine and task. The `relax` is interpolated, hence its larger `sd`."""


@dataclass(frozen=True)
class FinishedRun:
    """A run that ended."""

    work: float
    walltime_s: float
    cores: int
    weight: float = OK_WEIGHT
    machine: str = ""
    is_bound: bool = False
    """It was cut short: the whole takes at least so long."""


@dataclass(frozen=True)
class CostModel:
    """The line and the spread, as far as they are known.

    In the logarithms of work (less `center`) and cores: see Posterior for the shapes.
    """

    prior: Prior
    runs: int
    overhead_s: float
    center: float
    expected: Array
    posterior: Posterior

    @property
    def basis(self) -> str:
        """Say where the numbers come from."""
        if not self.runs:
            return f"prior ({self.prior.source}), no finished run yet"
        return f"{self.runs} finished run{'' if self.runs == 1 else 's'}"

    def draw(self, rng: np.random.Generator, draws: int) -> Coefficients:
        """Draw lines and spreads that may be the true ones."""
        import numpy as np

        known = self.posterior
        which = rng.choice(len(known.spread), size=draws, p=known.probability)
        normal = rng.standard_normal((draws, len(self.expected)))
        line = known.mean[which] + np.einsum("dij,dj->di", known.root[which], normal)
        drift = DRIFT_SD * rng.standard_normal(draws)
        return Coefficients(
            center=self.center,
            overhead_s=self.overhead_s,
            level=self.expected[0] + line[:, 0] + drift,
            slope=self.expected[1] + line[:, 1],
            loss=self.expected[2] + line[:, 2],
            spread=known.spread[which],
            drift=drift,
        )

    def regressors(self, work: float, cores: int) -> tuple[float, float, float]:
        """Return by what the line is multiplied for a run."""
        return 1.0, log(max(work, SMALLEST_WORK)) - self.center, log(cores)

    def one_run(self) -> Predictive:
        """Return the prediction of the logarithm of one run's core-seconds, without overhead."""
        return predictive(self.posterior, self.expected, DRIFT_SD**2)


@dataclass(frozen=True)
class Coefficients:
    """Draws of what all runs of a task share; each array has the shape (draws,)."""

    center: float
    overhead_s: float
    level: Array
    slope: Array
    loss: Array
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
        line = self.level[:, None] + self.slope[:, None] * x
        if (cores > 1).any():
            line += self.loss[:, None] * np.log(cores)
        noise = rng.standard_normal((len(self.level), len(x)), dtype=np.float32)
        again = ~np.isnan(measured_core_s)
        if not again.any():
            seconds: Array = np.exp(line + self.spread[:, None] * noise)
            return seconds + self.overhead_s * cores
        sure = np.where(again, measured_core_s, 1.0)
        seconds = np.exp(
            np.where(
                again,
                np.log(sure) + self.drift[:, None] + REPEAT_SD * noise,
                line + self.spread[:, None] * noise,
            )
        )
        return seconds + np.where(again, 0.0, self.overhead_s * cores)


def prior_of(engine: str, task: str) -> Prior:
    """Return what is expected of a task before its first run."""
    return PRIORS.get((engine, task), UNKNOWN)


def calibrate(
    runs: Sequence[FinishedRun],
    prior: Prior,
    typical_work: float = 1.0,
    machines: Sequence[tuple[float, float]] = ONE_MACHINE,
) -> CostModel:
    """Return the model after some finished runs, any number from none on.

    Parameters
    ----------
    typical_work
        Of the runs to come: where the prior has no `work`, it is meant for the middle of what was
        run, or for that.
    machines
        What is thought of the differences between machines; by default there are none.
    """
    import numpy as np

    usable = [run for run in runs if _tells_something(run)]
    middle = prior.work
    if middle is None:
        middle = float(np.median([run.work for run in usable])) if usable else typical_work
    center = float(np.log(max(middle, SMALLEST_WORK)))
    overhead_s = OVERHEAD_S
    if usable:
        # Programs quicker than the assumed overhead show that it is less on this machine.
        whole = [run.walltime_s for run in usable if not run.is_bound]
        overhead_s = min(OVERHEAD_S, 0.5 * min(whole, default=OVERHEAD_S))
    x = np.array([np.log(run.work) for run in usable]) - center
    cores = np.array([run.cores for run in usable], dtype=float)
    y = np.array([np.log((run.walltime_s - overhead_s) * run.cores) for run in usable])
    expected = np.array([np.log(prior.core_s), 1.0, LOSS])
    design = np.stack([np.ones_like(x), x, np.log(cores)], axis=1)
    number = {name: place for place, name in enumerate(sorted({run.machine for run in usable}))}
    seen = Observations(
        design=design,
        off=y - design @ expected,
        weight=np.array([run.weight for run in usable]),
        is_bound=np.array([run.is_bound for run in usable], dtype=bool),
        machine=np.array([number[run.machine] for run in usable], dtype=int),
    )
    return CostModel(
        prior=prior,
        runs=len(usable),
        overhead_s=overhead_s,
        center=center,
        expected=expected,
        posterior=fit(seen, (prior.sd, SLOPE_SD, LOSS_SD), machines),
    )


def _tells_something(run: FinishedRun) -> bool:
    shortest_s = OVERHEAD_S if run.is_bound else 0.0
    return run.walltime_s > shortest_s and run.work > 0


def interval(values: Array) -> Interval:
    """Return the mean of draws and the bounds that hold nine of ten."""
    import numpy as np

    low, high = np.percentile(values, [LOW_PERCENT, HIGH_PERCENT])
    mean = float(np.mean(values))
    return Interval(low=min(float(low), mean), expected=mean, high=max(float(high), mean))
