import random

import pytest

from runner.audit import Sample, false_negative_rate, good_in

SEEDS = 200


def test_of_a_population_that_was_seen_all_is_known() -> None:
    count = good_in(Sample(size=10, seen=10, good=3))
    assert (count.low, count.expected, count.high) == (3, 3.0, 3)


def test_nothing_is_known_of_a_population_that_was_not_looked_at() -> None:
    count = good_in(Sample(size=10, seen=0, good=0))
    assert (count.low, count.high) == (0, 10)
    rate = false_negative_rate(Sample(10, 0, 0), Sample(5, 5, 2))
    assert rate.expected is None
    assert rate.low == 0.0
    assert rate.high == pytest.approx(10 / 12)


def test_no_good_one_among_thirty_leaves_about_a_tenth() -> None:
    # The "rule of three" at 97.5 %: -ln(0.025) / 30.
    count = good_in(Sample(size=100_000, seen=30, good=0))
    assert count.low == 0
    assert count.high / 100_000 == pytest.approx(0.1157, abs=0.001)  # 1 - 0.025**(1/30)


def test_where_no_good_one_is_known_anywhere_the_rate_is_unknown() -> None:
    rate = false_negative_rate(Sample(0, 0, 0), Sample(5, 5, 0))
    assert (rate.low, rate.expected, rate.high) == (0.0, None, 1.0)


@pytest.mark.parametrize("computed", [1.0, 0.3])
@pytest.mark.parametrize("good_share", [0.01, 0.1, 0.5])
def test_the_interval_holds_the_true_rate_for_nine_of_ten_seeds(
    good_share: float, computed: float
) -> None:
    """A model with noise rejects most of a population whose truth is known."""
    held = 0
    for seed in range(SEEDS):
        rng = random.Random(seed)
        truth = [rng.random() < good_share for _ in range(2000)]
        scores = [good + rng.gauss(0.0, 0.7) for good in truth]
        rejects = [good for good, score in zip(truth, scores, strict=True) if score < 0.8]
        passed = [good for good, score in zip(truth, scores, strict=True) if score >= 0.8]
        control = rng.sample(rejects, 40)
        seen = rng.sample(passed, round(computed * len(passed)))
        rate = false_negative_rate(
            Sample(len(rejects), len(control), sum(control)),
            Sample(len(passed), len(seen), sum(seen)),
        )
        true_rate = sum(rejects) / sum(truth)
        held += rate.low <= true_rate <= rate.high
    assert held >= 0.9 * SEEDS
