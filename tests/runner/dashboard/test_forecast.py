"""Rates and the end: from slices of time, and from what is left at that rate."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from filled_store import Filling

from fireworks_ext.store import open_store
from runner.cost import FinishedRun, calibrate, prior_of
from runner.dashboard.forecast import hours_left, to_go
from runner.dashboard.rates import SLICES, History, Rate, Slice, rate_of, slice_bounds
from schemas.reports import StageCounts

NOW = datetime(2026, 3, 1, 12, 0, 30)  # noqa: DTZ001  (naive UTC, as stored)
HOUR = timedelta(hours=1)


def runs(seconds: Sequence[float]) -> list[FinishedRun]:
    return [FinishedRun(work=1.0, walltime_s=one, cores=4) for one in seconds]


def left(waiting: int, settled: dict[str, int] | None = None, spread: float = 0.2) -> Any:
    """Return a stage whose calculations take about 900 s on 4 cores: one core-hour."""
    seen = runs(900 * np.exp(np.random.default_rng(1).normal(0, spread, 200)))
    counts = StageCounts(stage="scf", waiting=waiting, **(settled or {"ok": 100}))
    return to_go(counts, calibrate(seen, prior_of("toy", "scf")), seen)


@pytest.mark.parametrize("age", [timedelta(seconds=5), 0.5 * HOUR, 5 * HOUR, 900 * HOUR])
def test_slices_follow_each_other_up_to_now(age: timedelta) -> None:
    bounds = slice_bounds(NOW - age, NOW)
    assert 1 <= len(bounds) <= SLICES + 1
    assert bounds[-1][1] == NOW
    assert all(one[1] == other[0] for one, other in pairwise(bounds))
    assert bounds[0][0] >= NOW - age


def test_a_rate_is_told_from_the_newest_slices_that_say_enough() -> None:
    old = Slice(NOW - 2 * HOUR, NOW - HOUR, 1000, 1000.0)
    new = Slice(NOW - HOUR, NOW, 30, 15.0)
    rate = rate_of([old, new])
    assert rate is not None
    assert rate.stages_per_hour == 30
    assert rate.core_hours_per_hour == 15.0
    assert rate_of([Slice(NOW - HOUR, NOW, 0, 0.0)]) is None
    assert rate_of([]) is None


def test_the_interval_holds_what_is_left_by_the_rate() -> None:
    interval = hours_left([left(400)], Rate(ended=100, hours=1.0, core_hours=100.0))
    assert interval is not None
    assert interval.low < 4.0 < interval.high
    assert 3.2 < interval.expected < 5.2


def test_the_interval_narrows_with_what_is_known() -> None:
    few = hours_left([left(400)], Rate(ended=5, hours=0.05, core_hours=5.0))
    many = hours_left([left(400)], Rate(ended=500, hours=5.0, core_hours=500.0))
    assert few is not None
    assert many is not None
    assert few.high / few.low > 1.5 * many.high / many.low


def test_what_is_mostly_skipped_counts_for_less() -> None:
    rate = Rate(ended=100, hours=1.0, core_hours=100.0)
    whole = hours_left([left(400)], rate)
    tenth = hours_left([left(400, {"ok": 10, "skipped": 90})], rate)
    assert whole is not None
    assert tenth is not None
    assert tenth.expected == pytest.approx(0.11 * whole.expected, rel=0.3)


def test_where_nothing_ended_or_nothing_is_left_there_is_no_forecast() -> None:
    assert hours_left([left(400)], None) is None
    assert hours_left([left(0)], Rate(100, 1.0, 100.0)) is None


def test_many_ended_ones_are_counted_and_not_all_read(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(str(tmp_path / "store.db"))
    Filling(store, "filled", 60).fill()
    expected = store.attempts.count_documents({"recorded_at": {"$gt": NOW - 10**5 * HOUR}})
    last = max(one["recorded_at"] for one in store.attempts.find({"recorded_at": {"$ne": None}}))
    monkeypatch.setattr("runner.dashboard.rates.MOST_READ", 10)
    history = History(store, "filled")
    (one,) = [history._read(last - 10**5 * HOUR, last + HOUR)]
    assert one.ended == expected > 100
    # Each takes 4 cores for 90 s.
    assert one.core_hours == pytest.approx(0.1 * expected)
