"""Stages that get a job of their own, and pilots that come as an array."""

from __future__ import annotations

import pytest
from cluster_bench import Cluster, toys
from consistency import assert_consistent

LARGE = "seconds: 0.2, resources: {cores: 4}"


@pytest.mark.slow
def test_a_large_stage_has_a_job_of_its_own_and_is_reserved_until_that_begins(
    cluster: Cluster,
) -> None:
    cluster.slurm.drain()
    cluster.write(toys("Mg", LARGE), own_job_cores=3, tasks_per_node=8, memory_gb=1)
    controller = cluster.start()
    found = cluster.until(lambda: cluster.store.fireworks.find_one({"state": "RESERVED"}))
    (record,) = cluster.records().values()
    assert (record.kind, record.request.shape.cores) == ("own", 4)
    cluster.until(lambda: cluster.fleet().get("jobs"))
    (job,) = cluster.ask("jobs")["jobs"]
    assert (job["kind"], job["phase"]) == ("own", "waiting")
    numbers = cluster.call("lpad", "get_qids", "-i", str(found["fw_id"]))
    assert job["id"] in numbers.split()[-1]
    cluster.slurm.resume()
    assert cluster.end_of(controller) == 0, cluster.trouble()
    (ended,) = cluster.store.launches.find({})
    assert ended["state_history"][0]["reservation_id"] == job["id"]
    (over,) = cluster.slurm.over()[record.name]
    assert (over.id, over.cores, over.state) == (job["id"], 4, "COMPLETED")
    assert_consistent(cluster.store)


@pytest.mark.slow
def test_a_stage_with_more_memory_than_pilots_have_gets_a_job_that_has_it(
    cluster: Cluster,
) -> None:
    # No whole number of MiB: Slurm gives a little less.
    cluster.write(toys("Mg", "seconds: 0.2, resources: {memory_gb: 0.609}"), memory_gb=0.3)
    assert cluster.run() == 0, cluster.trouble()
    (record,) = cluster.records().values()
    assert (record.kind, record.request.shape.memory_gb) == ("own", 0.609)
    assert cluster.jobs() == {record.name: 1}
    assert_consistent(cluster.store)


@pytest.mark.slow
def test_large_stages_come_as_an_array_where_that_is_asked_for(cluster: Cluster) -> None:
    cluster.write(toys("Mg, Ca, Sr", LARGE), own_job_cores=3, arrays=True, memory_gb=1)
    assert cluster.run() == 0, cluster.trouble()
    (record,) = cluster.records().values()
    assert (record.kind, record.request.count) == ("own", 3)
    assert [one.cores for one in cluster.slurm.over()[record.name]] == [4, 4, 4]
    assert set(cluster.programs("end").values()) == {1}
    numbers = {one["state_history"][0]["reservation_id"] for one in cluster.store.launches.find({})}
    assert numbers == {f"{record.id}_{index}" for index in range(3)}
    assert_consistent(cluster.store)


@pytest.mark.slow
def test_pilots_come_as_an_array_where_that_is_asked_for(cluster: Cluster) -> None:
    metals = "Li, Na, K, Rb, Cs, Be, Mg, Ca, Sr, Ba"
    cluster.write(
        toys(metals, "seconds: 1"), arrays=True, tasks_per_node=1, memory_gb=0.2, max_jobs=4
    )
    assert cluster.run() == 0, cluster.trouble()
    arrays = [one for one in cluster.records().values() if one.request.count > 1]
    assert arrays
    assert all(cluster.jobs()[one.name] == one.request.count for one in arrays)
    assert cluster.jobs().keys() == cluster.records().keys()
    assert set(cluster.programs("end").values()) == {1}
    assert_consistent(cluster.store)
