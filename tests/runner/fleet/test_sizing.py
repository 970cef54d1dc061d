"""How many jobs are asked for, by numbers alone."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.fleet.loads import Alive, Limits, Load, fits, held_cores, needs_own_job
from runner.fleet.sizing import LOOK_AHEAD_S, MOST_UNTAKEN, lookahead, own_job, size
from schemas.queue import JobShape
from schemas.resources import Resources
from schemas.stage_file import Forecast

HOUR_S = 3600.0
PILOT = JobShape(nodes=1, cores=16, memory_gb=64.0, walltime_min=240.0)
LIMITS = Limits(pilot=PILOT, max_jobs=10, stop_before_s=120.0)
FRESH = Alive(takes_any=True, left_s=4 * HOUR_S)

FORECAST = Forecast(expected_s=2 * HOUR_S, high_s=3 * HOUR_S, basis="known")


def load(expected_s=600.0, **others):
    return Load(
        **{
            "name": "a",
            "cores": 1,
            "expected_s": expected_s,
            "high_s": 2 * expected_s,
            **others,
        }
    )


def loads(number, **others):
    return [load(name=str(place), **others) for place in range(number)]


def test_nothing_is_asked_for_where_nothing_waits():
    found = size([], [], [], LIMITS)
    assert (found.pilots, found.own) == (0, ())
    assert "nothing waits" in found.why_not_more


def test_one_short_stage_gets_a_job():
    assert size([load(1.0)], [], [], LIMITS).pilots == 1


def test_a_short_stage_that_a_job_may_take_gets_no_further_one():
    assert size([load(1.0)], [], [FRESH], LIMITS).pilots == 0


@pytest.mark.parametrize(("stages", "pilots"), [(16, 1), (31, 1), (32, 2), (160, 10), (1000, 10)])
def test_every_job_has_work_for_all_its_cores_for_the_least_time(stages, pilots):
    # Ten minutes each, and fill_min is ten.
    assert size(loads(stages), [], [], LIMITS).pilots == min(pilots, LIMITS.max_jobs)


def test_a_few_long_stages_beside_a_full_job_do_not_get_a_nearly_empty_one():
    assert size(loads(19, expected_s=HOUR_S), [], [FRESH], LIMITS).pilots == 0
    assert size(loads(26, expected_s=HOUR_S), [], [FRESH], LIMITS).pilots == 1


def test_work_that_was_handed_over_counts_until_it_is_done():
    assert size([], loads(64), [FRESH], LIMITS).pilots == 3
    running = loads(16, is_running=True)
    assert size(loads(16), running, [FRESH], LIMITS).pilots == 1
    assert size(loads(4), running, [FRESH], LIMITS).pilots == 0


def test_a_job_that_ends_soon_does_not_keep_a_new_one_away():
    ending = Alive(takes_any=True, left_s=300.0)
    assert size([load(1000.0)], [], [ending], LIMITS).pilots == 1
    assert size([load(10.0)], [], [ending], LIMITS).pilots == 0


def test_a_stage_that_outlasts_every_job_waits_for_a_fresh_one():
    long = load(5 * HOUR_S)
    assert not needs_own_job(long, LIMITS)
    assert size([long], [], [], LIMITS).pilots == 1
    assert size([long], [], [Alive(takes_any=True, left_s=HOUR_S)], LIMITS).pilots == 1
    assert size([long], [], [FRESH], LIMITS).pilots == 0


def test_every_stage_fits_a_job_that_has_just_begun():
    just_begun_s = FRESH.left_s - 60.0
    for minutes in range(1, 600):
        assert fits(load(high_s=60.0 * minutes), just_begun_s, LIMITS)


def test_the_walltime_of_an_own_job_is_never_more_than_a_job_may_have():
    own = own_job(load(50 * HOUR_S, nodes=2), LIMITS)
    assert own.shape.walltime_min == PILOT.walltime_min
    assert own.continues


def test_nodes_are_as_large_as_pilots_found_them_where_the_settings_do_not_say():
    vague = replace(LIMITS, pilot=PILOT.model_copy(update={"memory_gb": None}))
    large = load(memory_gb=300.0)
    assert not needs_own_job(large, vague)
    assert needs_own_job(large, replace(vague, node_gb=256.0))


def test_a_stage_that_only_runs_asks_for_no_job():
    runs = Load.of("a", Resources(), FORECAST, runs_for_s=60.0)
    nearly_over = Alive(takes_any=True, left_s=0.25 * HOUR_S)
    assert size([], [runs], [nearly_over], LIMITS).pilots == 0
    assert size([], [replace(runs, is_running=False)], [nearly_over], LIMITS).pilots == 1


@pytest.mark.parametrize(
    "more", [{"nodes": 2}, {"cores": 32}, {"memory_gb": 100.0}, {"gpus": 1}], ids=str
)
def test_what_no_pilot_has_needs_an_own_job_of_that_shape(more):
    found = size([load(60.0, **more)], [], [], LIMITS)
    assert found.pilots == 0
    (own,) = found.own
    for name, value in more.items():
        assert getattr(own.shape, name) == value
    assert own.shape.walltime_min == 10.0


def test_from_how_many_cores_on_a_stage_gets_its_own_job_is_a_setting():
    assert not needs_own_job(load(cores=8), LIMITS)
    assert needs_own_job(load(cores=8), replace(LIMITS, own_job_cores=4))


def test_the_limits_of_the_queue_hold_and_are_named():
    many = loads(10_000)
    alive = [FRESH] * 7
    assert size(many, [], alive, LIMITS).pilots == 3
    assert "max_jobs is 10" in size(many, [], alive, LIMITS).why_not_more
    strict = replace(LIMITS, max_queued=9)
    found = size(many, [], alive, strict, others=1)
    assert found.pilots == 1
    assert "max_queued is 9" in found.why_not_more
    assert size(many, [], alive, strict, others=5).pilots == 0


def test_large_stages_do_not_keep_the_first_pilot_away():
    found = size([*loads(20, nodes=2), *loads(100)], [], [], LIMITS)
    assert (found.pilots, len(found.own)) == (1, 9)


def test_memory_leaves_cores_empty():
    assert held_cores(load(memory_gb=32.0), PILOT) == 8.0
    assert size(loads(16, memory_gb=32.0), [], [], LIMITS).pilots == 8
    assert held_cores(load(cores=6), PILOT) == 8.0  # two of them side by side


@given(
    st.integers(0, 60),
    st.integers(0, 60),
    st.lists(st.floats(0, 4 * HOUR_S), max_size=8),
    st.floats(0.1, 1e5),
    st.integers(1, 12),
    st.one_of(st.none(), st.integers(1, 12)),
    st.integers(0, 5),
    st.floats(0, 60),
)
def test_no_limit_is_ever_exceeded_and_something_is_done_where_there_is_work(
    small, large, left, expected_s, max_jobs, max_queued, others, fill_min
):
    limits = replace(LIMITS, max_jobs=max_jobs, max_queued=max_queued, fill_min=fill_min)
    alive = [Alive(takes_any=True, left_s=one) for one in left]
    waiting = [*loads(small, expected_s=expected_s), *loads(large, nodes=3)]
    found = size(waiting, [], alive, limits, others=others)
    asked = found.pilots + len(found.own)
    assert asked == 0 or asked + len(alive) <= max_jobs
    if max_queued is not None:
        assert asked == 0 or asked + len(alive) + others <= max_queued
    assert len(found.own) <= large
    assert all(one.shape.walltime_min <= PILOT.walltime_min for one in found.own)
    assert found.why_not_more
    has_room = max_queued is None or others < max_queued
    if waiting and not alive and has_room:
        assert asked >= 1


@given(st.integers(1, 200), st.integers(0, 100), st.floats(1, 1e5))
def test_more_work_never_makes_fewer_jobs(stages, more, expected_s):
    few = size(loads(stages, expected_s=expected_s), [], [FRESH], LIMITS).pilots
    assert size(loads(stages + more, expected_s=expected_s), [], [FRESH], LIMITS).pilots >= few


def test_a_load_has_what_the_order_asks_for():
    asked = Resources(nodes=2, cores=4, gpus=1)
    foreseen = Forecast(expected_s=10.0, high_s=20.0, memory_gb=3.0, basis="")
    assert Load.of("x", asked, foreseen) == Load("x", 4, 10.0, 20.0, 2, 1, 3.0)


def test_long_stages_are_handed_over_twice_as_many_as_run_side_by_side():
    assert len(lookahead(loads(100, expected_s=HOUR_S), [], 16, LIMITS, [FRESH])) == 32
    assert len(lookahead(loads(100, expected_s=HOUR_S), loads(30), 16, LIMITS, [FRESH])) == 2


def test_short_stages_are_handed_over_for_some_minutes():
    given = lookahead(loads(1000, expected_s=60.0), [], 16, LIMITS, [FRESH])
    assert len(given) == 16 * LOOK_AHEAD_S / 60.0


def test_no_more_stages_lie_about_than_all_want_to_look_through():
    quick = loads(1000, expected_s=0.1)
    assert len(lookahead(quick, [], 16, LIMITS, [FRESH])) == MOST_UNTAKEN
    assert len(lookahead(quick, quick[:490], 16, LIMITS, [FRESH])) == 10
    assert not lookahead(quick, quick[:600], 16, LIMITS, [FRESH])
    assert (
        len(lookahead(quick, [], 1000, LIMITS, [FRESH])) == 1000
    )  # two for each core, if there are


def test_what_no_running_pilot_has_the_time_for_is_not_in_the_way_of_what_it_has():
    worn = [Alive(takes_any=True, left_s=0.5 * HOUR_S)]
    long, short = loads(40, expected_s=2 * HOUR_S), loads(10, expected_s=60.0)
    assert lookahead([*long, *short], long, 16, LIMITS, worn) == short


def test_nothing_is_handed_over_where_nothing_runs():
    assert not lookahead(loads(10), [], 0, LIMITS, [])
