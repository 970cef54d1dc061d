"""The cost model against ground truth that the tests make up."""

import numpy as np
import pytest

from runner.cost import FAILED_WEIGHT, LOSS, UNKNOWN, FinishedRun, Prior, calibrate, interval

PRIOR = Prior(core_s=10.0, work=1e6, sd=0.7, source="test")
DRAWS = 2000


def history(rng, runs, *, level=2.3, slope=1.0, sd=0.4, cores=1):
    """Finished runs of a task that takes exp(level) core-seconds at a work of 1e6."""
    work = 1e6 * np.exp(rng.normal(0.0, 0.8, runs))
    core_s = np.exp(level + slope * np.log(work / 1e6) + sd * rng.standard_normal(runs)) + 0.3
    return [
        FinishedRun(float(w), float(s) / cores, cores) for w, s in zip(work, core_s, strict=True)
    ]


def total(model, runs, seed=1):
    """Draws of what these runs take together."""
    rng = np.random.default_rng(seed)
    work = np.array([run.work for run in runs])
    cores = np.array([run.cores for run in runs])
    seconds = model.draw(rng, DRAWS).core_s(rng, work, cores, np.full(len(runs), np.nan))
    return interval(seconds.sum(axis=1))


def taken(runs):
    return sum(run.walltime_s * run.cores for run in runs)


def test_nine_of_ten_intervals_hold_the_true_total():
    rng = np.random.default_rng(11)
    held = 0
    for trial in range(200):
        # The truth itself is drawn as the prior says: that is what an interval is meant for.
        truth = {
            "level": np.log(PRIOR.core_s) + PRIOR.sd * rng.standard_normal(),
            "slope": 1.0 + 0.2 * rng.standard_normal(),
            "sd": float(np.exp(rng.normal(np.log(0.4), 0.3))),
        }
        past = history(rng, int(rng.integers(0, 25)), **truth)
        future = history(rng, 12, **truth)
        found = total(calibrate(past, PRIOR), future, seed=trial)
        held += found.low <= taken(future) <= found.high
    assert held >= 0.85 * 200, held


def test_twelve_finished_runs_make_the_ends_differ_by_less_than_three():
    ratios = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        found = total(calibrate(history(rng, 12), PRIOR), history(rng, 12))
        ratios.append(found.high / found.low)
    assert max(ratios) < 3.0, ratios


def test_without_a_finished_run_the_interval_is_wide_and_says_so():
    model = calibrate([], PRIOR)
    found = total(model, history(np.random.default_rng(0), 12))
    assert 8.0 < found.high / found.low < 30.0
    assert model.basis == "prior (test), no finished run yet"


def test_a_task_without_a_prior_learns_from_its_runs_whatever_its_unit_of_work():
    rng = np.random.default_rng(3)
    model = calibrate(history(rng, 20), UNKNOWN)
    future = history(rng, 12)
    found = total(model, future)
    assert found.low <= taken(future) <= found.high
    assert found.high / found.low < 3.0


def test_more_candidates_do_not_make_the_shared_uncertainty_vanish():
    runs = history(np.random.default_rng(4), 3000)
    found = total(calibrate(runs[:3], PRIOR), runs)
    assert found.high / found.low > 1.6


@pytest.mark.parametrize("runs", [1, 2])
def test_one_or_two_runs_are_enough_to_narrow_the_interval(runs):
    rng = np.random.default_rng(5)
    future = history(rng, 12)
    before = total(calibrate([], PRIOR), future)
    after = total(calibrate(history(rng, runs), PRIOR), future)
    assert after.high / after.low < before.high / before.low


def test_runs_of_one_and_the_same_work_still_give_a_line():
    past = [FinishedRun(1e6, 10.0, 1) for _ in range(10)]
    found = total(calibrate(past, PRIOR), past)
    assert found.low < 100.0 < found.high
    assert found.high / found.low < 2.5


def test_a_run_that_hung_hardly_moves_the_line():
    rng = np.random.default_rng(6)
    past, future = history(rng, 20, sd=0.2), history(rng, 12, sd=0.2)
    hung = [*past, FinishedRun(1e6, 1e5, 1)]
    clean, found = total(calibrate(past, PRIOR), future), total(calibrate(hung, PRIOR), future)
    assert found.expected < 1.5 * clean.expected
    assert found.low <= taken(future) <= found.high


def test_failed_runs_count_less_than_good_ones():
    good = [FinishedRun(1e6, 10.0, 1) for _ in range(6)]
    failed = [FinishedRun(1e6, 1.0, 1, weight=FAILED_WEIGHT) for _ in range(6)]
    level = calibrate([*good, *failed], PRIOR)
    equal = calibrate([*good, *(FinishedRun(1e6, 1.0, 1) for _ in range(6))], PRIOR)
    assert total(level, good).expected > total(equal, good).expected


def test_time_on_several_cores_is_counted_in_core_seconds():
    one, four = (history(np.random.default_rng(7), 12, cores=cores) for cores in (1, 4))
    assert total(calibrate(four, PRIOR), one).expected == pytest.approx(
        4.0**-LOSS * total(calibrate(one, PRIOR), one).expected, rel=0.15
    )


def test_runs_without_a_time_or_without_work_are_left_out():
    model = calibrate([FinishedRun(1e6, 0.0, 1), FinishedRun(0.0, 5.0, 1)], PRIOR)
    assert model.runs == 0


def test_programs_quicker_than_the_assumed_overhead_are_still_predicted():
    past = [FinishedRun(1e6, 0.05, 1) for _ in range(12)]
    found = total(calibrate(past, Prior(core_s=0.1, work=1e6, sd=0.7, source="test")), past)
    assert found.low <= 0.6 <= found.high


def test_what_the_same_calculation_took_before_counts_more_than_the_line():
    rng = np.random.default_rng(8)
    model = calibrate(history(rng, 12), PRIOR)
    seconds = model.draw(rng, DRAWS).core_s(
        rng, np.array([1e6, 1e6]), np.array([1, 1]), np.array([500.0, np.nan])
    )
    again, line = interval(seconds[:, 0]), interval(seconds[:, 1])
    assert again.low < 500.0 < again.high < 1000.0
    assert line.high < 100.0


def test_the_same_seed_gives_the_same_numbers():
    past = history(np.random.default_rng(9), 12)
    assert total(calibrate(past, PRIOR), past, seed=5) == total(
        calibrate(past, PRIOR), past, seed=5
    )


def test_an_interval_holds_its_mean_even_where_few_draws_are_huge():
    found = interval(np.array([0.0] * 99 + [1e6]))
    assert found.low <= found.expected <= found.high
