"""The series are those that pw.x 6.7 printed, unless their name says made."""

import random
from math import log10

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fireworks_ext.engines.espresso.handlers.scf_course import Course, judge

# Nine layers of aluminium and vacuum, ecutwfc 10: mixing_beta 0.9 and mixing_ndim 2.
AL_TOO_STRONG = [
    *(2.61, 1250, 215, 68.1, 1170, 1130, 252, 2370, 917, 458, 2780, 2210, 1260, 1540, 915, 2470),
    *(1070, 1370, 2250, 2310, 1370, 1310, 2430, 2370, 1310, 1300, 2380, 2390, 1310, 1310, 2370),
    *(2380, 1310, 1310, 2380, 2380, 1310, 1310, 2380, 2390),
]
# The same with 0.05 and 2: slow and noisy, and getting there.
AL_TOO_WEAK = [
    *(2.61, 3.03, 0.236, 0.0944, 0.0699, 0.253, 0.0391, 0.0321, 0.0265, 0.0712, 0.0236, 0.0177),
    *(0.0159, 0.038, 0.0208, 0.0116, 0.00959, 0.0176, 0.0211, 0.00678, 0.00541, 0.00667, 0.0147),
    *(0.00392, 0.00344, 0.00312, 0.0049, 0.00249, 0.00294, 0.00233, 0.00189, 0.0017, 0.00177),
    *(0.00299, 0.00131, 0.00107, 0.000838, 0.0011, 0.000183, 0.000531),
]
# The same with 0.7 and 8: it converged.
AL_DEFAULT = [
    *(2.61, 1100, 102, 6.25, 5.3, 4.59, 0.275, 0.773, 0.139, 0.0632, 0.0352, 0.0176, 0.00826),
    *(0.0051, 0.0225, 0.0818, 0.00267, 0.00208, 0.000191, 2.59e-5, 5.95e-5, 3.13e-6, 3.1e-7),
    *(2.1e-7, 2e-7, 2.1e-7, 2e-8, 2e-8, 7.6e-9, 3.5e-9, 9.1e-10, 7e-10, 5.4e-11),
]
# Magnesium with fixed occupations, the first iterations.
MG_FIXED = [0.0121, 0.000965, 4.03e-6, 5.92e-6, 1.27e-5, 3.83e-5, 5.92e-6, 1.19e-5]
IRON = [0.349, 1.0, 0.00468, 0.000405, 0.00047, 3.79e-6, 1.8e-7, 9.6e-9]


def made_floor(length: int) -> list[float]:
    """Falls to 2.6e-6 Ry and stays there, within a tenth."""
    noise = random.Random(1)
    return [
        *(10.0**-n for n in range(6)),
        *(2.6e-6 * noise.uniform(0.9, 1.1) for _ in range(length)),
    ]


@pytest.mark.parametrize(
    ("series", "course"),
    [
        (AL_TOO_STRONG[:8], Course.DIVERGING),
        (AL_TOO_STRONG[:15], Course.DIVERGING),
        (AL_TOO_STRONG, Course.DIVERGING),
        (AL_TOO_WEAK[:20], Course.CONVERGING),
        (AL_TOO_WEAK, Course.CONVERGING),
        (AL_DEFAULT[:10], Course.CONVERGING),
        (AL_DEFAULT[:16], Course.CONVERGING),
        (AL_DEFAULT[:25], Course.CONVERGING),
        (MG_FIXED, Course.OSCILLATING),
        (IRON, Course.CONVERGING),
        (AL_DEFAULT[:5], Course.SHORT),
        ([], Course.SHORT),
        (made_floor(12), Course.STAGNATING),
        (made_floor(80), Course.STAGNATING),
    ],
)
def test_a_course_is_told_from_the_later_iterations(series: list[float], course: Course) -> None:
    assert judge(series, 1e-9).course is course


@pytest.mark.parametrize("known", [12, 15, 20])
def test_the_end_is_predicted_within_a_factor_of_three_and_hardly_too_early(known: int) -> None:
    still = sum(value > 1e-9 for value in AL_DEFAULT) - known
    left = judge(AL_DEFAULT[:known], 1e-9).left
    assert left is not None
    assert still / 1.5 <= left <= 3 * still


def test_a_floor_below_1e_4_ry_is_one_of_noise_and_a_higher_one_is_not() -> None:
    assert judge(made_floor(40), 4e-9).at_noise_floor
    assert not judge([1000 * value for value in made_floor(40)], 4e-9).at_noise_floor
    assert not judge(AL_TOO_STRONG, 4e-9).at_noise_floor


def test_an_end_too_far_away_is_none() -> None:
    slow = [10 ** (-0.012 * n) for n in range(60)]
    assert judge(slow, 1e-9).course is Course.STAGNATING


@given(
    slope=st.floats(-1.0, -0.1),
    noise=st.floats(0, 0.3),
    length=st.integers(20, 60),
    seed=st.integers(0, 1000),
)
def test_a_falling_line_is_found_through_noise_of_a_factor_of_two(
    slope: float, noise: float, length: int, seed: int
) -> None:
    made = random.Random(seed)
    series = [10 ** (slope * n + made.gauss(0, noise / 2)) for n in range(length)]
    found = judge(series, 10 ** (slope * (length + 40)))
    assert found.course is Course.CONVERGING
    assert found.slope_decades == pytest.approx(slope, abs=0.08)
    assert found.left is not None
    assert 40 / 3 < found.left < 3 * 40


@given(st.lists(st.floats(0, 1e300), max_size=80), st.floats(1e-14, 1))
@example([1.0, 1.0, 1.0, 5e-324, 5e-324, 5e-324], 1.0)
def test_any_series_has_a_course(series: list[float], threshold: float) -> None:
    found = judge(series, threshold)
    assert found.iterations == len(series)
    assert (found.left is None) == (found.course is not Course.CONVERGING)
    assert found.last_ry is None or log10(found.last_ry) < 400
