"""What ended attempts tell, from the documents of the ledger."""

import pytest

from runner.finished_runs import CUT_SHORT, NEVER_RAN, whole_runs
from schemas.failure import FailureName


def attempt(number=1, outcome="ok", seconds=100.0, key="a", **others):
    return {
        "key": key,
        "attempt": number,
        "work": 5.0,
        "walltime_s": seconds,
        "cores": 2,
        "outcome": outcome,
        "failure": None,
        "machine": "node1",
        "continued": None,
    } | others


def said(attempts):
    return [(run.walltime_s, run.is_bound, run.weight) for run in whole_runs(attempts)]


def test_a_run_that_went_on_is_one_run_of_the_sum_whatever_their_order():
    parts = [
        attempt(3, continued="2", seconds=10.0),
        attempt(1, "interrupted", 100.0),
        attempt(2, "interrupted", 100.0, continued="1"),
    ]
    assert said(parts) == [(210.0, False, 1.0)]


def test_time_on_other_cores_counts_in_core_seconds():
    parts = [attempt(1, "interrupted", 100.0, cores=4), attempt(2, continued="1", seconds=50.0)]
    assert said(parts) == [(250.0, False, 1.0)]


def test_a_run_that_never_ended_took_at_least_so_long():
    parts = [attempt(1, "interrupted", 100.0), attempt(2, "lost", 70.0, continued="1")]
    assert said(parts) == [(170.0, True, 1.0)]


def test_a_run_that_began_anew_says_two_things():
    assert said([attempt(1, "lost", 300.0), attempt(2)]) == [
        (300.0, True, 1.0),
        (100.0, False, 1.0),
    ]


def test_of_a_run_whose_beginning_is_not_known_only_a_bound_is_known():
    assert said([attempt(5, continued="4")]) == [(100.0, True, 1.0)]


@pytest.mark.parametrize("name", sorted(CUT_SHORT))
def test_what_was_ended_from_outside_would_have_taken_longer(name):
    assert said([attempt(1, "failed", failure=name.value)]) == [(100.0, True, 1.0)]


@pytest.mark.parametrize("name", sorted(NEVER_RAN))
def test_what_never_ran_tells_nothing_of_time(name):
    assert said([attempt(1, "failed", failure=name.value)]) == []


def test_a_calculation_that_failed_by_itself_counts_less():
    failed = attempt(1, "failed", failure=FailureName.SCF_NOT_CONVERGED.value)
    assert said([failed]) == [(100.0, False, 0.3)]
