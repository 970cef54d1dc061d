"""Bars and histories as numbers that a template draws as SVG: attributes only, no styles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from runner.dashboard.rates import Slice
from schemas.reports import StageCounts

STATES = ("ok", "running", "ready", "waiting", "skipped", "blocked", "held", "failed")
"""From left to right."""
HISTORY_WIDTH, HISTORY_HEIGHT = 480.0, 96.0
GAP = 2.0


@dataclass(frozen=True)
class Piece:
    """One piece of a bar, in percent of its length."""

    state: str
    count: int
    x: float
    width: float


def pieces(counts: StageCounts) -> Iterator[Piece]:
    """Yield the pieces of a stage's bar, those of no length left out."""
    numbers = {state: int(getattr(counts, state)) for state in STATES}
    total = max(sum(numbers.values()), 1)
    x = 0.0
    for state, count in numbers.items():
        width = 100.0 * count / total
        if count:
            yield Piece(state, count, round(x, 3), round(width, 3))
        x += width


@dataclass(frozen=True)
class Column:
    """One column of a history."""

    x: float
    y: float
    width: float
    height: float
    slice: Slice


def columns(slices: Sequence[Slice]) -> Iterator[Column]:
    """Yield the columns of a history of calculations per hour, the oldest first."""
    rates = [one.ended / one.hours for one in slices if one.hours > 0]
    highest = max([*rates, 1e-12])
    step = HISTORY_WIDTH / max(len(rates), 1)
    for number, (one, rate) in enumerate(zip(slices, rates, strict=False)):
        height = HISTORY_HEIGHT * rate / highest
        width = max(step - GAP, 1.0)
        x = round(number * step, 2)
        yield Column(x, round(HISTORY_HEIGHT - height, 2), round(width, 2), round(height, 2), one)
