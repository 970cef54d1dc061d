"""Controllers, and slurmctld, that are killed at bad moments; controllers that stay behind."""

from __future__ import annotations

import os
import random
import time
from collections import Counter

import pytest
from cluster_bench import Cluster, toys
from consistency import assert_consistent

MOMENTS = int(os.environ.get("MATCAMPAIGN_KILLS", "5"))
SEED = int(os.environ.get("MATCAMPAIGN_SEED", "1"))
BETWEEN_S = (1.0, 9.0)
"""From before the first job is asked for to when most are over."""
ASKING_S = (0.0, 0.1)
"""Of every second moment: after a job's folder was made."""
MANY = "Li, Na, K, Rb, Cs, Be, Mg, Ca, Sr, Ba"


def assert_all_once(cluster: Cluster, stages: int) -> None:
    """Assert that every stage ended once, and that Slurm's jobs are those that are written down."""
    ends = cluster.programs("end")
    assert len(ends) == stages
    assert set(ends.values()) == {1}, "a stage was computed twice"
    assert {one["state"] for one in cluster.store.fireworks.find({})} == {"COMPLETED"}
    jobs, records = cluster.jobs(), cluster.records()
    assert set(jobs.values()) == {1}, "a job was submitted twice"
    missing = [one for name, one in records.items() if name not in jobs]
    assert jobs.keys() == records.keys(), missing
    assert all(one.id for one in records.values())
    assert_consistent(cluster.store)


@pytest.mark.slow
def test_a_controller_that_is_killed_again_and_again_asks_for_nothing_twice(
    cluster: Cluster,
) -> None:
    """`MATCAMPAIGN_KILLS` sets how often (`make bars`: 20), `MATCAMPAIGN_SEED` when."""
    # Jobs of one stage each: the more jobs are asked for, the more there is to forget.
    more = "  second: {engine: toy, task: scf, structure: first, seconds: 1.5}"
    spec = toys(MANY, "seconds: 1.0", more)
    cluster.write(spec, tasks_per_node=1, memory_gb=0.2, max_jobs=4, idle_s=0.5)
    rng = random.Random(SEED)
    for number in range(MOMENTS):
        controller, asked = cluster.start(), set(cluster.records())
        until = time.monotonic() + rng.uniform(*BETWEEN_S)
        while controller.poll() is None and time.monotonic() < until:
            time.sleep(0.002)
            if number % 2 and {one.name for one in cluster.exchange.jobs.glob("*")} - asked:
                # Before, while and after Slurm hears of it.
                time.sleep(rng.uniform(*ASKING_S))
                break
        controller.kill()
        controller.wait()
    assert cluster.run() == 0, cluster.trouble()
    assert_all_once(cluster, stages=20)


@pytest.mark.slow
def test_while_slurmctld_is_away_the_campaign_goes_on_and_says_so(frail: Cluster) -> None:
    # Longer than from one look into the queue to the next.
    frail.write(toys(settings="seconds: 25"), tasks_per_node=4, memory_gb=0.2)
    controller = frail.start()
    frail.until(lambda: len(frail.programs("start")) == 4)
    frail.slurm.kill_controller()
    frail.until(lambda: "does not answer" in frail.said())
    # Results are taken in while nobody can ask about jobs.
    frail.until(lambda: len(list(frail.store.results.find({}))) == 4)
    assert "does not answer" in frail.fleet()["note"]
    frail.slurm.start_controller()
    assert frail.end_of(controller) == 0, frail.trouble()
    assert set(frail.programs("start").values()) == {1}
    assert_consistent(frail.store)


@pytest.mark.slow
def test_a_job_whose_start_slurm_forgot_computes_everything_once(frail: Cluster) -> None:
    """It is started again while it runs, or forgotten altogether, as slurmctld has it on disk."""
    frail.slurm.drain()
    frail.write(toys(settings="seconds: 6"), tasks_per_node=4, memory_gb=0.2)
    controller = frail.start()
    frail.until(lambda: any(one.id for one in frail.records().values()))
    frail.slurm.save()
    frail.slurm.resume()
    frail.until(lambda: frail.programs("start"))
    frail.slurm.kill_controller()
    frail.slurm.start_controller()
    while controller.poll() is None:
        # slurmd refuses the second start, and slurmctld drains the node for that.
        frail.slurm.resume()
        time.sleep(1.0)
    assert controller.returncode == 0, frail.trouble()
    assert set(frail.programs("end").values()) == {1}
    # Slurm kills what it had started before it starts it again.
    assert Counter(one["key"] for one in frail.attempts() if one["outcome"] == "ok").total() == 4
    assert_consistent(frail.store)


@pytest.mark.slow
def test_a_detached_controller_outlives_its_terminal_and_can_be_stopped(cluster: Cluster) -> None:
    cluster.write(toys(settings="seconds: 15"), tasks_per_node=4, memory_gb=0.2)
    cluster.log_in_and_out("--detach")
    cluster.until(lambda: len(cluster.programs("start")) == 4)
    assert cluster.controller() is not None
    assert "told process" in cluster.call("stop", cluster.name, "--profile", "cluster")
    cluster.until(lambda: cluster.controller() is None)
    assert cluster.store.campaigns.find_one({})["state"] == "drained"
    assert cluster.slurm.run("squeue", "--noheader"), "jobs go on without it"
    assert cluster.run() == 0, cluster.trouble()
    assert_all_once(cluster, stages=4)
