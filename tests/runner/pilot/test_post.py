import os
import time

import pytest

from fireworks_ext.folders.exchange import PilotOrder
from runner.pilot.choice import Offer
from runner.pilot.post import MARGIN_S, open_post
from schemas.errors import UserError
from schemas.queue import Allocation

USABLE = sorted(os.sched_getaffinity(0))
SLURM = {
    "SLURM_JOB_ID": "12",
    "SLURM_CPUS_ON_NODE": "4",
    "SLURM_MEM_PER_NODE": "2048",
    "SLURM_RESTART_COUNT": "1",
}


def fixed(cores: int = 1, for_s: float | None = None) -> Allocation:
    ends_at = None if for_s is None else time.time() + for_s
    return Allocation(job="x", cores=cores, ends_at=ends_at)


def test_without_a_scheduler_all_cores_that_may_be_used_are() -> None:
    post = open_post(PilotOrder(), {})
    assert post.allocation.cores == len(post.numbers)
    assert set(post.numbers) <= set(USABLE)
    assert post.seat().left_s is None


def test_two_pilots_on_one_machine_have_names_of_their_own() -> None:
    post = open_post(PilotOrder(allocation=fixed()), {})
    assert post.allocation.job == f"x.{os.getpid()}"


def test_cores_are_only_counted_where_the_job_has_more_than_the_process_may_use() -> None:
    many = len(USABLE) + 1
    post = open_post(PilotOrder(allocation=fixed(many)), {})
    assert not post.pinned
    assert len(post.numbers) == many
    # Another job's are not counted together with ours.
    assert post.locks != open_post(PilotOrder(), {}).locks


def test_on_machines_that_others_use_stages_are_not_bound_if_so_wished() -> None:
    assert not open_post(PilotOrder(allocation=fixed(), pinned=False), {}).pinned


def test_what_runs_is_stopped_before_the_end_and_a_short_job_keeps_half_of_its_time() -> None:
    long = open_post(PilotOrder(allocation=fixed(for_s=1000.0)), {})
    short = open_post(PilotOrder(allocation=fixed(for_s=100.0)), {})
    for post, left_s in ((long, 880.0), (short, 50.0)):
        assert post.stop_at is not None
        assert post.stop_at - time.time() == pytest.approx(left_s, abs=2.0)
        assert post.seat().left_s == pytest.approx(left_s - MARGIN_S, abs=2.0)


def test_a_job_is_fresh_by_the_time_of_the_longest() -> None:
    endless = Offer("endless", expected_s=1e5, high_s=1e5, continues=True)
    order = PilotOrder(allocation=fixed(for_s=1000.0))
    assert open_post(order, {}).seat().is_long_enough(endless)
    worn = order.model_copy(update={"whole_s": 2000.0})
    assert not open_post(worn, {}).seat().is_long_enough(endless)


def test_a_scheduler_tells_what_its_job_has() -> None:
    launcher = {"kind": "slurm", "tasks_per_node": 4, "walltime_min": 60}
    ends = {"SLURM_JOB_END_TIME": str(int(time.time()) + 3600)}
    post = open_post(PilotOrder(launcher=launcher), SLURM | ends)
    assert (post.allocation.job, post.allocation.cores, post.allocation.restarts) == ("12", 4, 1)
    assert post.allocation.memory_gb == pytest.approx(2.147, abs=0.01)
    assert post.seat().left_s == pytest.approx(3600 - 120 - MARGIN_S, abs=5.0)


@pytest.mark.parametrize("kind", ["slurm", "clay-tablets"])
def test_outside_of_a_job_a_pilot_is_refused_in_words(kind: str) -> None:
    launcher = {"kind": kind, "tasks_per_node": 4, "walltime_min": 60}
    with pytest.raises(UserError, match=r"SLURM_JOB_ID|clay-tablets"):
        open_post(PilotOrder(launcher=launcher), {})


def test_where_nothing_tells_a_jobs_end_it_has_the_time_that_was_asked_for() -> None:
    asked = open_post(PilotOrder(allocation=fixed()), {}, 1000.0)
    assert asked.allocation.ends_at == pytest.approx(time.time() + 1000.0, abs=2.0)
    known = open_post(PilotOrder(allocation=fixed(for_s=500.0)), {}, 1000.0)
    assert known.allocation.ends_at == pytest.approx(time.time() + 500.0, abs=2.0)


@pytest.mark.parametrize(
    ("said", "gpus"),
    [
        ({}, None),
        ({"SLURM_GPUS_ON_NODE": "3"}, ("0", "1", "2")),
        ({"SLURM_GPUS_ON_NODE": "2", "SLURM_JOB_GPUS": "4,6"}, ("4", "6")),
        ({"SLURM_JOB_GPUS": "4,6", "CUDA_VISIBLE_DEVICES": "0,1"}, ("0", "1")),
        ({"CUDA_VISIBLE_DEVICES": "NoDevFiles"}, None),
    ],
)
def test_the_gpus_of_a_job_of_slurms_are_those_that_it_sees(
    said: dict[str, str], gpus: tuple[str, ...] | None
) -> None:
    order = PilotOrder(launcher={"kind": "slurm", "tasks_per_node": 4, "walltime_min": 60})
    end = {"SLURM_JOB_END_TIME": str(int(time.time()) + 600)}
    post = open_post(order, {**SLURM, **end, **said})
    assert post.allocation.gpus == gpus
    assert post.seat().gpus == (None if gpus is None else len(gpus))
