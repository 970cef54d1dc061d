"""How a self-consistency cycle went, told from its series of estimated accuracies.

The accuracy falls by a factor per iteration, with noise: what decides is the slope of its logarithm
over the later iterations, where the start no longer counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil, log10, sqrt

LATER_SHARE = 0.6
"""Share of the iterations that is looked at: the first ones only find the neighbourhood."""
FEWEST = 6
"""Through fewer points a slope tells nothing."""
SURE = 2.0
"""A slope counts when it is this many of its standard errors away from zero."""
SLOWEST_DECADES = 0.01
"""Per iteration; a slower improvement would need hundreds of iterations for what is left."""
NOISY_DECADES = 0.2
"""Scatter about the line: a factor of 1.6 either way is more than noise."""
QUIET_DECADES = 0.1
FLOOR_SHARE = 0.5
"""Of the later iterations: so many in a row that do not improve are a floor."""
RISING_DECADES = 0.02
RISEN_DECADES = 1.0
"""Worse than its best by so much: it went the wrong way, even where it rises no more."""
LARGEST_DECADE = 300.0  # of a float, and the smallest below zero
MOST_ITERATIONS = 400
"""An end that is farther away is none."""
NOISE_FLOOR_RY = 1e-4
"""A density that is that good and no longer improves is limited by the accuracy of the bands."""


class Course(StrEnum):
    """How the accuracy went at the end."""

    SHORT = "short"
    CONVERGING = "converging"
    STAGNATING = "stagnating"
    OSCILLATING = "oscillating"
    DIVERGING = "diverging"


@dataclass(frozen=True)
class Judgement:
    """What a series of accuracies tells."""

    course: Course
    iterations: int
    """How many there were."""
    slope_decades: float = 0.0
    """Per iteration; negative is better and better."""
    scatter_decades: float = 0.0
    """Standard deviation about the line."""
    last_ry: float | None = None
    """The accuracy at the end of the line."""
    left: int | None = None
    """How many more iterations it will take, where it converges."""

    @property
    def at_noise_floor(self) -> bool:
        """Whether it stays at an accuracy that is nearly good enough."""
        near = self.last_ry is not None and self.last_ry < NOISE_FLOOR_RY
        return near and self.course is Course.STAGNATING


def judge(accuracies_ry: Sequence[float], threshold_ry: float) -> Judgement:
    """Return how a cycle of self-consistency went.

    Parameters
    ----------
    accuracies_ry
        One per iteration, as printed, in Ry. What is not positive is left out.
    threshold_ry
        What it is to reach, `conv_thr`, in Ry.
    """
    points = [(n, log10(value)) for n, value in enumerate(accuracies_ry) if value > 0]
    later = points[-max(FEWEST, ceil(LATER_SHARE * len(points))) :]
    if len(later) < FEWEST:
        last = 10 ** points[-1][1] if points else None
        return Judgement(Course.SHORT, len(accuracies_ry), last_ry=last)
    slope, end, scatter, error = _line(later)
    left, best = None, min(y for _, y in points)
    if _on_floor(later):
        slope = 0.0
    if slope < -SURE * error and slope < -SLOWEST_DECADES:
        left = max(1, ceil((end - log10(threshold_ry)) / -slope))
    if left is not None and left <= MOST_ITERATIONS:
        course = Course.CONVERGING
    elif slope > max(SURE * error, RISING_DECADES) or end - best > RISEN_DECADES:
        course = Course.DIVERGING
    else:
        course = Course.OSCILLATING if scatter > NOISY_DECADES else Course.STAGNATING
    return Judgement(
        course,
        len(accuracies_ry),
        slope_decades=slope,
        scatter_decades=scatter,
        last_ry=10 ** max(-LARGEST_DECADE, min(end, LARGEST_DECADE)),
        left=left if course is Course.CONVERGING else None,
    )


def _on_floor(points: Sequence[tuple[int, float]]) -> bool:
    """Tell whether it fell at first and then stayed where it was, quietly."""
    end = points[-max(FEWEST, ceil(FLOOR_SHARE * len(points))) :]
    slope, _, scatter, _ = _line(end)
    return slope > -SLOWEST_DECADES and scatter < QUIET_DECADES


def _line(points: Sequence[tuple[int, float]]) -> tuple[float, float, float, float]:
    """Return slope, value at the last point, scatter and error of the slope (least squares)."""
    n = len(points)
    mean_x = sum(x for x, _ in points) / n
    mean_y = sum(y for _, y in points) / n
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    residual = sum((y - mean_y - slope * (x - mean_x)) ** 2 for x, y in points)
    scatter = sqrt(residual / (n - 2))
    return slope, mean_y + slope * (points[-1][0] - mean_x), scatter, scatter / sqrt(spread)
