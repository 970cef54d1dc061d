"""How much memory a process of a stage will need: what packing a node counts with. Pure.

The same line as for the time, against what the engine guesses. What is measured is the largest
process of a run; a node holds one for each of its cores.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import exp, inf, log
from typing import Any

from runner.cost import FAILED_WEIGHT, OK_WEIGHT
from runner.finished_runs import NEVER_RAN
from runner.posterior import Observations, Posterior, fit
from runner.prediction import Predictive, predictive
from schemas.failure import FailureName

HIGH = 0.95
MARGIN = 1.2
"""Times the 95 % bound: memory that is short by a little costs a whole run, and the others'."""
GUESS_SD = 0.4
"""Guesses of engines are right within a factor of 1.9, nine times out of ten."""
GUESS_SLOPE_SD = 0.3
SPREAD_SCALE = 0.1
"""Peaks are closer to their line than times: the mode of their spread is 0.17."""
UNTRIED_SD = 0.6
"""Added for guesses e times the largest of any run, and so on as in a random walk: that it is right
for small cells says less and less of larger ones."""
DEFAULT_GB, DEFAULT_SD = 0.5, 1.2
"""Of a process of an engine that guesses nothing, once there is a run at all."""
SMALLEST_GB = 1e-3


@dataclass(frozen=True)
class Peak:
    """The largest process of a run."""

    peak_gb: float
    guess_gb: float | None
    weight: float = OK_WEIGHT
    is_bound: bool = False
    """It was ended before its time, or for want of memory: it needs at least so much."""


def peaks_of(attempts: Iterable[Mapping[str, Any]]) -> list[Peak]:
    """Return what ended attempts tell of memory."""
    return [
        Peak(
            peak_gb=one["peak_memory_gb"],
            guess_gb=one.get("memory_guess_gb"),
            weight=FAILED_WEIGHT if one["outcome"] == "failed" and not died(one) else OK_WEIGHT,
            is_bound=one["outcome"] in {"interrupted", "lost"} or died(one),
        )
        for one in attempts
        if one.get("peak_memory_gb") and one["failure"] not in NEVER_RAN
    ]


def died(attempt: Mapping[str, Any]) -> bool:
    """Tell whether an attempt died for want of memory."""
    return bool(attempt["failure"] == FailureName.OUT_OF_MEMORY)


@dataclass(frozen=True)
class MemoryModel:
    """The logarithm of a process' peak against that of the engine's guess."""

    runs: int
    expected: tuple[float, float]
    largest: float
    """Logarithm of the largest guess of any run; without runs, infinite."""
    posterior: Posterior

    @property
    def basis(self) -> str:
        """Say where the numbers come from."""
        if not self.runs:
            return "the engine's guess"
        return f"{self.runs} run{'' if self.runs == 1 else 's'}"

    @cached_property
    def one_run(self) -> Predictive:
        """The prediction of the logarithm of one process' peak."""
        import numpy as np

        return predictive(self.posterior, np.array(self.expected), 0.0)

    def process_gb(self, guess_gb: float | None, died_at_gb: float = 0.0) -> float | None:
        """Return what a process needs at most, nineteen times out of twenty, with a margin.

        None where there is neither a guess nor a run. `died_at_gb`: that was not enough.
        """
        if not self.runs and guess_gb is None:
            return None
        x = (1.0, log(max(guess_gb or 1.0, SMALLEST_GB)))
        above = log(died_at_gb) if died_at_gb > 0 else None
        untried = UNTRIED_SD**2 * max(x[1] - self.largest, 0.0)
        high = self.one_run.quantile(x, HIGH, above=above, extra_variance=untried)
        return MARGIN * exp(high)


def calibrate_memory(peaks: Iterable[Peak], *, guessed: bool) -> MemoryModel:
    """Return the model after some runs; `guessed`: the engine guesses its memory."""
    import numpy as np

    usable = [one for one in peaks if one.peak_gb > 0 and (one.guess_gb is not None) == guessed]
    guess = np.array([one.guess_gb or 1.0 for one in usable])
    x = np.log(np.maximum(guess, SMALLEST_GB))
    y = np.log([one.peak_gb for one in usable])
    expected = (0.0 if guessed else log(DEFAULT_GB), 1.0)
    design = np.stack([np.ones_like(x), x], axis=1)
    seen = Observations(
        design=design,
        off=y - design @ np.array(expected),
        weight=np.array([one.weight for one in usable]),
        is_bound=np.array([one.is_bound for one in usable], dtype=bool),
        machine=np.zeros(len(usable), dtype=int),
    )
    return MemoryModel(
        runs=len(usable),
        expected=expected,
        largest=float(x.max()) if usable else inf,
        posterior=fit(
            seen,
            (GUESS_SD if guessed else DEFAULT_SD, GUESS_SLOPE_SD),
            spread_scale=SPREAD_SCALE,
        ),
    )
