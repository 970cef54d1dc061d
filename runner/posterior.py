"""A line through logarithms, as far as observations tell it: weighted, cut short, by machine.

The logarithm of what is observed is a straight line in some regressors, with a spread about it;
machines differ by a factor each. An observation that was cut short is a lower bound. All is exact
on a grid of the two standard deviations but for the outliers and the lower bounds, which are worked
in by reweighting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import erfc, exp, pi, sqrt
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

SPREAD_SHAPE, SPREAD_SCALE = 2.5, 0.4
"""Inverse-gamma prior of the variance about the line: the mode of the spread is 0.34."""
SPREADS = (0.05, 1.5, 96)
"""Lowest, highest and number of the values of the spread that are considered."""
MACHINES = ((0.05, 0.4), (0.2, 0.4), (0.5, 0.2))
"""How much machines may differ (standard deviation of the logarithm), and how probable that is:
nodes of one partition, a cluster bought over some years, a cluster and the laptop beside it."""
ONE_MACHINE = ((0.0, 1.0),)
OUTLIER = 2.5
"""Observations farther from the line than so many spreads count less, after Huber (1964),
doi:10.1214/aoms/1177703732."""
FEW_RUNS = 5
"""With fewer observations no one can say which of them is the outlier."""
ROUNDS = 6
"""Of reweighting; the fourth changes the third decimal."""
FARTHEST = 6.0
"""Spreads above the line from which on the tail of a normal distribution is its asymptote."""


@dataclass(frozen=True)
class Observations:
    """What was observed, as deviations from what the prior expects.

    Attributes
    ----------
    design
        The regressors, the first of which is 1: (n, k).
    off, weight
        Deviation of the logarithm, and how much it counts: (n,).
    is_bound
        Whether an observation is only a lower bound: (n,).
    machine
        Number of the machine: (n,).
    """

    design: Array
    off: Array
    weight: Array
    is_bound: Array
    machine: Array


@dataclass(frozen=True)
class Posterior:
    """The line for each pair of spread and difference between machines.

    Attributes
    ----------
    spread, between, probability
        Of the pairs: (g,).
    mean, covariance, root
        Deviation of the line from the prior's: (g, k), (g, k, k); `root` of the covariance.
    """

    spread: Array
    between: Array
    probability: Array
    mean: Array
    covariance: Array
    root: Array


def fit(
    seen: Observations,
    prior_sd: Sequence[float],
    machines: Sequence[tuple[float, float]] = ONE_MACHINE,
    spread_scale: float = SPREAD_SCALE,
) -> Posterior:
    """Return what is known after some observations, any number from none on.

    Parameters
    ----------
    prior_sd
        Standard deviations of the line's coefficients before the first one: (k,).
    machines
        What is thought of the differences between machines: (standard deviation, probability).
    spread_scale
        Of the prior of the variance about the line; its mode is 0.29 of that.
    """
    prior = _Prior(prior_sd, machines, spread_scale)
    posterior = _solve(seen, seen.off, seen.weight, prior)
    if len(seen.off) < FEW_RUNS and not seen.is_bound.any():
        return posterior
    for _ in range(ROUNDS):
        off, weight = _reweighted(seen, posterior)
        posterior = _solve(seen, off, weight, prior)
    return posterior


@dataclass(frozen=True)
class _Prior:
    sd: Sequence[float]
    machines: Sequence[tuple[float, float]]
    spread_scale: float


def _solve(seen: Observations, off: Array, weight: Array, prior: _Prior) -> Posterior:
    """Return the exact posterior of a weighted line, on a grid of standard deviations.

    A normal prior of the line that does not depend on the spread (see Gelman et al., Bayesian
    Data Analysis, 3rd ed., section 14.8) has no closed form; two dimensions of it are a grid. The
    factors of the machines are integrated out: a correction of rank one for each.
    """
    import numpy as np

    low, high, number = SPREADS
    spread, between = (
        grid.ravel()
        for grid in np.meshgrid(np.geomspace(low, high, number), [sd for sd, _ in prior.machines])
    )
    variance = spread**2
    design = seen.design
    squares = design.T @ (weight[:, None] * design)
    moments = design.T @ (weight * off)
    misfit = float(np.sum(weight * off**2))
    # Per machine: its weight, and the weighted sums of its regressors and deviations.
    count = int(seen.machine.max()) + 1 if len(off) else 0
    held = np.bincount(seen.machine, weight, count)
    lines = np.stack([np.bincount(seen.machine, weight * one, count) for one in design.T], axis=1)
    sums = np.bincount(seen.machine, weight * off, count)
    ratio = (between**2 / variance)[:, None]
    shrink = ratio / (1.0 + ratio * held)  # (g, machines)
    scale = variance[:, None]
    inverse = (
        np.diag([sd**-2 for sd in prior.sd])
        + (squares - np.einsum("gm,mi,mj->gij", shrink, lines, lines)) / scale[:, :, None]
    )
    right = (moments - np.einsum("gm,mi,m->gi", shrink, lines, sums)) / scale
    covariance = np.linalg.inv(inverse)
    mean = np.einsum("gij,gj->gi", covariance, right)
    left = (misfit - shrink @ sums**2) / variance - np.einsum("gi,gi->g", mean, right)
    log_p = (
        -0.5 * weight.sum() * np.log(variance)
        - 0.5 * np.log1p(ratio * held).sum(axis=1)
        - 0.5 * np.linalg.slogdet(inverse)[1]
        - 0.5 * left
        - SPREAD_SHAPE * np.log(variance)
        - prior.spread_scale / variance
        + np.repeat(np.log([p for _, p in prior.machines]), number)
    )
    p = np.exp(log_p - log_p.max())
    return Posterior(spread, between, p / p.sum(), mean, covariance, np.linalg.cholesky(covariance))


def _reweighted(seen: Observations, posterior: Posterior) -> tuple[Array, Array]:
    """Return deviations and weights after a look at the line.

    An observation counts less the farther it is from the line, and a lower bound is a value above
    itself, which counts the more the higher the bound: a step of Newton's on its likelihood, the
    upper tail of the normal distribution (Tobin 1958, doi:10.2307/1907382).
    """
    import numpy as np

    line = seen.design @ (posterior.probability @ posterior.mean) + _of_machines(seen, posterior)
    residual = np.abs(seen.off - line)
    plain = residual[~seen.is_bound]
    # The median does not see the outliers that widen the posterior's own spread.
    typical = float(np.median(plain)) / 0.6745 if len(plain) else np.inf  # of a normal, by its sd
    spread = max(SPREADS[0], min(typical, float(posterior.probability @ posterior.spread)))
    off, weight = seen.off.copy(), seen.weight.copy()
    for place in np.flatnonzero(seen.is_bound):
        above = float((seen.off[place] - line[place]) / spread)
        pull, sure = _tail(above)
        off[place] = line[place] + spread * pull
        weight[place] *= sure
        residual[place] = max(above, 0.0) * spread
    if len(seen.off) >= FEW_RUNS:
        weight *= np.minimum(1.0, OUTLIER * spread / np.maximum(residual, 1e-12))
    return off, weight


def _of_machines(seen: Observations, posterior: Posterior) -> Array:
    """Return how far the machine of each observation is from the line, shrunk towards it: (n,)."""
    import numpy as np

    if not len(seen.off):
        return np.zeros(0)
    residual = seen.off - seen.design @ (posterior.probability @ posterior.mean)
    weight = np.where(seen.is_bound, 0.0, seen.weight)
    held = np.bincount(seen.machine, weight)
    ratio = float(posterior.probability @ (posterior.between**2 / posterior.spread**2))
    factor: Array = ratio * np.bincount(seen.machine, weight * residual) / (1.0 + ratio * held)
    return factor[seen.machine]


def _tail(above: float) -> tuple[float, float]:
    """Return the value that stands for "more than `above`", and how much it counts; in spreads."""
    if above > FARTHEST:
        return above + 2.0 / above, 1.0
    hazard = exp(-0.5 * above**2) / sqrt(2 * pi) / (0.5 * erfc(above / sqrt(2)))
    return 1.0 / (hazard - above), hazard * (hazard - above)
