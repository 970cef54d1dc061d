"""The line through logarithms against ground truth that the tests make up."""

import numpy as np
import pytest

from runner.cost import UNKNOWN, FinishedRun, Prior, calibrate
from runner.posterior import MACHINES

PRIOR = Prior(core_s=10.0, work=1e6, sd=0.7, source="test")
TRUE_LEVEL = np.log(30.0)


def runs_of(rng, number, *, sd=0.3, machines=1, between=0.0, cores=(1,), loss=0.0):
    """Finished runs whose machines differ and whose cores waste something."""
    factor = between * rng.standard_normal(machines)
    runs = []
    for place in range(number):
        work = 1e6 * np.exp(rng.normal(0.0, 0.8))
        machine = place % machines
        count = cores[place % len(cores)]
        log_s = TRUE_LEVEL + np.log(work / 1e6) + factor[machine] + sd * rng.standard_normal()
        core_s = float(np.exp(log_s + loss * np.log(count)))
        runs.append(FinishedRun(work, core_s / count + 0.01, count, machine=f"node{machine}"))
    return runs


def median(model, work=1e6, cores=1, share=0.5):
    return float(np.exp(model.one_run().quantile(model.regressors(work, cores), share)))


def test_runs_that_were_cut_short_do_not_make_the_rest_look_quick():
    rng = np.random.default_rng(0)
    true = [run.walltime_s for run in runs_of(rng, 60)]
    works = [run.work for run in runs_of(np.random.default_rng(0), 60)]
    limit_s = 30.0
    cut = [
        FinishedRun(work, min(seconds, limit_s), 1, is_bound=seconds > limit_s)
        for work, seconds in zip(works, true, strict=True)
    ]
    assert 10 < sum(run.is_bound for run in cut) < 50
    kept = [run for run in cut if not run.is_bound]
    as_ended = [FinishedRun(run.work, run.walltime_s, 1) for run in cut]
    whole = [FinishedRun(w, s, 1) for w, s in zip(works, true, strict=True)]
    truth = median(calibrate(whole, PRIOR))
    assert median(calibrate(cut, PRIOR)) == pytest.approx(truth, rel=0.12)
    assert median(calibrate(kept, PRIOR)) < 0.85 * truth
    assert median(calibrate(as_ended, PRIOR)) < 0.85 * truth


def test_a_run_that_was_cut_short_early_says_nothing():
    rng = np.random.default_rng(1)
    past = runs_of(rng, 20)
    early = [*past, *(FinishedRun(1e6, 1.0, 1, is_bound=True) for _ in range(20))]
    before, after = calibrate(past, PRIOR), calibrate(early, PRIOR)
    assert median(after) == pytest.approx(median(before), rel=0.02)


@pytest.mark.parametrize("runs", [1, 3])
def test_a_single_long_run_without_an_end_raises_what_is_expected(runs):
    past = [FinishedRun(1e6, 200.0, 1, is_bound=True) for _ in range(runs)]
    assert median(calibrate(past, PRIOR)) > 1.5 * median(calibrate([], PRIOR))


def test_a_run_on_an_unknown_machine_is_less_certain_where_machines_differ():
    alike = runs_of(np.random.default_rng(2), 60, machines=12)
    apart = runs_of(np.random.default_rng(2), 60, machines=12, between=0.5)
    ratios = [
        median(model, share=0.95) / median(model)
        for model in (calibrate(runs, PRIOR, machines=MACHINES) for runs in (alike, apart))
    ]
    assert ratios[0] < 2.2 < ratios[1]


def test_many_runs_on_one_machine_say_little_of_the_others():
    rng = np.random.default_rng(3)
    slow = [FinishedRun(1e6, 120.0, 1, machine="old") for _ in range(60)]
    others = runs_of(rng, 10, machines=10, sd=0.1)
    told_apart = calibrate([*slow, *others], UNKNOWN, machines=MACHINES)
    assert median(told_apart) < 60.0 < median(calibrate([*slow, *others], UNKNOWN))


def test_what_more_cores_waste_is_learnt():
    past = runs_of(np.random.default_rng(4), 80, sd=0.2, cores=(1, 2, 4, 8), loss=0.5)
    model = calibrate(past, PRIOR)
    assert median(model, cores=8) / median(model, cores=1) == pytest.approx(8**0.5, rel=0.2)


def test_an_untried_number_of_cores_is_less_certain():
    model = calibrate(runs_of(np.random.default_rng(5), 40), PRIOR)
    tried, untried = (
        median(model, cores=cores, share=0.95) / median(model, cores=cores) for cores in (1, 32)
    )
    assert untried > 1.3 * tried


def test_the_prediction_of_one_run_is_that_of_the_draws():
    model = calibrate(runs_of(np.random.default_rng(6), 7), PRIOR)
    rng = np.random.default_rng(0)
    shape = (np.array([3e6]), np.array([4]), np.array([np.nan]))
    drawn = model.draw(rng, 100_000).core_s(rng, *shape)[:, 0] - 4 * model.overhead_s
    for share in (0.05, 0.5, 0.95):
        found = median(model, work=3e6, cores=4, share=share)
        assert found == pytest.approx(float(np.quantile(drawn, share)), rel=0.03)


def test_a_quantile_of_what_lasts_longer_than_a_bound_lies_above_it():
    model = calibrate(runs_of(np.random.default_rng(7), 20), PRIOR)
    one, x = model.one_run(), model.regressors(1e6, 1)
    plain = one.quantile(x, 0.95)
    for above in (plain - 3.0, plain, plain + 2.0, plain + 50.0):
        assert one.quantile(x, 0.95, above=above) >= max(above, plain - 1e-4)
