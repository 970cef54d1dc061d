"""Quantiles of one value to come: what is known of a line, in a form that is quick to ask.

The grid of a posterior is gathered into a dozen normal distributions; their mixture is inverted by
bisection, in plain Python: a tenth of a millisecond.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import erfc, sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.posterior import Array, Posterior

PARTS = 12
WIDEST = 5.0
"""Standard deviations of a part within which the quantiles are looked for."""
HALVINGS = 24


@dataclass(frozen=True, slots=True)
class Normal:
    """A normal distribution with an uncertain line for its mean."""

    probability: float
    line: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    variance: float
    """About the line."""

    def at(self, x: Sequence[float], extra_variance: float) -> tuple[float, float]:
        """Return mean and standard deviation for some regressors."""
        mean = sum(a * b for a, b in zip(self.line, x, strict=True))
        variance = (
            self.variance
            + extra_variance
            + sum(
                x[i] * sum(a * b for a, b in zip(row, x, strict=True))
                for i, row in enumerate(self.covariance)
            )
        )
        return mean, sqrt(variance)


@dataclass(frozen=True, slots=True)
class Predictive:
    """A mixture of normal distributions of a logarithm."""

    parts: tuple[Normal, ...]

    def quantile(
        self,
        x: Sequence[float],
        share: float,
        *,
        above: float | None = None,
        extra_variance: float = 0.0,
    ) -> float:
        """Return the value that is exceeded in `1 - share` of all cases.

        Parameters
        ----------
        x
            The regressors, the first of which is 1.
        above
            Only of the cases that exceed this.
        extra_variance
            Of this one value.
        """
        parts = [(one.probability, *one.at(x, extra_variance)) for one in self.parts]
        wanted = 1.0 - share
        low = min(mean - WIDEST * sd for _, mean, sd in parts)
        high = max(mean + WIDEST * sd for _, mean, sd in parts)
        if above is not None:
            if above >= high:
                return above
            low = max(low, above)
            wanted *= _above(parts, above)
        for _ in range(HALVINGS):
            middle = 0.5 * (low + high)
            if _above(parts, middle) > wanted:
                low = middle
            else:
                high = middle
        return high


def _above(parts: Sequence[tuple[float, float, float]], value: float) -> float:
    return sum(p * 0.5 * erfc((value - mean) / (sd * sqrt(2.0))) for p, mean, sd in parts)


def predictive(posterior: Posterior, expected: Array, extra_variance: float) -> Predictive:
    """Return the prediction of one value, on a machine of which nothing is known.

    Parameters
    ----------
    expected
        The line that the prior expects, from which the posterior is a deviation: (k,).
    extra_variance
        Of what no observation can tell.
    """
    import numpy as np

    variance = posterior.spread**2 + posterior.between**2
    order = np.argsort(variance)
    # Parts of about equal probability, by what they say of the spread.
    so_far = np.cumsum(posterior.probability[order])
    part = np.minimum((so_far * PARTS).astype(int), PARTS - 1)
    parts = []
    for number in np.unique(part):
        places = order[part == number]
        share = float(posterior.probability[places].sum())
        if share <= 0.0:
            continue
        weight = posterior.probability[places] / share
        mean = weight @ posterior.mean[places]
        off = posterior.mean[places] - mean
        covariance = np.einsum("g,gij->ij", weight, posterior.covariance[places])
        covariance += np.einsum("g,gi,gj->ij", weight, off, off)
        parts.append(
            Normal(
                probability=share,
                line=tuple((expected + mean).tolist()),
                covariance=tuple(tuple(row) for row in covariance.tolist()),
                variance=float(weight @ variance[places]) + extra_variance,
            )
        )
    whole = sum(one.probability for one in parts)
    return Predictive(
        tuple(
            Normal(one.probability / whole, one.line, one.covariance, one.variance) for one in parts
        )
    )
