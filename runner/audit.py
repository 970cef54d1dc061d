"""How many good candidates a filter threw away, from the few of its rejects that were computed.

Rejects are sampled without replacement, so how many of n sampled ones are good is hypergeometric.
The intervals are exact (Clopper and Pearson 1934, doi:10.1093/biomet/26.4.404, for finite
populations): they hold the true number at least as often as they say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Sample:
    """Rows of a population that were looked at: `seen` of `size`, and `good` among them."""

    size: int
    seen: int
    good: int


@dataclass(frozen=True)
class Count:
    """How many of a population are good: the estimate, and bounds that hold it."""

    low: int
    expected: float
    high: int


@dataclass(frozen=True)
class Rate:
    """The share of all good candidates that was rejected, and bounds; None where nobody knows."""

    low: float
    expected: float | None
    high: float


def good_in(sample: Sample, confidence: float = CONFIDENCE) -> Count:
    """Return how many of the population are good."""
    rest = sample.size - sample.seen
    if not sample.seen:
        return Count(0, sample.size / 2, sample.size)
    if not rest:
        return Count(sample.good, float(sample.good), sample.good)
    tail = (1.0 - confidence) / 2.0
    lowest, highest = sample.good, sample.good + rest

    def fewer_is_likely(total: int) -> bool:
        return _at_most(sample, total) > tail

    def more_is_likely(total: int) -> bool:
        return _at_least(sample, total) > tail

    return Count(
        low=_first(more_is_likely, lowest, highest),
        expected=sample.size * sample.good / sample.seen,
        high=_last(fewer_is_likely, lowest, highest),
    )


def false_negative_rate(rejects: Sample, passed: Sample, confidence: float = CONFIDENCE) -> Rate:
    """Return the share of the good candidates that a filter rejected.

    Parameters
    ----------
    rejects
        The rejects of the filter, and its control sample as far as it is computed.
    passed
        The candidates that went on, and those that are computed so far.
    """
    # Where both are uncertain each gets half of the risk (Bonferroni).
    certain = passed.seen == passed.size
    share = confidence if certain else 1.0 - (1.0 - confidence) / 2.0
    missed, kept = good_in(rejects, share), good_in(passed, share)
    known = bool(rejects.seen and (passed.seen or not passed.size))
    return Rate(
        low=_share(missed.low, kept.high) or 0.0,
        expected=_share(missed.expected, kept.expected) if known else None,
        high=_or_one(_share(missed.high, kept.low)),
    )


def _or_one(value: float | None) -> float:
    return 1.0 if value is None else value


def _share(missed: float, kept: float) -> float | None:
    return missed / (missed + kept) if missed + kept else None


def _at_most(sample: Sample, total: int) -> float:
    """Return the chance of as few good ones in the sample when there are so many in all."""
    from scipy.stats import hypergeom

    return float(hypergeom.cdf(sample.good, sample.size, total, sample.seen))


def _at_least(sample: Sample, total: int) -> float:
    from scipy.stats import hypergeom

    return float(hypergeom.sf(sample.good - 1, sample.size, total, sample.seen))


def _first(holds: Callable[[int], bool], low: int, high: int) -> int:
    """Return the first number of a range from which on something holds."""
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def _last(holds: Callable[[int], bool], low: int, high: int) -> int:
    """Return the last number of a range up to which something holds."""
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low
