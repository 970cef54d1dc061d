"""Queues that take few jobs, or none: the campaign waits, or ends in Slurm's own words."""

from __future__ import annotations

import pytest
from cluster_bench import Cluster, toys
from consistency import assert_consistent

MANY = "Li, Na, K, Rb, Cs, Be, Mg, Ca, Sr, Ba"


@pytest.mark.slow
def test_a_limit_on_submissions_slows_a_campaign_down_and_is_shown(accounted: Cluster) -> None:
    accounted.slurm.limit("MaxSubmitJobsPerUser", 2)
    accounted.write(toys(MANY, "seconds: 2"), tasks_per_node=1, memory_gb=0.2, max_jobs=6)
    controller = accounted.start()
    accounted.until(lambda: "QOSMaxSubmitJobPerUserLimit" in (accounted.fleet().get("note") or ""))
    said = accounted.call("status", accounted.name, "--profile", "cluster")
    assert "QOSMaxSubmitJobPerUserLimit" in said
    assert len(accounted.ask("jobs")["jobs"]) <= 3  # the refused one is not put away at once
    assert accounted.end_of(controller) == 0, accounted.trouble()
    assert "Traceback" not in accounted.said()
    assert set(accounted.programs("end").values()) == {1}
    assert accounted.jobs().keys() == accounted.records().keys()
    assert_consistent(accounted.store)


@pytest.mark.slow
def test_a_users_other_jobs_count_where_that_is_asked_for(cluster: Cluster) -> None:
    others = [
        cluster.slurm.run("sbatch", "--parsable", "--hold", "--wrap=true", "--output=/dev/null")
        for _ in range(2)
    ]
    settings = {"tasks_per_node": 1, "memory_gb": 0.2, "max_jobs": 6, "max_queued": 3}
    cluster.write(toys(MANY, "seconds: 1"), **settings)
    controller = cluster.start()
    cluster.until(lambda: "2 other jobs of yours" in (cluster.fleet().get("note") or ""))
    cluster.until(cluster.begun)
    assert len(cluster.slurm.run("squeue", "--noheader").splitlines()) == 3
    cluster.slurm.run("scancel", *others)
    assert cluster.end_of(controller) == 0, cluster.trouble()
    assert_consistent(cluster.store)


@pytest.mark.slow
def test_jobs_that_cannot_begin_end_the_run_in_their_own_words(cluster: Cluster) -> None:
    cluster.write(toys(), setup=["module load nothing-of-that-name || exit 1"])
    assert cluster.run() == 2, cluster.trouble()
    assert "jobs ended without doing anything" in cluster.said()
    assert "module: command not found" in cluster.said()
    assert "Traceback" not in cluster.said()
    assert cluster.jobs().total() in {3, 4}
    assert {one["state"] for one in cluster.store.fireworks.find({})} == {"READY"}
    assert_consistent(cluster.store)


@pytest.mark.slow
def test_what_slurm_never_allows_ends_the_run_in_its_words_and_loses_nothing(
    cluster: Cluster,
) -> None:
    more = "  large: {engine: toy, task: scf, structure: first, resources: {cores: 4}}"
    cluster.write(toys(more=more), partition="nonsense", own_job_cores=2)
    assert cluster.run() == 2, cluster.trouble()
    assert "invalid partition specified" in cluster.said()
    assert "Traceback" not in cluster.said()
    assert not list(cluster.exchange.jobs.iterdir())
    assert {one["state"] for one in cluster.store.fireworks.find({})} == {"READY", "WAITING"}
    assert_consistent(cluster.store)
    cluster.write(toys(more=more), partition="main", own_job_cores=2)
    assert cluster.run() == 0, cluster.trouble()
    assert_consistent(cluster.store)
